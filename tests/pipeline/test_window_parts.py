"""A window that a provider does not take is divided: all of its speech, and nothing beside it."""

from __future__ import annotations

from dataclasses import replace
from itertools import accumulate, pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.vad import SpeechRegion
from voxgate.audio.windows import Window
from voxgate.models.capabilities import Capabilities
from voxgate.pipeline.window_parts import divide_window

LENGTHS = st.lists(st.integers(min_value=1, max_value=100), min_size=1, max_size=40)  # tenths of s


@pytest.mark.parametrize("margin_s", [0.0, 5.0])
@given(LENGTHS, st.integers(min_value=0, max_value=30), st.integers(min_value=0, max_value=30))
def test_parts_have_all_speech_of_a_window_and_lie_in_it(
    margin_s: float, lengths: list[int], before: int, after: int
) -> None:
    edges = [each * SAMPLE_RATE // 10 for each in accumulate(lengths, initial=600)]
    regions = tuple(SpeechRegion(a, b) for a, b in list(pairwise(edges))[::2])
    margins = before * SAMPLE_RATE // 10, after * SAMPLE_RATE // 10
    window = Window(7, edges[0] - margins[0], regions[-1].end + margins[1], regions, channel=2,
                    pieces=regions)  # fmt: skip
    model = Capabilities(10.0, ("en",), "word", margin_s=margin_s)
    parts = divide_window(window, model)
    assert [region for part in parts for region in part.regions] == list(regions)
    assert all((part.index, part.channel) == (7, 2) for part in parts)
    assert all(window.start <= part.start < part.end <= window.end for part in parts)
    assert all(one.end <= other.start for one, other in pairwise(parts))
    longest = model.window_s * SAMPLE_RATE
    assert all(part.end - part.start <= longest for part in parts)


def test_a_part_of_a_window_without_a_region_is_divided_at_the_pieces_in_it() -> None:
    """A hole has the pieces of its window, of which it is a part."""
    pieces = tuple(SpeechRegion(n * 160_000, n * 160_000 + 150_000) for n in range(6))
    hole = replace(
        Window(0, 0, pieces[-1].end, pieces, pieces=pieces), start=170_000, end=600_000,
        regions=(SpeechRegion(170_000, 310_000), *pieces[2:4]),
    )  # fmt: skip
    model = Capabilities(10.0, ("en",), "word", margin_s=5.0)
    parts = divide_window(hole, model)
    assert parts[0].start == hole.start
    assert parts[-1].end <= hole.end
