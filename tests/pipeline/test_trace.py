"""Stage times: sums, unions, and constant memory."""

from __future__ import annotations

import tracemalloc

import pytest

from voxgate.pipeline.trace import StageTimes


def test_what_overlaps_counts_once() -> None:
    spans = StageTimes()
    with spans.measure("decode"):
        with spans.measure("provider"):
            alone = sum(range(10_000))
        both = sum(range(10_000))
    with spans.measure("provider"):
        assert alone == both
    decode, provider = spans.seconds("decode"), spans.seconds("provider")
    assert 0 < decode < spans.seconds("decode", "provider") < decode + provider
    assert spans.seconds() == spans.seconds("render") == 0
    assert spans.names == ("provider", "decode")


def test_one_stage_under_way_twice_counts_once() -> None:
    spans = StageTimes()
    with spans.measure("provider"), spans.measure("decode"), spans.measure("provider"):
        pass
    assert spans.seconds("provider") == pytest.approx(spans.seconds("provider", "decode"))


def test_a_failure_is_measured_too() -> None:
    spans = StageTimes()
    with pytest.raises(ZeroDivisionError), spans.measure("decode"):
        _ = 1 / 0
    took = spans.seconds("decode")
    assert took > 0
    assert spans.seconds("decode") == took


def test_hours_take_no_more_memory_than_seconds() -> None:
    spans = StageTimes()
    tracemalloc.start()
    for _ in range(10_000):
        with spans.measure("decode"), spans.measure("provider"):
            pass
    held, _ = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert held < 10_000  # bytes: less than one an interval
