from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.audio.vad import PROBABILITY_DB, VAD_CHUNK, SpeechDetector, SpeechRegion, SpeechRules

RULES = SpeechRules(longest_s=30)
LEVEL_DB = -30.0
SECOND = 31  # probabilities a second
PAD = 3200


def detect(probabilities: list[float], rules: SpeechRules = RULES) -> list[SpeechRegion]:
    detector = SpeechDetector(rules)
    levels_db = [LEVEL_DB] * len(probabilities)
    return detector.feed(probabilities, levels_db) + detector.finish(len(probabilities) * VAD_CHUNK)


def test_silence_has_no_region() -> None:
    assert detect([0.01] * 1000) == []
    assert detect([]) == []


def test_a_sentence_is_one_region_with_padding() -> None:
    (region,) = detect([0.0] * SECOND + [0.9] * SECOND + [0.0] * SECOND)
    assert region == SpeechRegion(SECOND * VAD_CHUNK - PAD, 2 * SECOND * VAD_CHUNK + PAD)


def test_a_breath_does_not_end_a_region_but_a_pause_does() -> None:
    assert len(detect([0.9] * 20 + [0.0] * 5 + [0.9] * 20)) == 1
    assert len(detect([0.9] * 20 + [0.0] * 20 + [0.9] * 20)) == 2


def test_a_medium_probability_continues_speech_but_does_not_begin_it() -> None:
    assert detect([0.45] * 100) == []
    assert len(detect([0.9] * 10 + [0.45] * 100 + [0.9] * 10)) == 1


def test_a_click_is_not_speech() -> None:
    assert detect([0.0] * 50 + [0.9] + [0.0] * 50) == []


def test_padding_does_not_overlap_the_next_region() -> None:
    first, second = detect([0.9] * 20 + [0.0] * 10 + [0.9] * 20)
    assert first.end <= second.start


def test_speech_without_a_pause_is_cut_at_its_lowest_probability() -> None:
    probabilities = [0.9] * (60 * SECOND)
    probabilities[25 * SECOND] = 0.6
    first, second, *_ = detect(probabilities)
    assert first.end // VAD_CHUNK in range(25 * SECOND - 1, 25 * SECOND + 2)
    assert second.start == first.end


def test_speech_without_a_pause_is_cut_in_its_quietest_100_ms() -> None:
    levels_db = [LEVEL_DB] * (60 * SECOND)
    levels_db[20 * SECOND] = LEVEL_DB - 20  # a stop consonant is as short
    levels_db[25 * SECOND : 25 * SECOND + 3] = [LEVEL_DB - 15] * 3
    first, second, *_ = SpeechDetector(RULES).feed([0.9] * len(levels_db), levels_db)
    assert first.end // VAD_CHUNK == 25 * SECOND + 1
    assert second.start == first.end
    assert first.cut_db == pytest.approx(LEVEL_DB - 15 + 0.9 * PROBABILITY_DB)


def test_a_region_that_ends_in_a_pause_was_not_cut() -> None:
    (region,) = detect([0.9] * SECOND + [0.0] * SECOND)
    assert region.cut_db is None


def test_a_region_is_returned_when_it_has_ended() -> None:
    detector = SpeechDetector(RULES)
    assert detector.feed([0.9] * 50, [LEVEL_DB] * 50) == []
    assert len(detector.feed([0.0] * 20, [LEVEL_DB] * 20)) == 1


@settings(deadline=None, print_blob=True)
@given(st.lists(st.floats(0, 1), max_size=3000), st.floats(1, 30), st.integers(1, 200))
def test_regions_are_in_order_and_separate_and_not_too_long(
    probabilities: list[float], longest_s: float, step: int
) -> None:
    rules = SpeechRules(longest_s=longest_s)
    detector, regions = SpeechDetector(rules), list[SpeechRegion]()
    for at in range(0, len(probabilities), step):
        settled = detector.settled
        block = probabilities[at : at + step]
        new = detector.feed(block, [LEVEL_DB] * len(block))
        assert all(region.start >= settled for region in new)
        regions += new
    regions += detector.finish(len(probabilities) * VAD_CHUNK)
    assert regions == detect(probabilities, rules)  # for any block size
    assert all(0 <= r.start < r.end <= len(probabilities) * VAD_CHUNK for r in regions)
    assert all(r.end - r.start <= longest_s * 16_000 for r in regions)
    assert all(a.end <= b.start for a, b in itertools.pairwise(regions))


@settings(deadline=None, print_blob=True)
@given(st.lists(st.tuples(st.sampled_from([0.01, 0.95]), st.integers(12, 400)), max_size=20))
def test_clear_speech_is_never_lost(stretches: list[tuple[float, int]]) -> None:
    probabilities = [p for p, length in stretches for _ in range(length)]
    half = VAD_CHUNK // 2
    covered = {  # chunks whose middle is in a region
        chunk
        for region in detect(probabilities)
        for chunk in range(
            -((half - region.start) // VAD_CHUNK), -((half - region.end) // VAD_CHUNK)
        )
    }
    assert {at for at, p in enumerate(probabilities) if p > 0.5} <= covered
