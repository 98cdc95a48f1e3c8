"""Prices that could not be what callers are charged: at no endpoint, or by tokens nobody counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.errors import SettingsError, VoxgateError
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.prices import ANY_MODEL
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.models.available import AvailableModels
    from voxgate.models.capabilities import Capabilities
    from voxgate.prices import ListedPrice, PriceList


def check_prices(prices: PriceList, models: AvailableModels) -> None:
    """Raise `SettingsError` for a price that could not be charged. They have models' own names.

    It is one at a provider where the model has no endpoint, or one by the token where the model
    counts none. A model that is not here may be any.
    """
    for each in prices.entries:
        if each.model != ANY_MODEL:
            _check_provider(each, models)
        if each.price.by_token:
            for name in models if each.model == ANY_MODEL else (each.model,):
                _check_counts_tokens(each, name, prices, models)


def _check_provider(listed: ListedPrice, models: AvailableModels) -> None:
    endpoints = models.endpoints_of(listed.model)
    if listed.provider not in {None, LOCAL, *(each.upstream.name for each in endpoints)}:
        raise SettingsError(
            f"'prices' has a price for {listed.model} at {listed.provider}, where it has no "
            f"endpoint. Correct the name, or list the endpoint."
        )


def _check_counts_tokens(
    listed: ListedPrice, name: str, prices: PriceList, models: AvailableModels
) -> None:
    own = {
        each.provider
        for each in prices.entries
        if each.model == name and each.valid_from <= listed.valid_from
    }
    for provider, capabilities in _places(name, models):
        is_meant = listed.provider == provider or (listed.provider is None and provider not in own)
        if is_meant and not capabilities.counts_tokens:
            where = "" if provider == LOCAL else f" at {provider}"
            raise SettingsError(
                f"'prices' has a price by the token for {name}{where}, which does not count what "
                f"it writes. Set one by the second, minute, hour or request."
            )


def _places(name: str, models: AvailableModels) -> Iterator[tuple[str, Capabilities]]:
    """Yield where a model is, and what it can do there."""
    try:
        spec = models[name]
    except (KeyError, VoxgateError):
        return
    if spec.loader is not None:
        yield LOCAL, spec.capabilities
    for endpoint in spec.endpoints:
        yield endpoint.upstream.name, capabilities_of(endpoint)
