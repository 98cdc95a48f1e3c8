"""The objects in the server's JSON, for its OpenAPI alone: the classes are never instantiated.

A field that may be missing is `| UnsetType`. No object has other fields than these, unless it says
so, and a docstring is the description that readers of `/docs` see.
"""

from __future__ import annotations

from typing import Any, Literal, TypeAlias

from msgspec import UNSET, Struct, UnsetType

from voxgate.transcript.values import Task, TimeSource  # noqa: TC001 (msgspec evaluates them)

Text: TypeAlias = str | UnsetType
Number: TypeAlias = float | UnsetType


class Closed(Struct, forbid_unknown_fields=True):
    """An object without other fields than its own."""


class ErrorMetadata(Closed):
    """OpenRouter's name of the kind of error, and the stable name of this one."""

    error_type: str
    code: str


class Constraint(Closed):
    """The first field of the request that excludes an endpoint, and how."""

    field: str
    detail: str


class Availability(Closed):
    """Why a model cannot be used."""

    code: Literal[
        "capacity_exhausted",
        "constraint_filtered",
        "model_not_found",
        "no_endpoints",
        "privacy_restricted",
        "temporarily_unavailable",
    ]
    retryable: bool
    requested_models: list[str]
    docs_url: str
    retry_after: int | UnsetType = UNSET
    affected_providers: list[str] | UnsetType = UNSET
    excluded_by: list[str] | UnsetType = UNSET
    constraint: Constraint | UnsetType = UNSET


class ErrorObject(Closed):
    """The status, and a sentence: what happened, to which input, and the next step."""

    code: int
    message: str
    metadata: ErrorMetadata
    availability: Availability | UnsetType = UNSET


class Error(Closed):
    """An error. Vercel's AI SDK gets the fields of Mistral's errors beside it."""

    error: ErrorObject
    object: Literal["error"] | UnsetType = UNSET
    message: Text = UNSET
    type: Text = UNSET
    param: UnsetType | None = UNSET
    code: Text = UNSET


class TextError(Closed):
    """An error as whisper.cpp's server has it: the sentence."""

    error: str


class Usage(Closed):
    """What a transcript took: seconds of sound, US dollars, and tokens where they are charged."""

    type: Literal["duration"]
    seconds: float
    cost: float
    prompt_audio_seconds: int
    output_tokens: int | UnsetType = UNSET


class Warning(Closed):  # noqa: A001 (the name in the schema)
    """A part of the request or of the sound that was not used, or is doubtful."""

    code: str
    sentence: str


class Transcript(Closed):
    """The text of a recording. `voxgate` is the checkpoint that was used."""

    text: str
    model: str
    usage: Usage
    language: Text | None = UNSET
    source_language: Text = UNSET
    language_probability: Number = UNSET
    voxgate: dict[str, str] | UnsetType = UNSET
    warnings: list[Warning] | UnsetType = UNSET


class TimedWord(Closed):
    """A word and its times, in seconds."""

    word: str
    start: float
    end: float
    type: Literal["word"]
    time_source: TimeSource
    confidence: Number = UNSET
    probability: Number = UNSET
    channel: int | UnsetType = UNSET


class TimedSegment(Closed):
    """A segment and its times, in seconds."""

    id: int
    seek: int
    start: float
    end: float
    text: str
    tokens: list[int]
    type: Literal["transcription_segment"]
    time_source: TimeSource
    temperature: float
    confidence: Number = UNSET
    avg_logprob: Number = UNSET
    compression_ratio: Number = UNSET
    no_speech_prob: Number = UNSET
    channel: int | UnsetType = UNSET
    doubtful: Literal[True] | UnsetType = UNSET
    doubt: Text = UNSET
    words: list[TimedWord] | UnsetType = UNSET


class VerboseTranscript(Transcript, kw_only=True):
    """The text of a recording with the times of its segments and, where asked for, its words."""

    task: Task
    duration: float
    segments: list[TimedSegment]
    words: list[TimedWord] | UnsetType = UNSET


class StreamEvent(Closed):
    """A part of a stream. `data` is JSON, or `[DONE]` at the end."""

    data: str
    event: Text = UNSET


class DetectedLanguage(Closed):
    """The language of the first words."""

    detected_language: str
    language_code: str
    confidence: Number = UNSET


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
    api_type: Literal["stt"]
    created_at: str
    model: str
    provider_name: str | None
    usage: float
    total_cost: float
    latency: float | None
    generation_time: float | None
    streamed: bool
    cancelled: bool
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
    group_by: list[Literal["day", "model", "key", "label", "app", "provider"]]
    partial_day: str | None
    data: list[ActivityGroup]
    total: ActivitySums


class KeptFile(Closed):
    """A kept recording."""

    id: str
    object: Literal["file"]
    bytes: int
    created_at: int
    expires_at: int
    filename: str | None
    purpose: Literal["audio"]
    sample_type: str
    source: str
    visibility: Literal["user"]
    mimetype: Text = UNSET
    deleted: bool | UnsetType = UNSET


class FileList(Closed):
    """A page of the kept recordings, the newest first."""

    object: Literal["list"]
    data: list[KeptFile]
    total: int | UnsetType = UNSET


class DeletedFile(Closed):
    """A recording that is no longer kept."""

    id: str
    object: Literal["file"]
    deleted: Literal[True]


class SignedAddress(Closed):
    """An address of a kept recording that needs no key."""

    url: str


class Health(Closed):
    """Whether the server takes work."""

    status: Literal["ok", "stopping", "ledger_failed"]
    version: str
