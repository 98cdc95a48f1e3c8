"""Where another party begins to speak, in recordings whose channels are recognised one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

TURN = "- "
"""What a line begins with where another party speaks, as in subtitles."""


def turn_starts(channels: Sequence[int | None]) -> list[bool]:
    """Return for each line, by the channels of all, whether another one speaks than before.

    The first does, too. None does where all are of one channel.
    """
    if len(set(channels)) < 2:
        return [False] * len(channels)
    changes = [before != after for before, after in pairwise(channels)]
    return [True, *changes]
