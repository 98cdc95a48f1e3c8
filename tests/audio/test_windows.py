from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.audio.vad import SpeechRegion
from voxgate.audio.windows import Window, WindowPlanner

RATE = 16_000


def plan(
    regions: list[SpeechRegion], window_s: float = 30, long_pause_s: float = 3, margin_s: float = 0
) -> list[Window]:
    planner = WindowPlanner(window_s, long_pause_s, margin_s)
    windows = [w for region in regions for w in planner.feed([region], region.end)]
    return windows + list(planner.finish(regions[-1].end if regions else 0))


def seconds(*pairs: tuple[float, float]) -> list[SpeechRegion]:
    return [SpeechRegion(int(start * RATE), int(end * RATE)) for start, end in pairs]


def test_no_regions_give_no_window() -> None:
    assert plan([]) == []


def test_sentences_share_a_window_up_to_its_length() -> None:
    windows = plan(seconds((0, 10), (11, 20), (21, 29), (30, 40)))
    assert [(w.index, w.start_s, w.end_s) for w in windows] == [(0, 0, 29), (1, 30, 40)]


def test_a_long_pause_ends_a_window() -> None:
    assert len(plan(seconds((0, 2), (10, 12)))) == 2


def test_a_window_is_returned_as_soon_as_it_is_complete() -> None:
    planner = WindowPlanner(30)
    assert list(planner.feed(seconds((0, 2)), 3 * RATE)) == []
    assert len(list(planner.feed([], 6 * RATE))) == 1
    assert list(planner.finish(6 * RATE)) == []


def test_a_region_that_does_not_fit_is_refused() -> None:
    with pytest.raises(ValueError, match="does not fit"):
        plan(seconds((0, 31)))


def test_a_window_includes_sound_around_its_speech_where_it_fits() -> None:
    windows = plan(seconds((6, 10), (22, 26), (40, 69)), long_pause_s=8, margin_s=5)
    assert [(w.start_s, w.end_s) for w in windows] == [(1, 15), (17, 31), (39.5, 69)]


def test_margins_share_a_short_pause() -> None:
    windows = plan(seconds((0, 20), (22, 40)), long_pause_s=8, margin_s=5)
    assert [(w.start_s, w.end_s) for w in windows] == [(0, 21), (21, 40)]


@settings(deadline=None, print_blob=True)
@given(
    st.lists(st.tuples(st.integers(0, 10 * RATE), st.integers(1, 30 * RATE)), max_size=50),
    st.sampled_from([0.0, 0.5, 5.0]),
)
def test_every_region_is_in_exactly_one_window(
    steps: list[tuple[int, int]], margin_s: float
) -> None:
    at, regions = 0, list[SpeechRegion]()
    for pause, length in steps:
        regions.append(SpeechRegion(at + pause, at + pause + length))
        at += pause + length
    windows = plan(regions, long_pause_s=8, margin_s=margin_s)
    assert [r for w in windows for r in w.regions] == regions
    assert all(w.start <= w.regions[0].start for w in windows)
    assert all(w.end >= w.regions[-1].end for w in windows)
    assert [w.index for w in windows] == list(range(len(windows)))
    assert all(w.end - w.start <= 30 * RATE for w in windows)
    assert all(a.end <= b.start for a, b in itertools.pairwise(windows))
