"""What `voxgate providers list` tells: facts in JSON, and rows of a table."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from voxgate.cli.model_facts import endpoint_facts, languages_text
from voxgate.models.available import AvailableModels
from voxgate.models.elsewhere import is_reachable
from voxgate.providers.upstream.keys import why_missing

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.prices import Price
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint, Upstream

PROVIDER_HEADINGS = ("provider", "kind", "address", "keys", "limits", "policy")
ENDPOINT_HEADINGS = (
    *("provider", "model", "there", "price", "times", "languages", "longest window"),
)
LEFT_OUT = "left out: Voxgate must stay offline"


def priced_endpoints(settings: Settings) -> dict[Endpoint, Price | None]:
    """Return the listed endpoints, each with what callers pay for it now."""
    models = AvailableModels(settings)
    prices, now = models.prices(), datetime.now(UTC)
    return {
        each: prices.find(models.own_name(each.model), now, each.upstream.name)
        for each in settings.endpoints.entries
    }


def provider_facts(
    upstream: Upstream, priced: Mapping[Endpoint, Price | None], settings: Settings
) -> dict[str, Any]:
    """Return the fields of a provider with those of its endpoints. Keys have no values here."""
    return {
        "name": upstream.name,
        "kind": upstream.kind,
        "url": upstream.url,
        "used": is_reachable(upstream, settings),
        "keys": [{"place": each, "missing": why_missing(each)} for each in upstream.keys],
        "max_bytes": upstream.max_bytes,
        "max_s": upstream.max_s,
        "formats": list(upstream.formats),
        "concurrency": upstream.concurrency,
        "patience_s": upstream.patience_s,
        **upstream.policy,
        "endpoints": [
            {**endpoint_facts(endpoint), "price": price.record() if price else None}
            for endpoint, price in priced.items()
            if endpoint.upstream == upstream
        ],
    }


def provider_row(provider: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of `PROVIDER_HEADINGS` for a provider's facts."""
    return (
        provider["name"],
        provider["kind"],
        provider["url"] if provider["used"] else f"{provider['url']} ({LEFT_OUT})",
        "; ".join(map(_key, provider["keys"])) or "none",
        _limits(provider),
        f"data_collection {provider['data_collection']}{', zdr' * provider['zdr']}",
    )


def endpoint_rows(provider: dict[str, Any]) -> list[tuple[str, ...]]:
    """Return a row of `ENDPOINT_HEADINGS` for each endpoint of a provider."""
    return [
        (
            provider["name"],
            endpoint["model"],
            endpoint["upstream_model"],
            price_text(endpoint["price"]),
            *_abilities(endpoint),
        )
        for endpoint in provider["endpoints"]
    ]


def _abilities(endpoint: dict[str, Any]) -> tuple[str, str, str]:
    """Return the last cells of an endpoint, which one that only answers has not."""
    if not endpoint["transcribes"]:
        return "answers questions", "", ""
    window = f"{endpoint['window_s']:g} s"
    return endpoint["times"], languages_text(endpoint["languages"]), window


def price_text(price: dict[str, str] | None) -> str:
    """Return a price as `voxgate.toml` has it; a model without one costs callers nothing."""
    return f"{price['amount']}/{price['unit']}" if price else "none"


def _key(key: dict[str, str | None]) -> str:
    found = f"missing: {key['missing']}" if key["missing"] else "there"
    return f"{key['place']} is {found}"


def _limits(provider: dict[str, Any]) -> str:
    megabytes = provider["max_bytes"] / 2**20
    return f"{megabytes:.0f} MiB, {provider['max_s']:g} s; {provider['concurrency']} at once"
