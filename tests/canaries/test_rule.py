"""When an endpoint regressed: what is true of any results, and each boundary."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from hypothesis import given
from hypothesis import strategies as st

from voxgate.canaries.rule import (
    CONFIRMED_WITHIN,
    LEAST_USUAL,
    MORE_POINTS,
    SILENT_IN_A_ROW,
    WORSE_IN_A_ROW,
    why_regressed,
)
from voxgate.ledger.canary_results import CanaryResult

if TYPE_CHECKING:
    from collections.abc import Sequence

START = datetime(2026, 1, 1, tzinfo=UTC)
INTERVAL_S = 3600.0
WORDS = 1000

GOOD = CanaryResult(
    endpoint="groq/x",
    measured_at=START,
    model="a/b",
    revision=None,
    profile=None,
    digest="same",
    recordings=2,
    failed=0,
    spoken=2,
    without_text=0,
    errors=50,
    reference=WORDS,
    audio_seconds=20.0,
    processing_seconds=2.0,
    cost_nanodollars=None,
)


def result(rate: float) -> CanaryResult:
    return replace(GOOD, errors=round(rate * WORDS))


def judged(results: Sequence[CanaryResult], *, later_s: float = 0.0) -> str | None:
    """Judge results that are an interval apart, so long after the last one."""
    placed = [
        replace(each, measured_at=START + timedelta(seconds=number * INTERVAL_S))
        for number, each in enumerate(results)
    ]
    now = placed[-1].measured_at if placed else START
    return why_regressed(placed, now + timedelta(seconds=later_s), INTERVAL_S)


rates = st.floats(0, 2)
low_rates = st.floats(0.05, 0.05 + MORE_POINTS - 0.001)
results = st.builds(
    lambda rate, **fields: replace(result(rate), **fields),
    rates,
    failed=st.sampled_from([0, 0, 0, 1]),
    without_text=st.sampled_from([0, 0, 1, 2]),
    digest=st.sampled_from(["same", "other"]),
    reference=st.sampled_from([WORDS, WORDS, 0]),
)
USUAL = [GOOD] * LEAST_USUAL
WORSE = [result(0.3)] * WORSE_IN_A_ROW


@given(st.lists(low_rates, max_size=40))
def test_noise_of_less_than_ten_points_is_never_a_regression(drawn: list[float]) -> None:
    assert judged(list(map(result, drawn))) is None


@given(st.lists(rates, max_size=LEAST_USUAL + WORSE_IN_A_ROW - 1))
def test_too_few_results_are_never_a_regression(drawn: list[float]) -> None:
    assert judged(list(map(result, drawn))) is None


@given(st.lists(low_rates, min_size=LEAST_USUAL, max_size=40), st.floats(0.4, 2), low_rates)
def test_much_worse_three_times_is_one_until_a_usual_result(
    before: list[float], worse: float, after: float
) -> None:
    first = list(map(result, before))
    for count in range(1, 2 * WORSE_IN_A_ROW):
        reason = judged([*first, *[result(worse)] * count])
        assert (reason is not None) == (count >= WORSE_IN_A_ROW)
    assert judged([*first, *[result(worse)] * 9, result(after)]) is None


@given(st.lists(results, max_size=30))
def test_what_failed_or_has_no_words_changes_nothing(drawn: list[CanaryResult]) -> None:
    placed = [
        replace(each, measured_at=START + timedelta(seconds=number))
        for number, each in enumerate(drawn)
    ]
    kept = [each for each in placed if not each.failed and each.reference]
    now = START + timedelta(seconds=len(drawn))
    assert why_regressed(placed, now, INTERVAL_S) == why_regressed(kept, now, INTERVAL_S)


@given(st.lists(results.filter(lambda each: not each.failed), max_size=30))
def test_other_recordings_are_not_compared(drawn: list[CanaryResult]) -> None:
    spoken = [replace(each, without_text=0) for each in drawn if each.reference]
    if spoken:
        newest = spoken[-1].digest
        same = [each for each in spoken if each.digest == newest]
        assert judged(spoken) == judged(same)


def test_a_rate_that_was_high_must_grow_by_more_than_half_of_it() -> None:
    usual = [result(0.6)] * LEAST_USUAL
    assert judged([*usual, *[result(0.89)] * WORSE_IN_A_ROW]) is None
    assert judged([*usual, *[result(0.91)] * WORSE_IN_A_ROW]) is not None


def test_the_reason_has_both_rates() -> None:
    assert judged([*USUAL, *WORSE]) == (
        "its word error rate is 30.0%, and was 5.0% before, 3 times in a row"
    )


def test_a_regression_does_not_become_usual_by_lasting() -> None:
    assert judged([*USUAL, *WORSE * 20]) is not None


def test_no_words_for_speech_twice_is_one_without_anything_before() -> None:
    silent = replace(result(1.0), without_text=2)
    assert judged([silent] * (SILENT_IN_A_ROW - 1)) is None
    assert judged([silent] * SILENT_IN_A_ROW) is not None
    assert judged([silent, replace(silent, without_text=1)]) is None
    assert judged([silent, silent, GOOD]) is None


def test_what_is_not_confirmed_ends() -> None:
    within_s = CONFIRMED_WITHIN * INTERVAL_S
    assert judged([*USUAL, *WORSE], later_s=within_s) is not None
    assert judged([*USUAL, *WORSE], later_s=within_s + 1) is None
