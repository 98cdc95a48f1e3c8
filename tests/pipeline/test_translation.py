"""A translation that is none is marked, wherever in the recording it is."""

from __future__ import annotations

import pytest

from voxgate.pipeline.translation import untranslated_notice
from voxgate.transcript.values import Segment

ENGLISH = (
    "Good morning, everyone. We are here to talk about the budget, and that will take an hour."
)
GERMAN = "Guten Morgen zusammen, wir sind heute hier, um lange über den Haushalt zu sprechen."
WORD = "Morgen"


def segments(*texts: str, seconds: float = 30.0) -> list[Segment]:
    return [Segment(text, at * seconds, (at + 1) * seconds) for at, text in enumerate(texts)]


@pytest.mark.parametrize(
    ("texts", "named"),
    [
        ([GERMAN], "0:00.0 to 0:30.0"),
        ([ENGLISH, GERMAN, ENGLISH, GERMAN], "0:30.0 to 1:00.0, 1:30.0 to 2:00.0"),
        ([GERMAN] * 7, "2:00.0 to 2:30.0 and 2 more times"),
        ([ENGLISH, "大家早上好"], "0:30.0 to 1:00.0"),
    ],
)
def test_the_stretches_that_are_not_english_are_named(texts: list[str], named: str) -> None:
    notice = untranslated_notice(segments(*texts))
    assert notice is not None
    assert notice.code == "untranslated_text"
    assert f"{named}." in notice.sentence


def test_segments_of_a_word_each_are_judged_together() -> None:
    notice = untranslated_notice(segments(*[WORD] * 50, seconds=0.5))
    assert notice is not None
    assert "0:00.0 to 0:25.0." in notice.sentence
    assert untranslated_notice(segments(*ENGLISH.split(), seconds=1.0)) is None


@pytest.mark.parametrize("texts", [[], [ENGLISH], [ENGLISH] * 9, [WORD], [ENGLISH, WORD, ENGLISH]])
def test_nothing_is_said_of_english_and_of_what_cannot_be_told(texts: list[str]) -> None:
    assert untranslated_notice(segments(*texts)) is None
