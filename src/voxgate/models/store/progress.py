"""`StoreProgress`: the callbacks of an operation that takes minutes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class StoreProgress:
    """Callbacks for the progress of an operation; each does nothing by default."""

    on_message: Callable[[str], None] = lambda _line: None
    """Called with a sentence for people."""

    on_bytes: Callable[[str, int, int], None] = lambda _file, _done, _total: None
    """Called with the current file, the bytes done of all files, and the bytes of all files."""


NO_PROGRESS = StoreProgress()
