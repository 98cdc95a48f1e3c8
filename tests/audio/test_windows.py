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


def test_a_full_window_is_cut_in_the_longest_pause_near_its_end() -> None:
    regions = seconds((0, 20), (21, 27.2), (28, 28.4), (28.5, 29), (29.4, 31))
    assert [(w.start_s, w.end_s) for w in plan(regions)] == [(0, 27.2), (28, 31)]


def test_a_pause_far_from_its_end_does_not_end_a_window() -> None:
    regions = seconds((0, 20), (22, 26.5), (28, 29), (29.1, 31))
    assert [w.end_s for w in plan(regions)] == [29, 31]


def cut(start_s: float, end_s: float, cut_db: float) -> SpeechRegion:
    return SpeechRegion(int(start_s * RATE), int(end_s * RATE), cut_db)


def test_speech_without_a_pause_is_cut_where_it_is_quietest() -> None:
    regions = [cut(0, 27.5, -30), cut(27.5, 28, -40), cut(28, 29, -35), cut(29, 31, -50)]
    windows = plan(regions)
    assert [(w.start_s, w.end_s) for w in windows] == [(0, 28), (28, 31)]
    assert [len(w.regions) for w in windows] == [1, 1]  # what shares a window is one region again


def test_a_pause_is_better_than_any_quiet_place() -> None:
    regions = [cut(0, 27, -30), *seconds((27, 28)), cut(28.2, 29, -90), *seconds((29, 31))]
    assert [w.end_s for w in plan(regions)] == [28, 31]


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
    check(windows)


def check(windows: list[Window]) -> None:
    assert all(w.start <= w.regions[0].start for w in windows)
    assert all(w.end >= w.regions[-1].end for w in windows)
    assert [w.index for w in windows] == list(range(len(windows)))
    assert all(w.end - w.start <= 30 * RATE for w in windows)
    assert all(a.end <= b.start for a, b in itertools.pairwise(windows))


@settings(deadline=None, print_blob=True)
@given(st.lists(st.tuples(st.booleans(), st.integers(5, 100)), max_size=200))
def test_cut_speech_fills_windows_and_loses_nothing(steps: list[tuple[bool, int]]) -> None:
    """Regions of at most two seconds, each after a cut or a pause of 0.3 s."""
    at, regions = 0, list[SpeechRegion]()
    for divided, length in steps:
        end = at + length * RATE // 50
        regions.append(SpeechRegion(at, end, -40.0 if divided else None))
        at = end if divided else end + 3 * RATE // 10
    windows = plan(regions)
    check(windows)
    spoken = sum(region.end - region.start for region in regions)
    assert sum(r.end - r.start for w in windows for r in w.regions) == spoken
    assert all(w.end - w.start >= 24 * RATE for w in windows[:-1])
