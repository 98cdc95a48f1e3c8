"""The objects of `/generation` and `/activity`, for the OpenAPI alone: see `schemas`."""

from __future__ import annotations

from typing import Any, Literal

from msgspec import UNSET, Struct

from voxgate.api.openapi.schemas import Closed, Text


class Attempt(Closed):
    """One attempt of a provider."""

    endpoint_id: str
    model_permaslug: str
    status: int | None
    provider_name: str
    latency: float | None
    is_byok: bool
    error_code: str | None


class Generation(Struct):
    """The outcome of a request. OpenRouter's other fields are null here."""

    id: str
    api_type: Literal["stt", "completions"]
    created_at: str
    model: str
    provider_name: str | None
    usage: float
    total_cost: float
    latency: float | None
    generation_time: float | None
    streamed: bool
    cancelled: bool
    tokens_prompt: int | None
    native_tokens_prompt: int | None
    finish_reason: str | None
    tokens_completion: int | None
    native_tokens_completion: int | None
    workspace_id: str | None
    provider_responses: list[Attempt]
    status: int | None
    error_code: str | None
    audio_seconds: float | None
    voxgate: dict[str, str | None]


class WrappedGeneration(Closed):
    """The outcome of a request."""

    data: Generation


class ContentInput(Closed):
    """What was sent, of which nothing is kept."""

    messages: list[Any]


class ContentOutput(Closed):
    """The text of a transcript."""

    completion: str
    reasoning: None


class ContentAttempt(Closed):
    """An attempt that failed."""

    code: int
    message: str
    provider_name: str | None
    raw: None


class ContentError(Closed):
    """How a request failed, of which a part was sent before."""

    status: int
    message: str | None
    provider_name: str | None
    raw: None
    previous_errors: list[ContentAttempt]


class Content(Closed):
    """What is kept of a request."""

    input: ContentInput
    output: ContentOutput
    error: ContentError | None


class WrappedContent(Closed):
    """What is kept of a request."""

    data: Content


class ActivityItem(Closed):
    """A day of an endpoint, as OpenRouter describes it."""

    date: str
    model: str
    model_permaslug: str
    endpoint_id: str
    provider_name: str
    requests: int
    usage: float
    byok_usage_inference: float
    prompt_tokens: int
    completion_tokens: int
    reasoning_tokens: int
    cached_tokens: int


class ActivityList(Closed):
    """The last 30 completed days, by model and endpoint."""

    data: list[ActivityItem]


class SpeedPercentiles(Closed):
    """What 50, 75, 90 and 99 of 100 successes do not exceed; off by 5 % at most."""

    p50: float
    p75: float
    p90: float
    p99: float


class ActivitySums(Closed):
    """Sums of requests. `cost` is in US dollars, the real-time factor in seconds a second."""

    requests: int
    failures: int
    audio_seconds: float
    cost: float
    tokens: int
    latency_ms: SpeedPercentiles | None
    real_time_factor: SpeedPercentiles | None


class ActivityGroup(ActivitySums, kw_only=True):
    """The sums of one group, with what it was grouped by; null where a request had none."""

    day: Text = UNSET
    hour: Text = UNSET
    model: Text = UNSET
    api_key_hash: Text | None = UNSET
    key: Text | None = UNSET
    app: Text | None = UNSET
    provider: Text | None = UNSET
    label: Text | None = UNSET


class Activity(Closed):
    """Sums by group, and of all groups. `partial_day` is a day of them that is not over."""

    object: Literal["list"]
    since: str
    until: str
    group_by: list[Literal["day", "hour", "model", "key", "label", "app", "provider"]]
    partial_day: str | None
    data: list[ActivityGroup]
    total: ActivitySums
