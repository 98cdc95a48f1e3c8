"""What `provider`, `models` and suffixes on the wire mean, in JSON and in forms."""

from __future__ import annotations

import io
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.parse import parse_request
from voxgate.routing.preferences import MaxPrice, Preferences, Thresholds

if TYPE_CHECKING:
    from voxgate.api.dialects.negotiate import ParsedRequest

EVERYTHING: dict[str, Any] = {
    "order": ["groq", "local"],
    "only": ["groq", "local", "mistral/voxtral-mini"],
    "ignore": ["openai"],
    "allow_fallbacks": False,
    "sort": {"by": "latency", "partition": "none"},
    "max_price": {"audio": "0.004", "request": 0.01, "completion": 2},
    "require_parameters": True,
    "data_collection": "deny",
    "zdr": True,
    "quantizations": ["fp16", "unknown"],
    "preferred_min_throughput": 10,
    "preferred_max_latency": {"p50": 1.5, "p99": 8},
}
MEANT = Preferences(
    order=("groq", "local"),
    only=("groq", "local", "mistral/voxtral-mini"),
    ignore=("openai",),
    allow_fallbacks=False,
    sort="latency",
    partition="none",
    max_price=MaxPrice(Decimal("0.004"), Decimal("0.01"), Decimal(2)),
    require_parameters=True,
    data_collection="deny",
    zdr=True,
    quantizations=("fp16", "unknown"),
    preferred_min_throughput=Thresholds(p50=10),
    preferred_max_latency=Thresholds(p50=1.5, p99=8),
    models=("c/d", "e/f"),
    hedge=True,
)


def parsed(**fields: Any) -> ParsedRequest:
    body = RequestBody({"model": "a/b", **fields}, Upload(io.BytesIO(), 0, ""), "form")
    return parse_request(body)


def test_every_preference_is_parsed() -> None:
    request = parsed(provider=EVERYTHING, models=["c/d", "e/f"], hedge=True)
    assert request.preferences == MEANT
    assert (request.model, request.unused) == ("a/b", ())


def test_a_form_may_have_the_object_as_its_json_and_lists_as_text() -> None:
    text = '{"only": ["local"], "sort": "price", "max_price": {"audio": 0.006}, "zdr": null}'
    assert parsed(provider=text, models="c/d, e/f", hedge="true").preferences == Preferences(
        only=("local",),
        sort="price",
        max_price=MaxPrice(Decimal("0.006")),
        models=("c/d", "e/f"),
        hedge=True,
    )
    assert parsed(provider={"only": "local"}, models='["c/d"]').preferences == Preferences(
        only=("local",), models=("c/d",)
    )
    with raises("invalid_request", match="'provider' is not JSON"):
        parsed(provider='{"only": ')


@pytest.mark.parametrize("provider", [None, {}, dict.fromkeys(EVERYTHING)])
def test_what_is_null_or_left_out_excludes_nothing(provider: dict[str, Any] | None) -> None:
    assert parsed(provider=provider).preferences == Preferences()


def test_suffixes_are_sorts() -> None:
    cheap = parsed(model="a/b:floor", models=["c/d:floor", "e/f"])
    assert (cheap.model, cheap.preferences) == (
        "a/b",
        Preferences(sort="price", models=("c/d", "e/f")),
    )
    assert parsed(model="a/b", models=["c/d:nitro"]).preferences.sort == "throughput"
    with raises("invalid_request", match="sorts endpoints by throughput"):
        parsed(model="a/b:floor", models=["c/d:nitro"])
    with raises("invalid_request", match=r"'provider\.sort'"):
        parsed(model="a/b:floor", provider={"sort": "latency"})


@pytest.mark.parametrize(
    ("provider", "named"),
    [
        ({"order": [7]}, "provider.order.0"),
        ({"only": [""]}, "provider.only.0"),
        ({"sort": "exacto"}, "provider.sort.by"),
        ({"sort": {"by": "price", "how": 1}}, "provider.sort.how"),
        ({"max_price": {"prompt": 1}}, "provider.max_price.prompt"),
        ({"max_price": {"audio": -1}}, "provider.max_price.audio"),
        ({"max_price": {"audio": "NaN"}}, "provider.max_price.audio"),
        ({"max_price": 1}, "provider.max_price"),
        ({"quantizations": ["q4"]}, "provider.quantizations.0"),
        ({"preferred_max_latency": {"p95": 1}}, "provider.preferred_max_latency.p95"),
        ({"preferred_max_latency": True}, "provider.preferred_max_latency"),
        ({"preferred_min_throughput": -1}, "provider.preferred_min_throughput.p50"),
        ({"allow_fallbacks": "perhaps"}, "provider.allow_fallbacks"),
    ],
)
def test_what_is_no_preference_is_refused_by_its_name(provider: dict[str, Any], named: str) -> None:
    with raises("invalid_request", match=f"'{named}'"):
        parsed(provider=provider)


def test_more_models_than_ten_are_refused() -> None:
    with raises("invalid_request", match="'models'"):
        parsed(models=[f"a/{number}" for number in range(11)])
