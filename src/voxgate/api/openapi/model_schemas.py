"""The objects of `/models` and `/providers`, for the OpenAPI alone: see `schemas`."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import Struct

from voxgate.api.openapi.schemas import Closed


class Model(Struct):
    """A model, as OpenRouter, OpenAI and Mistral describe theirs, with Voxgate's own facts."""

    id: str
    name: str
    created: int
    description: str
    object: Literal["model"]
    owned_by: str
    architecture: dict[str, Any]
    pricing: dict[str, str]
    supported_parameters: list[str]
    capabilities: dict[str, bool]
    aliases: list[str]
    voxgate: dict[str, Any]


class Links(Closed):
    """The address of the next page, null on the last one."""

    next: str | None


class ModelList(Closed):
    """A page of the models."""

    object: Literal["list"]
    data: list[Model]
    total_count: int
    links: Links


class Count(Closed):
    """A number of models."""

    count: int


class ModelCount(Closed):
    """The number of models."""

    data: Count


class WrappedModel(Closed):
    """A model, as OpenRouter's client reads it."""

    data: Model


class Endpoint(Struct):
    """What serves a model, as OpenRouter describes it."""

    name: str
    model_id: str
    provider_name: str
    tag: str
    quantization: str | None
    supported_parameters: list[str]
    status: int
    voxgate: dict[str, Any]


class ModelEndpoints(Closed):
    """A model, and what serves it: nothing, where it is neither installed nor elsewhere."""

    id: str
    name: str
    created: int
    description: str
    architecture: dict[str, Any]
    endpoints: list[Endpoint]


class Provider(Closed):
    """Who serves models, as OpenRouter describes it."""

    name: str
    slug: str
    privacy_policy_url: str | None
    terms_of_service_url: str | None
    status_page_url: str | None
    headquarters: str | None
    datacenters: list[str] | None
    voxgate: dict[str, Any]


class ProviderList(Closed):
    """Who serves models here."""

    data: list[Provider]


class WrappedEndpoints(Closed):
    """The endpoints of a model."""

    data: ModelEndpoints


class UptimeHour(Closed):
    """An hour of UTC. Percentages are rounded down; null where the hour has too little to say."""

    timestamp: str
    availability: float | None


class UptimeBucket(Closed):
    """An hour, as callers met the model, and as they would have with its first endpoint alone."""

    timestamp: str
    availability: float | None
    availabilityWithoutRouting: float | None  # noqa: N815 (as OpenRouter names it)


class EndpointUptime(Closed):
    """One endpoint of a model: the share of attempts at it that succeeded."""

    endpoint: str
    uptime: float | None
    hourly: list[UptimeHour]


class UptimeFacts(Closed):
    """Voxgate's own: how many recordings another endpoint saved, and each endpoint."""

    saved: int
    endpoints: list[EndpointUptime]


class Uptime(Closed):
    """How a model did in 72 hours: for callers (`availability`), and at its endpoints (`uptime`).

    `hourly` has all hours, `buckets` the last 24.
    """

    availability: float | None
    uptime: float | None
    hourly: list[UptimeHour]
    buckets: list[UptimeBucket]
    voxgate: UptimeFacts


class WrappedUptime(Closed):
    """How a model did, as OpenRouter's model page reads it."""

    data: Uptime
