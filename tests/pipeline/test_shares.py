"""Who recognised which part of a recording: always the whole of it, each sample once."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.pipeline.shares import Share, Shares

PARTS = st.lists(
    st.tuples(st.floats(0, 100), st.sampled_from(["a/x", "b/x", "c/x"]), st.integers(0, 50))
)


def shared(*parts: tuple[float, str, int]) -> Shares:
    shares = Shares("first/x")
    for part in parts:
        shares.add(*part)
    return shares


@given(PARTS, st.integers(0, 100 * SAMPLE_RATE), st.integers(0, 2000))
def test_the_shares_are_the_whole(
    parts: list[tuple[float, str, int]], samples: int, tokens: int
) -> None:
    shares = shared(*parts).until(samples, tokens)
    assert sum(share.samples for share in shares.values()) == samples
    assert all(share.samples > 0 for share in shares.values())


def test_a_part_has_the_pause_before_it_and_the_last_one_the_rest() -> None:
    shares = shared((1.0, "a/x", 3), (2.0, "b/x", 4)).until(3 * SAMPLE_RATE, 7)
    assert shares == {"a/x": Share(SAMPLE_RATE, 3), "b/x": Share(2 * SAMPLE_RATE, 4)}


def test_of_parts_that_end_together_the_first_one_has_the_sound() -> None:
    """Whatever they are called: the later one added nothing."""
    for first, second in (("a/x", "z/x"), ("z/x", "a/x")):
        shares = shared((1.0, first, 3), (1.0, second, 0)).until(SAMPLE_RATE, 3)
        assert shares == {first: Share(SAMPLE_RATE, 3)}


def test_without_speech_it_is_of_the_first_provider() -> None:
    assert shared().until(SAMPLE_RATE) == {"first/x": Share(SAMPLE_RATE, 0)}
    assert shared().main(SAMPLE_RATE) == "first/x"
    assert shared().main(0) == "first/x"
    assert shared().until(0) == {}
