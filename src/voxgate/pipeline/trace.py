"""`Trace`: what became of a recording on its way, for whoever accounts for it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxgate.pipeline.spans import Spans

if TYPE_CHECKING:
    from voxgate.pipeline.window import Attempt


@dataclass(slots=True)
class Trace:
    """Filled while the recording is under way, and kept when it fails.

    `spans` has `decode` (decoding and speech detection) and `provider`; `attempts` are those at all
    windows, in the order in which they ended.
    """

    spans: Spans = field(default_factory=Spans)
    attempts: list[Attempt] = field(default_factory=list)
