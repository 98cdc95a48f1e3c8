"""Every failure that a user can meet: its code, its HTTP status, and whether a retry can help.

The message of an error is a sentence for the user: what happened, to which input, and the next
step. The command line prints it. The server returns it in an error body; of a failure that is the
server's own, which may name a folder, a host or a user of its machine, callers are told a general
sentence (`public_sentence`), and the log has the error's own. Catchers add nothing.

`CODES` lists every code. A class exists only where it is caught by type; any other failure is raised
as the nearest class, with its code: `AudioError("…", code="audio_too_long")`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Literal, NamedTuple, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Sequence

# fmt: off
Code: TypeAlias = Literal[  # the stable names of failures, for programs
    "internal_error", "abandoned", "interrupted", "invalid_audio", "unreadable_audio", "not_audio",
    "no_sound_track", "empty_audio", "truncated_audio", "audio_too_long", "audio_too_large",
    "decoder_died", "decoder_killed", "decoder_too_slow", "invalid_request", "unsupported_option",
    "unsupported_language", "unsupported_schema", "context_exceeded", "unknown_format", "not_built", "url_refused", "fetch_failed",
    "model_not_found", "authentication",
    "budget_exceeded", "permission_denied", "offline", "not_found", "request_timeout", "payload_too_large",
    "unsupported_media_type", "rate_limit_exceeded", "model_loading", "shutting_down",
    "too_many_connections", "server_failed", "ledger_failed", "invalid_settings", "spool_full", "output_failed",
    "disk_full", "registry_failed", "model_in_use", "invalid_bundle", "hub_failed",
    "hub_access_denied", "repository_not_found", "wrong_content", "engine_error", "engine_died",
    "engine_stalled", "engine_busy", "engine_closed", "engine_refused", "engine_start_failed",
    "no_endpoints", "invalid_checkpoint", "checkpoint_changed", "insufficient_memory",
    "model_too_large", "constraint_filtered", "privacy_restricted", "capacity_exhausted",
    "temporarily_unavailable", "upstream_failed", "upstream_timeout", "upstream_rate_limited",
    "upstream_denied", "upstream_refused",
]
# fmt: on


class VoxgateError(Exception):
    """A failure with a sentence for the user. `code` defaults to the code of the class.

    `public` is what a server's callers are told, where the sentence names what is on its machine.
    """

    default_code: ClassVar[Code] = "internal_error"

    retry_after_s: float | None = None
    """After how many seconds the same call may succeed, where who refused it says so."""

    def __init__(self, sentence: str, *, code: Code | None = None, public: str = "") -> None:
        super().__init__(sentence)
        self.code: Code = code or self.default_code
        self._public = public

    @property
    def sentence(self) -> str:
        """What happened and what to do next, ready to be shown."""
        return str(self)

    @property
    def public_sentence(self) -> str:
        """What a server says of it to its callers, who may be anybody."""
        return self._public or PUBLIC_SENTENCES.get(self.code, self.sentence)

    @property
    def status(self) -> int:
        """The HTTP status of a response with this error."""
        return CODES[self.code].status

    @property
    def retryable(self) -> bool:
        """Whether the same call may succeed when it is made again."""
        return CODES[self.code].retryable


class AudioError(VoxgateError):
    """The recording itself cannot be transcribed."""

    default_code = "invalid_audio"


class UsageError(VoxgateError):
    """A call with contradictory, malformed or unsupported arguments."""

    default_code = "invalid_request"


class UnknownModelError(VoxgateError):
    """No model of that name is known; the sentence names the nearest ones."""

    default_code = "model_not_found"


class BusyError(VoxgateError):
    """No more work can be taken now. The caller should retry after `retry_after_s` seconds."""

    default_code = "rate_limit_exceeded"

    retry_after_s: int

    def __init__(self, sentence: str, retry_after_s: int = 5, *, code: Code | None = None) -> None:
        super().__init__(sentence, code=code)
        self.retry_after_s = retry_after_s


@dataclass(frozen=True, slots=True)
class Availability:
    """Why no endpoint serves a request, for programs (openrouter-api.md 3.3)."""

    excluded_by: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()  # of the endpoints that are excluded
    models: tuple[str, ...] = ()  # likewise, where there are several
    constraint: tuple[str, str] | None = None  # a field of the request, and what it excludes
    retry_after_s: int | None = None  # None where a retry does not help


class AvailabilityError(VoxgateError):
    """Every endpoint of the requested models is excluded."""

    default_code = "temporarily_unavailable"

    def __init__(
        self, sentence: str, availability: Availability | None = None, *, code: Code | None = None
    ) -> None:
        super().__init__(sentence, code=code)
        self.availability = availability or Availability()
        self.retry_after_s = self.availability.retry_after_s


class ServerError(VoxgateError):
    """A Voxgate server that this machine is a client of failed or did not respond."""

    default_code = "server_failed"


class UnusableServerError(ServerError):
    """The server refuses or cannot be reached: the next recording would fail in the same way."""


class LedgerError(VoxgateError):
    """The database of keys and generations cannot be opened, read or written."""

    default_code = "ledger_failed"


class SettingsError(VoxgateError):
    """A setting, from the environment or the configuration file, that is unknown or malformed."""

    default_code = "invalid_settings"


class SpoolFullError(VoxgateError):
    """The disk that holds the decoded sound is full."""

    default_code = "spool_full"


class OutputError(VoxgateError):
    """A transcript or an archive could not be written."""

    default_code = "output_failed"


class RegistryError(VoxgateError):
    """The folder of models, or a record in it, cannot be read or written."""

    default_code = "registry_failed"


class HubError(VoxgateError):
    """The hub of models cannot be reached, or responded with a failure."""

    default_code: ClassVar[Code] = "hub_failed"


class WrongContentError(HubError):
    """The hub sent other content than it announced."""

    default_code = "wrong_content"


class EngineError(VoxgateError):
    """The engine failed; the recording is not the cause."""

    default_code: ClassVar[Code] = "engine_error"


class EngineStartError(EngineError):
    """No engine of the model can start."""

    default_code: ClassVar[Code] = "engine_start_failed"


class CheckpointError(EngineStartError):
    """A folder of weights cannot be loaded: missing, broken, or of another kind of model."""

    default_code = "invalid_checkpoint"


class ChangedCheckpointError(EngineStartError):
    """A model's files are no longer those that were installed."""

    default_code = "checkpoint_changed"


