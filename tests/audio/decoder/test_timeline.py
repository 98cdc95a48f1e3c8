from __future__ import annotations

from fractions import Fraction

from hypothesis import given, settings
from hypothesis import strategies as st

from voxgate.audio.decoder.timeline import JITTER_S, Placement, Timeline

RATE = 16_000


def timeline(end: int | None = None, origin: int = 0) -> Timeline:
    return Timeline(RATE, Fraction(origin), None if end is None else Fraction(end))


def test_consecutive_frames_are_unchanged() -> None:
    line = timeline()
    for number in range(100):
        assert line.place(Fraction(number * 1024, RATE), 1024) == Placement()
    assert line.position == 100 * 1024


def test_jitter_is_not_a_gap() -> None:
    line = timeline()
    line.place(Fraction(0), 1024)
    assert line.place(Fraction(1024, RATE) + JITTER_S, 1024) == Placement()
    assert line.place(Fraction(2048, RATE) - JITTER_S, 1024) == Placement()


def test_jitter_does_not_add_up() -> None:
    """The position stays within the jitter of a clock that is 0.1 % fast."""
    line = timeline()
    for number in range(10_000):
        line.place(Fraction(number * 1024, RATE) * Fraction(1001, 1000), 1024)
    expected = Fraction(10_000 * 1024, RATE) * Fraction(1001, 1000)
    assert abs(Fraction(line.position, RATE) - expected) <= JITTER_S + Fraction(1024, RATE)


def test_a_gap_is_silence() -> None:
    line = timeline()
    line.place(Fraction(0), RATE)
    assert line.place(Fraction(3), RATE) == Placement(silence=2 * RATE)
    assert line.position == 4 * RATE


def test_a_late_start_is_silence_but_a_running_clock_is_not() -> None:
    assert timeline().place(Fraction(2), RATE) == Placement(silence=2 * RATE)
    assert timeline(origin=5000).place(Fraction(5000), RATE) == Placement()


def test_an_overlap_is_kept_once() -> None:
    line = timeline()
    line.place(Fraction(0), RATE)
    assert line.place(Fraction(1, 2), RATE) == Placement(skip=RATE // 2)
    assert line.place(Fraction(1), 100) == Placement(skip=100)
    assert line.position == 3 * RATE // 2


def test_after_a_clock_reset_frames_follow_each_other() -> None:
    line = timeline()
    line.place(Fraction(0), 100 * RATE)
    assert line.place(Fraction(50), RATE) == Placement(jumped=True)
    assert line.place(Fraction(51), RATE) == Placement()
    assert line.position == 102 * RATE


def test_a_clock_that_begins_anew_is_another_recording_and_no_jump() -> None:
    line = timeline(origin=7)
    line.place(Fraction(7), 100 * RATE)
    assert line.place(Fraction(7), RATE) == Placement()
    assert line.place(Fraction(8), RATE) == Placement()
    assert line.position == 102 * RATE


def test_a_jump_past_the_declared_end_is_not_believed() -> None:
    line = timeline(end=10)
    line.place(Fraction(0), RATE)
    assert line.place(Fraction(4000), RATE) == Placement(jumped=True)
    assert line.place(Fraction(4001), RATE) == Placement()
    assert line.position == 3 * RATE


def test_a_frame_without_a_timestamp_follows_its_predecessor() -> None:
    line = timeline()
    line.place(Fraction(0), 1024)
    assert line.place(None, 1024) == Placement()
    assert line.position == 2048


def test_lost_sound_moves_later_frames() -> None:
    line = timeline()
    line.place(Fraction(0), RATE)
    line.add_lost(Fraction(3, 2))
    assert line.place(Fraction(1), RATE) == Placement(silence=3 * RATE // 2)


def test_a_change_of_rate_keeps_the_time() -> None:
    line = timeline()
    line.place(Fraction(0), RATE)
    line.change_rate(48_000)
    assert line.place(Fraction(1), 48_000) == Placement()
    assert line.position == 96_000


@settings(deadline=None, print_blob=True)
@given(
    st.lists(
        st.tuples(
            st.none() | st.fractions(min_value=-10, max_value=10_000, max_denominator=90_000),
            st.integers(1, 5000),
        )
    ),
    st.none() | st.integers(0, 1000),
)
def test_every_sample_has_one_position_for_any_timestamps(
    frames: list[tuple[Fraction | None, int]], end: int | None
) -> None:
    line = timeline(end)
    for timestamp, samples in frames:
        before = line.position
        placement = line.place(timestamp, samples)
        assert placement.silence >= 0
        assert 0 <= placement.skip <= samples
        assert line.position == before + placement.silence + samples - placement.skip


@settings(max_examples=500, deadline=None)
@given(
    rate=st.sampled_from([8000, 11_025, 16_000, 44_100, 48_000]),
    base=st.sampled_from(
        [Fraction(1, 1000), Fraction(1, 90_000), Fraction(1, 14_112_000), Fraction(1, 44_100)]
    ),
    origin=st.fractions(-2, 2, max_denominator=90_000),
    steps=st.lists(
        st.tuples(st.integers(1, 5000), st.sampled_from([0, 0, 0, -1, 1, 19, 21, -30, 900, 5000])),
        max_size=30,
    ),
)
def test_counted_timestamps_are_placed_as_exact_ones(
    rate: int, base: Fraction, origin: Fraction, steps: list[tuple[int, int]]
) -> None:
    """`place_at` has a shorter way for frames that follow each other; both ways agree."""
    counted, exact = Timeline(rate, origin, None), Timeline(rate, origin, None)
    seconds = origin
    for samples, jitter_ms in steps:
        pts = round((seconds + Fraction(jitter_ms, 1000)) / base)
        assert counted.place_at(pts, base, samples) == exact.place(pts * base, samples)
        assert counted.position == exact.position
        seconds += Fraction(samples, rate)
