"""`endpoint_cards`: what serves a model, and `provider_cards`: who, as clients are told of it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.api.endpoint_figures import endpoint_figures, own_figures
from voxgate.api.generation_record import PROVIDER_NAME
from voxgate.api.model_card import (
    checkpoint,
    price_now,
    pricing,
    providers_of,
    supported_parameters,
)
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.models.precision import UNKNOWN_PRECISION, precision_of
from voxgate.routing.candidate import local_slug
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.canaries.book import CanaryBook
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.prices import PriceList
    from voxgate.routing.health import HealthBook
    from voxgate.upstreams import Endpoint, Upstream

OWN_POLICY = {"data_collection": "deny", "zdr": True}
"""Of this server: it keeps what a caller's key asks for, and nothing of a request with `zdr`."""

NOTHING_PUBLISHED: dict[str, None] = dict.fromkeys(
    (
        *("privacy_policy_url", "terms_of_service_url", "status_page_url"),
        *("headquarters", "datacenters"),
    )
)


@dataclass(frozen=True, slots=True)
class _Described:
    """What differs between endpoints."""

    provider: str  # its slug
    name: str  # of the provider, for people
    slug: str
    tag: str  # the shortest slug that names it
    capabilities: Capabilities
    quantization: str
    facts: dict[str, Any]  # Voxgate's own


def endpoint_cards(
    spec: ModelSpec,
    prices: PriceList,
    health: HealthBook,
    canaries: CanaryBook,
) -> list[dict[str, Any]]:
    """Return the endpoints of a model, here and elsewhere, as OpenRouter describes its own."""
    described = [_elsewhere(each) for each in spec.endpoints]
    if LOCAL in providers_of(spec):
        described.insert(0, _here(spec))
    return [
        {
            "name": f"{each.name} | {spec.name}",
            "model_id": spec.name,
            "model_name": spec.title,
            "provider_name": each.name,
            "tag": each.tag,
            "context_length": 0,
            "max_completion_tokens": None,
            "max_prompt_tokens": None,
            "pricing": {**pricing(price_now(spec, prices, each.provider)), "discount": 0},
            "quantization": each.quantization,
            "supported_parameters": supported_parameters(each.capabilities),
            "status": 0,
            **endpoint_figures(health.summary(each.slug)),
            "voxgate": {
                **each.facts,
                **own_figures(health.summary(each.slug)),
                "canary": canaries.facts(each.slug),
            },
            "supports_implicit_caching": False,
            "supports_diarization": each.capabilities.speakers,
            "native_tools": {},
            "service_tier": None,
            "supports_tool_choice": {
                "auto": False,
                "function": False,
                "none": False,
                "required": False,
            },
        }
        for each in described
    ]


def provider_cards(upstreams: Iterable[Upstream]) -> list[dict[str, Any]]:
    """Return who serves models: this server, and providers elsewhere, as OpenRouter lists them."""
    own = {"name": PROVIDER_NAME, "slug": LOCAL, **NOTHING_PUBLISHED, "voxgate": OWN_POLICY}
    others = (
        {"name": each.name, "slug": each.name, **NOTHING_PUBLISHED, "voxgate": each.policy}
        for each in upstreams
    )
    return [own, *others]


def _here(spec: ModelSpec) -> _Described:
    return _Described(
        provider=LOCAL,
        name=PROVIDER_NAME,
        tag=LOCAL,
        slug=local_slug(spec.name),
        capabilities=spec.capabilities,
        quantization=precision_of(spec),
        facts={**checkpoint(spec), **OWN_POLICY},
    )


def _elsewhere(endpoint: Endpoint) -> _Described:
    able = capabilities_of(endpoint)
    return _Described(
        provider=endpoint.upstream.name,
        name=endpoint.upstream.name,
        slug=endpoint.slug,
        tag=endpoint.slug,
        capabilities=able,
        quantization=endpoint.quantization or UNKNOWN_PRECISION,
        facts={
            "languages": list(able.languages),
            "times": able.times,
            "translates": able.translates,
            "vocabulary": able.vocabulary,
            **endpoint.upstream.policy,
        },
    )
