"""`ProviderPreferences`: `provider` on the wire, and what it means (openrouter-api.md 6.1).

A member of `sort`, `max_price` and the thresholds that is not known is refused: an ignored limit
would limit nothing.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Annotated, Any, Literal, Protocol, TypeAlias

from pydantic import BeforeValidator, ConfigDict, Field, WithJsonSchema

from voxgate.api.dialects.wire_types import WireModel, WireName, to_list
from voxgate.routing.preferences import (
    MaxPrice,
    Partition,
    Preferences,
    SortKey,
    Thresholds,
    agreed_sort,
    split_suffix,
)
from voxgate.upstreams import Precision  # noqa: TC001 (pydantic evaluates it)

Dollars: TypeAlias = Annotated[Decimal, Field(ge=0, le=10**6)]
Bound: TypeAlias = Annotated[float, Field(ge=0, allow_inf_nan=False)]
Slugs: TypeAlias = Annotated[list[WireName], BeforeValidator(to_list), Field(max_length=100)]


class WireSort(WireModel):
    """What endpoints are sorted by, and whether those of several models are sorted together."""

    model_config = ConfigDict(extra="forbid")

    by: SortKey
    partition: Partition = "model"


class WireMaxPrice(WireModel):
    """The most dollars that an endpoint may cost."""

    model_config = ConfigDict(extra="forbid")

    audio: Dollars | None = Field(None, description="A minute of sound.")
    request: Dollars | None = None
    completion: Dollars | None = Field(None, description="A million tokens.")


class WireThresholds(WireModel):
    """A bound for each percentile of a figure."""

    model_config = ConfigDict(extra="forbid")

    p50: Bound | None = None
    p75: Bound | None = None
    p90: Bound | None = None
    p99: Bound | None = None

    @property
    def canonical(self) -> Thresholds:
        """The same in canonical values."""
        return Thresholds(self.p50, self.p75, self.p90, self.p99)


def _sort_object(value: Any) -> Any:
    return {"by": value} if isinstance(value, str) else value


def _thresholds_object(value: Any) -> Any:
    is_number = isinstance(value, (str, int, float)) and not isinstance(value, bool)
    return {"p50": value} if is_number else value


_SORT_SCHEMA = WireSort.model_json_schema()
_THRESHOLDS_SCHEMA = WireThresholds.model_json_schema()
Sort: TypeAlias = Annotated[
    WireSort,
    BeforeValidator(_sort_object),
    WithJsonSchema({"anyOf": [_SORT_SCHEMA["properties"]["by"], _SORT_SCHEMA]}),
]
Threshold: TypeAlias = Annotated[
    WireThresholds,
    BeforeValidator(_thresholds_object),
    WithJsonSchema({"anyOf": [{"type": "number", "minimum": 0}, _THRESHOLDS_SCHEMA]}),
]


class ProviderPreferences(WireModel):
    """Which endpoints may serve the request, and which of them first.

    A provider's name stands for all its endpoints; `local` is this server, which keeps nothing.
    """

    options: dict[str, dict[str, Any]] | None = None
    order: Slugs | None = Field(None, description="Those that come first; then the others.")
    only: Slugs | None = Field(None, description="All that may serve the request.")
    ignore: Slugs | None = Field(None, description="Those that may not.")
    allow_fallbacks: bool | None = Field(None, description="False: one endpoint, and no other.")
    sort: Sort | None = Field(None, description="Without it the cheaper come first more often.")
    max_price: WireMaxPrice | None = None
    zdr: bool | None = Field(None, description="Only endpoints that keep nothing at all.")
    data_collection: Literal["allow", "deny"] | None = Field(
        None, description="`deny`: only endpoints whose providers collect no data."
    )
    quantizations: Annotated[list[Precision], BeforeValidator(to_list)] | None = Field(
        None, description="The precisions that the model's weights may have."
    )
    require_parameters: bool | None = Field(
        None, description="Refuse the request where a hint would not be used."
    )
    preferred_min_throughput: Threshold | None = Field(
        None, description="Seconds of sound in a second; slower endpoints come last."
    )
    preferred_max_latency: Threshold | None = Field(
        None, description="Seconds; slower endpoints come last."
    )


class RoutedRequest(Protocol):
    """What a request on the wire says of models and endpoints."""

    @property
    def model(self) -> str:
        """The model's name."""

    @property
    def models(self) -> list[str] | None:
        """Those that are tried after it."""

    @property
    def provider(self) -> ProviderPreferences | None:
        """Preferences."""

    @property
    def hedge(self) -> bool | None:
        """Whether a second endpoint is asked where the first is slow."""


def preferences_of(request: RoutedRequest) -> tuple[str, Preferences]:
    """Return the model's name without a suffix, and the preferences of a request.

    Raises `UsageError` where a suffix and `provider.sort` contradict each other.
    """
    given = request.provider or ProviderPreferences.model_validate({})
    sort = given.sort.by if given.sort else None
    models = list[str]()
    for name in (request.model, *(request.models or ())):
        model, suffix = split_suffix(name)
        sort = agreed_sort(name, suffix, sort)
        models.append(model)
    most = given.max_price or WireMaxPrice.model_validate({})
    throughput, latency = given.preferred_min_throughput, given.preferred_max_latency
    return models[0], Preferences(
        order=tuple(given.order or ()),
        only=tuple(given.only or ()),
        ignore=tuple(given.ignore or ()),
        allow_fallbacks=given.allow_fallbacks is not False,
        sort=sort,
        partition=given.sort.partition if given.sort else "model",
        max_price=MaxPrice(most.audio, most.request, most.completion),
        require_parameters=bool(given.require_parameters),
        data_collection=given.data_collection or "allow",
        zdr=bool(given.zdr),
        quantizations=tuple(given.quantizations or ()),
        preferred_min_throughput=throughput.canonical if throughput else None,
        preferred_max_latency=latency.canonical if latency else None,
        models=tuple(dict.fromkeys(models[1:])),
        hedge=bool(request.hedge),
    )
