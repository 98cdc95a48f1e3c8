"""`ModelChoice`: a model that a visitor may send recordings to, with what its endpoints can do.

The page's scripts get it as JSON: they enable options and estimate prices by it.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, fields
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from voxgate.api.model_card import providers_of
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.routing.candidate import local_slug
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.api.gateway import Gateway
    from voxgate.ledger.key import Key
    from voxgate.models.catalogue import ModelSpec
    from voxgate.prices import CurrentPrices, Price


@dataclass(frozen=True, slots=True)
class EndpointChoice:
    """Who runs a model, and what it can do there."""

    slug: str  # as in `provider.only`
    name: str  # for people
    price: dict[str, float | str] | None  # as `Price` has it, in dollars; None: free
    languages: tuple[str, ...]
    detects_language: bool
    translates: bool
    vocabulary: bool
    prompt: bool


@dataclass(frozen=True, slots=True)
class ModelChoice:
    """A model, by the name that requests have."""

    name: str
    title: str
    endpoints: tuple[EndpointChoice, ...]  # one at least

    @property
    def facts(self) -> dict[str, Any]:
        """The same as JSON."""
        # `asdict` would copy each code of a language: 60 ms for 1000 models.
        endpoints = [
            {field.name: getattr(each, field.name) for field in fields(each)}
            for each in self.endpoints
        ]
        return {"name": self.name, "title": self.title, "endpoints": endpoints}


def model_choice(spec: ModelSpec, prices: CurrentPrices) -> ModelChoice | None:
    """Return a model as a choice; None for one that nobody can have transcribe."""
    able = {each.slug: (each.upstream.name, capabilities_of(each)) for each in spec.endpoints}
    if LOCAL in providers_of(spec):
        able = {local_slug(spec.name): (LOCAL, spec.capabilities), **able}
    times = Counter(provider for provider, _ in able.values())
    endpoints = tuple(
        EndpointChoice(
            slug=slug,
            name=_name(provider) if times[provider] == 1 else slug,
            price=_facts(prices.find(spec.name, provider)),
            languages=capabilities.languages,
            detects_language=capabilities.detects_language or len(capabilities.languages) == 1,
            translates=capabilities.translates,
            vocabulary=capabilities.vocabulary,
            prompt="prompt" in capabilities.options,
        )
        for slug, (provider, capabilities) in able.items()
        if capabilities.transcribes
    )
    return ModelChoice(spec.name, spec.title, endpoints) if endpoints else None


async def model_choices(gateway: Gateway, key: Key | None) -> list[ModelChoice]:
    """Return the models that a key may send recordings to, as far as somebody can serve them."""
    specs: Sequence[ModelSpec] = await gateway.session.list_models()
    if key and key.allowed_models is not None:
        allowed = await gateway.session.own_names(key.allowed_models)
        specs = [spec for spec in specs if spec.name in allowed]
    prices = gateway.settings.prices.at(datetime.now(UTC))
    found = (model_choice(spec, prices) for spec in specs)
    return [choice for choice in found if choice]


def _name(provider: str) -> str:
    return "this server" if provider == LOCAL else provider


def _facts(price: Price | None) -> dict[str, float | str] | None:
    if price is None:
        return None
    return {
        "amount": float(price.amount),
        "unit": price.unit,
        "minimum_s": float(price.minimum_s),
        "increment_s": float(price.increment_s),
    }
