from __future__ import annotations

import pytest

from voxgate.transcript.spans import Span, monotone

NAN = float("nan")


@pytest.mark.parametrize(
    ("spans", "expected"),
    [
        pytest.param([(1, 2), (3, 4)], [(1, 2), (3, 4)], id="untouched"),
        pytest.param([(1, 5), (3, 6)], [(1, 3), (3, 6)], id="the later start is trusted"),
        pytest.param([(3, 5), (2, 6)], [(3, 5), (5, 6)], id="an earlier start is moved later"),
        pytest.param([(0, 9), (1, 2), (5, 6)], [(0, 1), (1, 2), (5, 6)], id="one contains others"),
        pytest.param([(-4, -1), (9, 99)], [(0, 0), (9, 10)], id="clipped"),
        pytest.param([(5, 4)], [(5, 5)], id="ends before it starts"),
        pytest.param([(2, 3), (NAN, 6), (7, NAN)], [(2, 3), (3, 6), (7, 7)], id="NaN"),
        pytest.param([(4, 4), (4, 4), (4, 6)], [(4, 4), (4, 4), (4, 6)], id="same instant"),
    ],
)
def test_inconsistent_spans_are_corrected_with_minimal_change(
    spans: list[Span], expected: list[Span]
) -> None:
    assert monotone(spans, 0, 10) == expected