class InsufficientMemoryError(EngineStartError):
    """The model needs more memory than is free now."""

    default_code = "insufficient_memory"


class UpstreamError(VoxgateError):
    """A provider elsewhere failed, did not respond in time, or refused.

    `retry_after_s` is how long it asks to be left alone, where it says so.
    """

    default_code: ClassVar[Code] = "upstream_failed"

    def __init__(
        self,
        sentence: str,
        retry_after_s: float | None = None,
        *,
        code: Code | None = None,
        public: str = "",
    ) -> None:
        super().__init__(sentence, code=code, public=public)
        self.retry_after_s = retry_after_s


class ErrorCode(NamedTuple):
    """The meaning of a code."""

    kind: type[VoxgateError]
    status: int  # HTTP
    retryable: bool  # whether the same call may succeed later
    when: str  # it is raised


# fmt: off
# ruff: noqa: E501 (one line a code)
CODES: dict[Code, ErrorCode] = {
    "internal_error": ErrorCode(VoxgateError, 500, False, "Voxgate has a bug."),
    "abandoned": ErrorCode(VoxgateError, 499, False, "No caller waits for the job any more. Only the ledger shows it."),
    "interrupted": ErrorCode(VoxgateError, 500, True, "The server was killed during the work. Only the ledger shows it."),
    "invalid_audio": ErrorCode(AudioError, 400, False, "The recording cannot be transcribed."),
    "unreadable_audio": ErrorCode(AudioError, 400, False, "The recording cannot be opened or read: missing, a directory, no permission, an I/O error."),
    "not_audio": ErrorCode(AudioError, 400, False, "The bytes have no supported container or codec."),
    "no_sound_track": ErrorCode(AudioError, 400, False, "The container has no sound track."),
    "empty_audio": ErrorCode(AudioError, 400, False, "The recording has no bytes, or is a valid container without a sample."),
    "truncated_audio": ErrorCode(AudioError, 400, False, "The recording is cut off before anything in it can be decoded."),
    "audio_too_long": ErrorCode(AudioError, 413, False, "The sound is longer than the configured duration."),
    "audio_too_large": ErrorCode(AudioError, 413, False, "The recording has more bytes than the configured size."),
    "decoder_died": ErrorCode(AudioError, 400, False, "The decoder's process crashed on this recording, or met its limits."),
    "decoder_killed": ErrorCode(AudioError, 503, True, "Something else ended the decoder's process; the recording is not the cause."),
    "decoder_too_slow": ErrorCode(AudioError, 400, False, "Decoding fell behind real time for longer than the configured patience."),
    "invalid_request": ErrorCode(UsageError, 400, False, "An argument is malformed, or arguments contradict each other."),
    "unsupported_option": ErrorCode(UsageError, 400, False, "The model does not support an option."),
    "unsupported_language": ErrorCode(UsageError, 400, False, "The model does not know the requested language."),
    "unsupported_schema": ErrorCode(UsageError, 400, False, "A JSON schema is malformed, too large, or has what answers cannot be made to follow."),
    "context_exceeded": ErrorCode(UsageError, 400, False, "A question does not fit into the model's context."),
    "unknown_format": ErrorCode(UsageError, 400, False, "No transcript format has that name."),
    "not_built": ErrorCode(UsageError, 400, False, "The API defines it, and this version does not implement it."),
    "url_refused": ErrorCode(UsageError, 400, False, "A recording is not fetched from its address: a setting or the address itself forbids it."),
    "fetch_failed": ErrorCode(AudioError, 400, False, "The server at a recording's address cannot be reached, or sent no recording."),  # not 5xx: clients repeat those for an hour
    "model_not_found": ErrorCode(UnknownModelError, 404, False, "No model has that name."),
    "authentication": ErrorCode(VoxgateError, 401, False, "The request has no key, or an invalid one."),
    "budget_exceeded": ErrorCode(VoxgateError, 402, False, "The recording costs more than is left of the key's budget."),
    "permission_denied": ErrorCode(VoxgateError, 403, False, "The caller is not allowed to do this."),
    "offline": ErrorCode(VoxgateError, 403, False, "Something would leave the machine, and VOXGATE_OFFLINE forbids it."),
    "not_found": ErrorCode(VoxgateError, 404, False, "No path, generation or key has that name."),
    "request_timeout": ErrorCode(VoxgateError, 408, True, "The request's body stopped arriving."),
    "payload_too_large": ErrorCode(VoxgateError, 413, False, "The body, or its part without the recording, is too large."),
    "unsupported_media_type": ErrorCode(VoxgateError, 415, False, "The body has an unsupported content type."),
    "rate_limit_exceeded": ErrorCode(BusyError, 429, True, "The server or the key has as many jobs as it may, the key sent as many requests a minute as it may, or an address too many wrong keys."),
    "model_loading": ErrorCode(BusyError, 503, True, "The model is being loaded, and VOXGATE_WHILE_LOADING is 'refuse'."),
    "shutting_down": ErrorCode(BusyError, 503, True, "The server is about to end."),
    "too_many_connections": ErrorCode(BusyError, 503, True, "The server is answering as many connections as it may have."),
    "server_failed": ErrorCode(ServerError, 502, False, "A server that the command line called failed or did not respond."),
    "ledger_failed": ErrorCode(LedgerError, 503, True, "The database cannot be opened, read or written."),
    "invalid_settings": ErrorCode(SettingsError, 500, False, "A setting is unknown or malformed."),
    "spool_full": ErrorCode(SpoolFullError, 503, True, "The disk for decoded sound is full."),  # not 507: clients retry a 503
    "output_failed": ErrorCode(OutputError, 500, False, "A file cannot be written."),
    "disk_full": ErrorCode(VoxgateError, 503, False, "A model does not fit on the disk of the models."),
    "registry_failed": ErrorCode(RegistryError, 503, False, "The folder of models cannot be read or written."),
    "model_in_use": ErrorCode(RegistryError, 409, False, "An engine has loaded a model that should be removed."),
    "invalid_bundle": ErrorCode(VoxgateError, 400, False, "A file is not a complete exported model."),
    "hub_failed": ErrorCode(HubError, 502, True, "The hub cannot be reached, or responded with a failure."),
    "hub_access_denied": ErrorCode(HubError, 403, False, "The hub denies access to the model."),
    "repository_not_found": ErrorCode(HubError, 404, False, "The hub has no such repository, revision or file."),
    "wrong_content": ErrorCode(WrongContentError, 502, True, "The hub sent other content than it announced."),
    "engine_error": ErrorCode(EngineError, 503, True, "The engine failed; the recording is not the cause."),
    "engine_died": ErrorCode(EngineError, 503, True, "The engine's process ended during a window."),
    "engine_stalled": ErrorCode(EngineError, 503, True, "The engine made no step for longer than the configured patience."),
    "engine_busy": ErrorCode(EngineError, 503, True, "The engine's queue is full; it kept nothing of the call."),
    "engine_closed": ErrorCode(EngineError, 503, False, "The engine was closed before or during the call."),
    "engine_refused": ErrorCode(EngineError, 502, False, "The engine cannot transcribe this window; a retry would not help."),
    "engine_start_failed": ErrorCode(EngineStartError, 503, False, "The engine's process did not become ready."),
    "no_endpoints": ErrorCode(EngineStartError, 404, False, "The model is known, and not installed or not runnable on this machine."),
    "invalid_checkpoint": ErrorCode(CheckpointError, 400, False, "A folder of weights is missing, broken, or of another kind of model."),
    "checkpoint_changed": ErrorCode(ChangedCheckpointError, 503, False, "A model's files changed after their installation."),
    "insufficient_memory": ErrorCode(InsufficientMemoryError, 503, True, "The model needs more memory than is free now."),
    "model_too_large": ErrorCode(EngineStartError, 404, False, "The model needs more memory than engines may ever have."),  # not 503: clients repeat a 5xx for an hour
    "constraint_filtered": ErrorCode(AvailabilityError, 404, False, "The request's preferences exclude every endpoint of its model."),
    "privacy_restricted": ErrorCode(AvailabilityError, 404, False, "The data policy that the request asks for excludes every endpoint of its model."),
    "capacity_exhausted": ErrorCode(AvailabilityError, 429, True, "Every endpoint that may serve the request has refused too many requests, and rests."),
    "temporarily_unavailable": ErrorCode(AvailabilityError, 503, True, "Every endpoint that may serve the request failed too often, and rests."),
    "upstream_failed": ErrorCode(UpstreamError, 502, True, "A provider elsewhere failed: an error of its own, a broken connection, or an answer that cannot be used."),
    "upstream_timeout": ErrorCode(UpstreamError, 504, True, "A provider elsewhere did not answer within the time for this much sound."),
    "upstream_rate_limited": ErrorCode(UpstreamError, 503, True, "A provider elsewhere takes no more requests now, by any of its keys."),
    "upstream_denied": ErrorCode(UpstreamError, 502, False, "A provider elsewhere denies access: every key of it is missing, refused, not allowed this, or without credit."),
    "upstream_refused": ErrorCode(UpstreamError, 400, False, "A provider elsewhere says that this input is wrong."),
}
# fmt: on

