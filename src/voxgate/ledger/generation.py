"""`Generation`: what is recorded of one request for a transcript or an answer; `Outcome`: its end.

A generation contains neither the speech, nor its text, nor the name of the file.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal, NamedTuple

from voxgate.ledger.budget import Amount
from voxgate.ledger.columns import utc_now

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One attempt of a provider."""

    provider: str
    status: int
    """The HTTP status that a response with this outcome has."""

    latency_ms: int
    error: str | None = None
    """The code of the error; None for a success."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One request for a transcript or an answer. Times are UTC. Long texts are clipped."""

    id: str
    key_hash: str | None
    """The hash of the request's key; None where the server required no keys."""

    model: str
    provider: str | None = None
    created_at: datetime = field(default_factory=utc_now)
    finished_at: datetime | None = None
    status: int | None = None
    """The HTTP status; None until the generation finishes, and if the server is killed before."""

    error_code: str | None = None
    error_message: str | None = None
    audio_seconds: float | None = None
    """The length of the decoded sound."""

    cost_nanodollars: int = 0
    latency_ms: int | None = None
    generation_time_ms: int | None = None
    cancelled: bool = False
    attempts: tuple[RecordedAttempt, ...] = ()
    user_agent: str | None = None
    http_referer: str | None = None
    app_title: str | None = None
    session_id: str | None = None
    external_user: str | None = None
    revision: str | None = None
    """The revision of the model's checkpoint; None where it has none."""

    profile: str | None = None
    """The profile of the engine, such as `balanced`."""

    streamed: bool = False
    """Whether the first of its callers read it while it was made."""

    requested_model: str | None = None
    """The model's name as the caller gave it: an alias, or that of `model`."""

    dialect: str | None = None
    """Whose API the request was made in, such as `openai`."""

    app_categories: str | None = None
    audio_samples: int | None = None
    """The length of the decoded sound, in samples at 16 kHz."""

    tokens: int | None = None
    """What the model wrote for the text that was delivered, where it counts tokens."""

    first_text_ms: int | None = None
    """The time to the first final words."""

    price: Mapping[str, str] | None = None
    """The `Price` at its beginning, as `Price.record` gives it; None where there was none."""

    reserved_nanodollars: int = 0
    reserved_samples: int = 0
    delivered_samples: int = 0
    """The sound whose text a caller was sent, where it is sent while it is made."""

    lease_until: datetime | None = None
    """None for one that has ended."""

    delivered_tokens: int = 0
    """The tokens of that text, where the model counts them."""

    api_type: str | None = None
    """`completions` for an answer; None for a transcript."""

    prompt_tokens: int | None = None
    """Of an answer, those of the question, with its sound."""

    finish_reason: str | None = None
    """Why an answer ended: `stop` or `length`."""


class Delivered(NamedTuple):
    """What of a generation a caller was sent, where it is sent while it is made."""

    samples: int
    tokens: int


@dataclass(frozen=True, slots=True)
class AnsweredBy:
    """Who recognised most of a recording."""

    provider: str
    model: str
    revision: str | None = None
    profile: str | None = None


@dataclass(frozen=True, slots=True)
class Met:
    """How a caller met the model that was asked first; `saved` is answered, too.

    `saved`: its first endpoint failed at a part of the recording, and another one did that part.
    """

    model: str
    answer: Literal["answered", "saved", "unavailable"]


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a generation ended."""

    status: int
    latency_ms: int
    generation_time_ms: int | None = None
    error_code: str | None = None
    error_message: str | None = None
    audio_samples: int | None = None
    tokens: int | None = None
    prompt_tokens: int | None = None
    finish_reason: str | None = None
    first_text_ms: int | None = None
    cost: Amount = field(default_factory=Amount)
    """What it is charged with; of the budget's sound, too."""

    cancelled: bool = False
    answered_by: AnsweredBy | None = None
    """None: who was to answer when it began."""

    attempts: Sequence[RecordedAttempt] = ()
    met: Met | None = None
    """None where it says nothing of a model: its caller was at fault, or left."""

    transcript: bytes | None = field(default=None, repr=False)
    """The text, as `TranscriptCipher.seal` gives it, for a key that keeps transcripts."""
