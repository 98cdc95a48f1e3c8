from __future__ import annotations

import itertools

from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.audio.vad import VAD_CHUNK, SpeechDetector, SpeechRegion, SpeechRules

RULES = SpeechRules(longest_s=30)
SECOND = 31  # probabilities a second
PAD = 3200


def detect(probabilities: list[float], rules: SpeechRules = RULES) -> list[SpeechRegion]:
    detector = SpeechDetector(rules)
    return detector.feed(probabilities) + detector.finish(len(probabilities) * VAD_CHUNK)


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
    first, *_ = detect(probabilities)
    assert first.end == 25 * SECOND * VAD_CHUNK


def test_a_region_is_returned_when_it_has_ended() -> None:
    detector = SpeechDetector(RULES)
    assert detector.feed([0.9] * 50) == []
    assert len(detector.feed([0.0] * 20)) == 1


@settings(deadline=None, print_blob=True)
@given(st.lists(st.floats(0, 1), max_size=3000), st.floats(1, 30), st.integers(1, 200))
def test_regions_are_in_order_and_separate_and_not_too_long(
    probabilities: list[float], longest_s: float, step: int
) -> None:
    rules = SpeechRules(longest_s=longest_s)
    detector, regions = SpeechDetector(rules), list[SpeechRegion]()
    for at in range(0, len(probabilities), step):
        settled = detector.settled
        new = detector.feed(probabilities[at : at + step])
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
    covered = {
        chunk
        for region in detect(probabilities)
        for chunk in range(-(-region.start // VAD_CHUNK), region.end // VAD_CHUNK)
    }
    assert {at for at, p in enumerate(probabilities) if p > 0.5} <= covered
