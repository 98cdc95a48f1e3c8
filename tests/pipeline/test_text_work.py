"""Short work on text is done at once, and long work in a thread."""

from __future__ import annotations

from threading import current_thread, main_thread

from voxgate.pipeline.text_work import SHORT_CHARACTERS, characters_of, compute
from voxgate.transcript.values import Segment, Word


async def test_short_work_is_done_at_once() -> None:
    assert await compute(current_thread, SHORT_CHARACTERS) is main_thread()


async def test_long_work_leaves_the_event_loop_to_others() -> None:
    assert await compute(current_thread, SHORT_CHARACTERS + 1) is not main_thread()


def test_words_without_a_text_are_work_too() -> None:
    words = tuple(Word("word", place, place + 1) for place in range(SHORT_CHARACTERS + 1))
    assert characters_of([Segment("", 0, 1, words)]) > SHORT_CHARACTERS