PUBLIC_SENTENCES: dict[Code, str] = {
    "ledger_failed": "The server's ledger cannot be used now. Try again; the server's log says why.",
    "invalid_settings": "The server's settings are wrong. Its log says which one: tell its operator.",
    "spool_full": "The server cannot write sound to its disk now. Try again later; the server's log says why.",
    "output_failed": "The server cannot write a file. Its log says why: tell its operator.",
    "disk_full": "The server's disk has no room for the model. Its log says how much is missing: tell its operator.",
    "registry_failed": "The server's folder of models cannot be used. Its log says why: tell its operator.",
    "model_in_use": "The model is in the server's memory. Its log says in which process: tell its operator.",
    "hub_failed": "The server cannot use its hub of models now. Try again later; the server's log says why.",
    "hub_access_denied": "The server's hub of models denies access. Its log says to what: tell its operator.",
    "repository_not_found": "The server's hub of models does not have this. Its log says what is missing: tell its operator.",
    "wrong_content": "The server's hub of models sent wrong content. Try again later; the server's log says what.",
    "engine_error": "The model's engine failed. Try again; the server's log says why.",
    "engine_died": "The model's engine ended during the work. Try again: a new one starts. The server's log says why.",
    "engine_refused": "The model's engine cannot transcribe a part of this recording. The server's log says why.",
    "engine_start_failed": "The model's engine does not start. The server's log says why: tell its operator.",
    "invalid_checkpoint": "The model's files on the server cannot be used. The server's log says why: tell its operator.",
    "checkpoint_changed": "The model's files on the server changed after their installation. Its log says which: tell its operator.",
    "upstream_denied": "The provider of this model denies the server access. Ask for another model; the server's log says why: tell its operator.",
}
"""What callers are told of failures whose own sentences may name what is on the server's machine.

All other sentences are made of what the caller sent, of names of models and of settings.
"""


def joined(failures: Sequence[VoxgateError]) -> VoxgateError:
    """Return one error for several ways that failed, at least one, in their order.

    Its sentence has the cause of each; its code, and when to try again, are the last one's.
    """
    last = failures[-1]
    if len(failures) == 1:
        return last
    error = VoxgateError(
        " ".join(dict.fromkeys(each.sentence for each in failures)),
        code=last.code,
        public=" ".join(dict.fromkeys(each.public_sentence for each in failures)),
    )
    error.retry_after_s = last.retry_after_s
    return error


def error_from_code(code: Code, sentence: str) -> VoxgateError:
    """Return an error of the class that `CODES` names, for an error that another process sent."""
    return CODES[code].kind(sentence, code=code)
