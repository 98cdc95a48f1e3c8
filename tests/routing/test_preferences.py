"""What a suffix means, and when a price or a figure is beyond what a caller wants."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.failures import raises
from voxgate.histograms import Percentiles
from voxgate.prices import Price
from voxgate.routing.preferences import MaxPrice, Thresholds, agreed_sort, split_suffix

WHISPER = "openai/whisper-base"


@pytest.mark.parametrize(
    ("name", "split"),
    [
        (WHISPER, (WHISPER, None)),
        (f"{WHISPER}:floor", (WHISPER, "price")),
        (f"{WHISPER}:Nitro", (WHISPER, "throughput")),
        (f"{WHISPER}:free", (f"{WHISPER}:free", None)),
        (":floor", (":floor", None)),
    ],
)
def test_a_suffix_is_no_part_of_the_name(name: str, split: tuple[str, str | None]) -> None:
    assert split_suffix(name) == split


def test_a_suffix_and_a_sort_may_not_contradict_each_other() -> None:
    assert agreed_sort(WHISPER, None, None) is None
    assert agreed_sort(WHISPER, "price", None) == agreed_sort(WHISPER, "price", "price") == "price"
    assert agreed_sort(WHISPER, None, "latency") == "latency"
    with raises("invalid_request", match=r"by price, and 'provider\.sort' by latency"):
        agreed_sort(f"{WHISPER}:floor", "price", "latency")


@pytest.mark.parametrize(
    ("price", "most", "dearer"),
    [
        (Price(Decimal("0.006"), "minute"), MaxPrice(minute=Decimal("0.006")), None),
        (
            Price(Decimal("0.006"), "minute"),
            MaxPrice(minute=Decimal("0.005")),
            "it costs $0.006 a minute of sound, and 'provider.max_price.audio' is $0.005",
        ),
        (Price(Decimal("0.36"), "hour"), MaxPrice(minute=Decimal("0.006")), None),
        (
            Price(Decimal("0.0002"), "second"),
            MaxPrice(minute=Decimal("0.01")),
            "it costs $0.012 a minute of sound, and 'provider.max_price.audio' is $0.01",
        ),
        (
            Price(Decimal("0.0001"), "second", increment_s=Decimal(100)),
            MaxPrice(minute=Decimal("0.006")),
            "it costs $0.01 a minute of sound, and 'provider.max_price.audio' is $0.006",
        ),
        (Price(Decimal(1), "request"), MaxPrice(minute=Decimal("0.01")), None),
        (
            Price(Decimal("0.02"), "request"),
            MaxPrice(request=Decimal("0.01")),
            "it costs $0.02 a request, and 'provider.max_price.request' is $0.01",
        ),
        (Price(Decimal("0.006"), "minute"), MaxPrice(request=Decimal(0)), None),
        (Price(Decimal(2), "million tokens"), MaxPrice(million_tokens=Decimal(2)), None),
        (
            Price(Decimal("0.000003"), "token"),
            MaxPrice(million_tokens=Decimal(2)),
            "it costs $3 a million tokens, and 'provider.max_price.completion' is $2",
        ),
        (  # at most 1200 tokens in a minute
            Price(Decimal(10), "million tokens"),
            MaxPrice(minute=Decimal("0.01")),
            "it costs $0.012 a minute of sound, and 'provider.max_price.audio' is $0.01",
        ),
        (None, MaxPrice(Decimal(0), Decimal(0), Decimal(0)), None),
    ],
)
def test_a_price_is_compared_in_its_own_unit(
    price: Price | None, most: MaxPrice, dearer: str | None
) -> None:
    assert most.why_dearer(price) == dearer


def test_each_percentile_has_a_bound_of_its_own() -> None:
    figure = Percentiles(1.0, 2.0, 3.0, 4.0)
    assert not Thresholds().exceeded_by(figure)
    assert not Thresholds(p50=1.0, p99=4.0).exceeded_by(figure)
    assert Thresholds(p50=1.0, p99=3.9).exceeded_by(figure)
    assert not Thresholds(p50=1.0, p99=4.0).undercut_by(figure)
    assert Thresholds(p90=3.1).undercut_by(figure)
