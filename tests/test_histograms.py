"""Percentiles of counted values are near those of the values themselves."""

from math import ceil

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.histograms import ERROR, LARGEST, SMALLEST, bucket, percentiles

VALUES = st.floats(min_value=SMALLEST, max_value=LARGEST)


def counted(values: list[float]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for value in values:
        counts[bucket(value)] = counts.get(bucket(value), 0) + 1
    return counts


@given(st.lists(VALUES, min_size=1, max_size=300))
def test_a_percentile_is_off_by_the_stated_error_at_most(values: list[float]) -> None:
    found = percentiles(counted(values))
    assert found
    for q in (50, 75, 90, 99):
        exact = sorted(values)[ceil(len(values) * q / 100) - 1]
        assert abs(getattr(found, f"p{q}") - exact) <= exact * (ERROR + 1e-9)


def test_the_error_is_below_five_percent() -> None:
    assert ERROR < 0.05


def test_of_nothing_there_are_no_percentiles() -> None:
    assert percentiles({}) is None


@given(VALUES, VALUES)
def test_buckets_keep_the_order(one: float, other: float) -> None:
    less, more = sorted((one, other))
    assert bucket(less) <= bucket(more)


@pytest.mark.parametrize("value", [-1.0, 0.0, SMALLEST / 2])
def test_what_is_too_small_counts_as_the_smallest(value: float) -> None:
    assert bucket(value) == bucket(SMALLEST)


@pytest.mark.parametrize("value", [LARGEST * 2, float("inf")])
def test_what_is_too_large_counts_as_the_largest(value: float) -> None:
    assert bucket(value) == bucket(LARGEST)
