"""Where another party begins to speak, in recordings whose channels are recognised one by one."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.transcript.values import Segment

TURN = "- "
"""What a line begins with where another party speaks, as in subtitles."""


def turn_starts(segments: Sequence[Segment]) -> list[bool]:
    """Return for each segment whether another channel speaks than before.

    The first does, too. None does where all are of one channel.
    """
    if len({segment.channel for segment in segments}) < 2:
        return [False] * len(segments)
    changes = [before.channel != after.channel for before, after in pairwise(segments)]
    return [True, *changes]
