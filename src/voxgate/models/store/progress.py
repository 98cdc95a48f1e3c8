"""`StoreProgress`: what is told of work that takes minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class StoreProgress:
    """Who looks on. By itself nobody."""

    say: Callable[[str], None] = lambda _line: None
    """A sentence for people."""

    moved: Callable[[str, int, int], None] = lambda _file, _done, _total: None
    """The file in hand, and bytes done of all bytes."""
