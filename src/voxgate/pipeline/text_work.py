"""`compute`: work on a text, on the event loop where it is short, else in a thread.

Handing work to a thread and its result back takes 0.1 ms of the processor (docs/log.md), and a
microsecond is spent on each character of segments: a short text is done sooner.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Final, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from voxgate.transcript.values import Segment

T = TypeVar("T")

SHORT_CHARACTERS: Final = 300
"""The longest text that is worked on at once: about twenty seconds of speech."""


async def compute(function: Callable[[], T], characters: int) -> T:
    """Return the result of a function that works on so many characters."""
    if characters <= SHORT_CHARACTERS:
        return function()
    return await asyncio.to_thread(function)


def characters_of(segments: Iterable[Segment]) -> int:
    """Return how many characters segments have; a segment without a text may have words."""
    return sum(len(segment.text) + len(segment.words) for segment in segments)
