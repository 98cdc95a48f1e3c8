"""What a model's endpoints show at one moment: prices, health, canaries."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from voxgate.models.catalogue import BUILT_IN_MODELS, DEFAULT_MODEL
from voxgate.prices import ListedPrice, Price, PriceList
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt, Ending
from voxgate.upstreams import Endpoint, Upstream
from voxgate.web.models.endpoint_rows import EndpointBooks
from voxgate.web.models.model_rows import ModelRow

FAR = Upstream("far", "compatible", "https://far.example/v1")
SPEC = replace(
    BUILT_IN_MODELS[DEFAULT_MODEL],
    distributions=(),
    endpoints=(Endpoint(DEFAULT_MODEL, FAR, "base"),),
)
DAY = datetime(2026, 11, 30, tzinfo=UTC)


def books(health: HealthBook, **rates: float) -> EndpointBooks:
    prices = PriceList(
        (
            ListedPrice(DEFAULT_MODEL, Price(Decimal(1), "hour"), date(2026, 1, 1), "far"),
            ListedPrice(DEFAULT_MODEL, Price(Decimal(2), "hour"), date(2026, 11, 30), "far"),
            ListedPrice(DEFAULT_MODEL, Price(Decimal(3), "hour"), date(2026, 12, 1), "far"),
        )
    )
    return EndpointBooks(prices.at(DAY), health, rates)


def test_what_nobody_asked_has_no_figures() -> None:
    here, far = books(HealthBook()).rows(SPEC)
    assert (here.slug, here.is_local, here.price) == ("local", True, None)
    assert (far.slug, far.is_local) == ("far/base", False)
    assert far.price == Price(Decimal(2), "hour")  # of this day
    for row in (here, far):
        figures = row.latency_s, row.first_text_s, row.speed, row.uptime, row.word_error_rate
        assert figures == (None,) * 5


def test_a_model_has_the_best_of_its_endpoints() -> None:
    health = HealthBook()
    for number in range(30):
        ending: Ending = "failed" if number % 10 == 9 else "succeeded"
        health.record("far/base", EndedAttempt(ending, 2.0, 30.0, 1.0))
        health.record(f"local/{DEFAULT_MODEL}", EndedAttempt("succeeded", 10.0, 30.0))
    health.regressed = {"far/base"}
    rates = {"far/base": 0.1, f"local/{DEFAULT_MODEL}": 0.05}
    row = ModelRow.of(SPEC, books(health, **rates))
    here, far = row.endpoints
    assert (here.uptime, far.uptime) == (100, 90)
    assert (here.regressed, far.regressed) == (False, True)
    assert far.first_text_s == pytest.approx(1, rel=0.05)
    assert here.first_text_s is None
    assert row.speed == far.speed == pytest.approx(15, rel=0.05)
    assert row.latency_s == far.latency_s == pytest.approx(2, rel=0.05)
    assert (row.uptime, row.word_error_rate) == (100, 0.05)
    assert row.price_text == "free here"
