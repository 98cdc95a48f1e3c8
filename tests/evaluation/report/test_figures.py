import pytest

from voxgate.evaluation.report.figures import dollars, length, percent, times


def test_what_is_not_known_is_empty() -> None:
    assert (percent(None), times(None), dollars(None)) == ("", "", "")


def test_figures_are_rounded() -> None:
    assert (percent(0.12345), times(16.25), dollars(1_234_567)) == ("12.3 %", "16.2 x", "0.0012")


@pytest.mark.parametrize(
    ("seconds", "text"), [(0.04, "0.0 s"), (59.9, "59.9 s"), (90, "1.5 min"), (5400, "1.5 h")]
)
def test_a_length_has_the_unit_that_it_is_told_in(seconds: float, text: str) -> None:
    assert length(seconds) == text
