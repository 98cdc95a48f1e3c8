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
    """The text of a recording. `voxgate` is the checkpoint that was used.

    `structured` is the data by the schema of the request: null where it was cut off, which its
    finish reason says.
    """

    text: str
    model: str
    usage: Usage
    language: Text | None = UNSET
    source_language: Text = UNSET
    language_probability: Number = UNSET
    voxgate: dict[str, str] | UnsetType = UNSET
    structured: Any = UNSET
    structured_finish_reason: Literal["stop", "length"] | UnsetType = UNSET
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


class Health(Closed):
    """Whether the server takes work."""

    status: Literal["ok", "stopping", "ledger_failed"]
    version: str
