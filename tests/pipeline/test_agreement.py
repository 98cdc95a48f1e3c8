"""Windows that stray in language: which, and from when on that is known."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.pipeline.test_review import placed
from tests.transcript.strategies import patient
from voxgate.pipeline.agreement import DECIDING_WINDOWS, believed, decidable, stray_language

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.pipeline.review import Placed


def languages(*heard: tuple[str, float | None]) -> list[Placed]:
    return [placed(language=language, probability=probability) for language, probability in heard]


def strays(windows: Sequence[Placed]) -> dict[int, str]:
    """The strays of a whole recording, by place."""
    judged = {place: stray_language(windows, place) for place in range(len(windows))}
    return {place: language for place, language in judged.items() if language}


@pytest.mark.parametrize(
    ("heard", "expected"),
    [
        ([("en", 0.9), ("cy", 0.6), ("en", 0.9)], {1: "en"}),
        ([("en", 0.9), ("de", 0.9), ("en", 0.9)], {}),  # somebody is quoted
        ([("en", 0.9), ("en", 0.3), ("en", 0.9)], {}),
        ([("en", 0.5), ("de", 0.9), ("en", 0.9), ("en", 0.9)], {}),  # at the edge, in the main one
        ([("en", 0.9), ("en", 0.9), ("de", 0.9), ("de", 0.6)], {}),  # the language changes
        ([("ru", 0.5), ("fr", 0.9), ("fr", 0.9)], {0: "fr"}),
        ([("en", 0.9), ("en", 0.9), ("cy", 0.6), ("de", 0.9)], {2: "en"}),
        ([("en", None), ("cy", None), ("en", None)], {}),  # the caller chose, or nothing is known
        ([("cy", 0.2)], {}),
        ([], {}),
    ],
)
def test_a_window_strays_when_it_was_hardly_detected_and_its_neighbours_differ(
    heard: list[tuple[str, float | None]], expected: dict[int, str]
) -> None:
    assert strays(languages(*heard)) == expected


def test_a_window_without_words_does_not_stray_and_is_no_neighbour() -> None:
    silent = placed(words=(), language="nn", probability=0.2)
    windows = [*languages(("en", 0.9)), silent, *languages(("cy", 0.5), ("en", 0.9))]
    assert strays(windows) == {2: "en"}


def test_a_sure_window_is_decided_about_at_once_and_a_doubtful_one_by_its_neighbours() -> None:
    assert decidable(languages(("en", 0.9)), 0)
    assert not decidable(languages(("en", 0.9), ("cy", 0.3)), 1)
    assert decidable(languages(("en", 0.9), ("cy", 0.3), ("en", 0.9)), 1)
    assert decidable(languages(("en", 0.3), ("en", 0.9)), 0)
    beginning = languages(("cy", 0.3), *[("en", 0.9)] * (DECIDING_WINDOWS - 1))
    assert not decidable(beginning, 0)
    assert decidable([*beginning, *languages(("en", 0.9))], 0)


WINDOWS = st.lists(
    st.builds(
        placed,
        words=st.sampled_from([(), ((0, 30),)]),
        language=st.sampled_from(["en", "de", "cy"]),
        probability=st.sampled_from([None, 0.3, 0.9]),
    ),
    max_size=12,
)


@given(WINDOWS)
@patient
def test_what_was_decided_stays_so_whatever_follows(windows: list[Placed]) -> None:
    for place in range(len(windows)):
        for known in range(place + 1, len(windows) + 1):
            if decidable(windows[:known], place):
                decided = stray_language(windows[:known], place)
                assert stray_language(windows, place) == decided


def test_a_second_text_is_believed_when_it_is_as_likely() -> None:
    first = placed(confidence=0.6)
    assert believed(first, placed(confidence=0.7))
    assert not believed(first, placed(confidence=0.5))
    assert not believed(first, placed(words=()))
