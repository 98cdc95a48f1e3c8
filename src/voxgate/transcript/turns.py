"""What marks the words of a party, in recordings whose channels are recognised one by one.

Where another party speaks than before, a line begins with a dash, as in subtitles. Parties who have
names are named there, as speakers are in the transcripts of other programs.
"""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

from voxgate.errors import UsageError
from voxgate.transcript.text import columns, one_line

if TYPE_CHECKING:
    from collections.abc import Sequence

DASH = "- "
LONGEST_NAME = 20  # columns: half a line of a caption


def turn_marks(channels: Sequence[int | None], names: Sequence[str] = ()) -> list[str]:
    """Return for each line, by the channels of all, what it begins with; mostly nothing.

    Without `names`, nothing is marked where all lines are of one channel.
    """
    if not names and len(set(channels)) < 2:
        return [""] * len(channels)
    turns = [True, *(before != after for before, after in pairwise(channels))]
    return [
        _mark(channel, names) if turn else ""
        for channel, turn in zip(channels, turns, strict=False)
    ]


def mark_columns(channel: int | None, channels: Sequence[int | None], names: Sequence[str]) -> int:
    """Return how many columns of a line the mark of a channel may take, among those of all."""
    return columns(_mark(channel, names)) if names or len(set(channels)) > 1 else 0


def channel_name(channel: int, names: Sequence[str]) -> str:
    """Return the name of a channel, counted from 1; `Channel 3` where it has none."""
    return names[channel - 1] if channel <= len(names) else f"Channel {channel}"


def check_names(names: Sequence[str]) -> None:
    """Raise `UsageError` for a name that a line cannot begin with."""
    for name in names:
        if not name or name != one_line(name):
            raise UsageError(
                "The name of a channel is empty, or more than a line. Give one for each channel, "
                "with commas between."
            )
        if columns(name) > LONGEST_NAME:
            raise UsageError(
                f"The name of a channel, '{name[:60]}', is longer than {LONGEST_NAME} characters: "
                f"the lines of captions have no room for it. Shorten it."
            )


def _mark(channel: int | None, names: Sequence[str]) -> str:
    if not names:
        return DASH
    return "" if channel is None else f"{channel_name(channel, names)}: "
