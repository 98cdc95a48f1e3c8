"""Every failure a user can meet, with its sentence, its HTTP status and whether a retry can help.

A sentence says what happened, to which input, and the next step. The command line prints it after
the input's name; the server puts it in an error body. Whoever raises one fills in the particulars;
whoever catches one never has to add anything to make it understandable.
"""

from __future__ import annotations

from difflib import get_close_matches
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Iterable


class VoxgateError(Exception):
    """A failure with a sentence for the user.

    `status` is the HTTP status it becomes; `code` its stable name for programs; `retryable` says
    whether the same call may succeed when it is made again.
    """

    status: ClassVar[int] = 500
    code: ClassVar[str] = "internal_error"
    retryable: ClassVar[bool] = False

    @property
    def sentence(self) -> str:
        """What happened and what to do next, ready to be shown."""
        return str(self)


# --- the recording -------------------------------------------------------------------------------


class AudioError(VoxgateError):
    """The recording itself cannot be transcribed."""

    status = 400
    code = "invalid_audio"


class UnreadableSourceError(AudioError):
    """The source could not be opened or read: missing, a directory, no permission, an I/O error."""

    code = "unreadable_audio"


class NotAudioError(AudioError):
    """The bytes are of no container or codec that is read here."""

    code = "not_audio"


class NoSoundTrackError(AudioError):
    """A container was recognised, but it holds no sound track."""

    code = "no_sound_track"


class EmptyAudioError(AudioError):
    """No bytes, or a valid container without one sample."""

    code = "empty_audio"


class TruncatedAudioError(AudioError):
    """The recording is cut off before anything in it can be decoded."""

    code = "truncated_audio"


class AudioTooLongError(AudioError):
    """The sound goes on past the configured duration."""

    status = 413
    code = "audio_too_long"


class AudioTooLargeError(AudioError):
    """The source has more bytes than the configured size."""

    status = 413
    code = "audio_too_large"


class DecoderDiedError(AudioError):
    """The decoder's process ended while it read this recording, by a crash or by its limits."""

    code = "decoder_died"


class DecoderKilledError(DecoderDiedError):
    """Somebody else ended the decoder's process: the recording is not to blame."""

    status = 503
    code = "decoder_killed"
    retryable = True


class DecoderTooSlowError(AudioError):
    """The decoder fell behind real time for longer than the configured patience."""

    code = "decoder_too_slow"


# --- the request ---------------------------------------------------------------------------------


class UsageError(VoxgateError):
    """A call that cannot mean anything: contradictory or malformed arguments."""

    status = 400
    code = "invalid_request"


class UnknownModelError(VoxgateError):
    """No model of that name is known; the sentence names the nearest ones."""

    status = 404
    code = "model_not_found"

    @classmethod
    def of(cls, name: str, known: Iterable[str]) -> UnknownModelError:
        """Name the models whose names come nearest to `name`, or all of them."""
        return cls(
            f"No model is called '{name}'. {_nearest(name, known)} `voxgate models` lists them all."
        )


class UnknownFormatError(VoxgateError):
    """No transcript format of that name is known."""

    status = 400
    code = "unknown_format"

    @classmethod
    def of(cls, name: str, known: Iterable[str]) -> UnknownFormatError:
        """Name every format that exists."""
        return cls(f"No transcript format is called '{name}'. Known are: {', '.join(known)}.")


class UnsupportedLanguageError(VoxgateError):
    """The model does not know the language that was asked for."""

    status = 400
    code = "unsupported_language"


class NotBuiltError(UsageError):
    """Something the wire format knows and this version does not do yet."""

    code = "not_built"


class OptionError(UsageError):
    """An option that the model cannot fulfil."""

    code = "unsupported_option"


class AuthenticationError(VoxgateError):
    """No key, or one that is not valid here."""

    status = 401
    code = "authentication"


class ForbiddenError(VoxgateError):
    """The caller is known, or needs no key, and may not do this."""

    status = 403
    code = "permission_denied"


class OfflineError(VoxgateError):
    """Something would leave the machine, and was told not to."""

    status = 403
    code = "offline"


class NotFoundError(VoxgateError):
    """Nothing of that name is here: a path, a generation, a key."""

    status = 404
    code = "not_found"


class BodyStalledError(VoxgateError):
    """The request's body stopped arriving."""

    status = 408
    code = "request_timeout"
    retryable = True


class BodyTooLargeError(VoxgateError):
    """The request's body, or its part without the recording, is larger than it may be."""

    status = 413
    code = "payload_too_large"


class MediaTypeError(VoxgateError):
    """The request's body is of a content type that is not read here."""

    status = 415
    code = "unsupported_media_type"


class BusyError(VoxgateError):
    """There is no room for more work now. `retry_after_s` says when to come again."""

    status = 429
    code = "rate_limit_exceeded"
    retryable = True

    def __init__(self, sentence: str, retry_after_s: int = 5) -> None:
        super().__init__(sentence)
        self.retry_after_s = retry_after_s


class ModelLoadingError(BusyError):
    """The model is being loaded, and the server was told not to let callers wait for that."""

    status = 503
    code = "model_loading"


class ShuttingDownError(BusyError):
    """The server takes no new work, because it is about to end."""

    status = 503
    code = "shutting_down"


class ServerError(VoxgateError):
    """A Voxgate server, asked by the command line, answered with a failure or not at all."""

    status = 502
    code = "server_failed"


class LedgerError(VoxgateError):
    """The database of keys and generations cannot be opened, read or written."""

    status = 503
    code = "ledger_failed"
    retryable = True


class SettingsError(VoxgateError):
    """A setting, from the environment or the settings file, that is unknown or malformed."""

    status = 500
    code = "invalid_settings"


# --- the machine ---------------------------------------------------------------------------------


class SpoolFullError(VoxgateError):
    """The disk that holds the decoded sound is full."""

    status = 503  # not 507: clients wait and come again after a 503
    code = "spool_full"
    retryable = True


class OutputError(VoxgateError):
    """A transcript could not be written where it was asked for."""

    code = "output_failed"


class DiskFullError(VoxgateError):
    """A model does not fit on the disk that models lie on."""

    status = 503
    code = "disk_full"


class RegistryError(VoxgateError):
    """The folder of models, or a record in it, cannot be read or written."""

    status = 503
    code = "registry_failed"


class BundleError(VoxgateError):
    """A file that is no exported model, or no whole one."""

    status = 400
    code = "invalid_bundle"


class ModelInUseError(RegistryError):
    """An engine works with a model that is to be removed."""

    status = 409
    code = "model_in_use"


class HubError(VoxgateError):
    """The hub of models cannot be reached, or answered with a failure."""

    status = 502
    code = "hub_failed"
    retryable = True


class HubAccessError(HubError):
    """The hub does not let this caller have the model."""

    status = 403
    code = "hub_access_denied"
    retryable = False


class UnknownRepositoryError(HubError):
    """The hub has no such repository, revision or file."""

    status = 404
    code = "repository_not_found"
    retryable = False


class WrongContentError(HubError):
    """What arrived is not what the hub announced."""

    code = "wrong_content"


class EngineError(VoxgateError):
    """The engine could not do its work; the recording is not to blame."""

    status = 503
    code = "engine_error"
    retryable = True


class EngineStartError(EngineError):
    """The engine's process did not become ready."""

    code = "engine_start_failed"
    retryable = False


class NoWeightsError(EngineStartError):
    """The model is known, and what it needs is not installed here."""

    status = 404
    code = "no_endpoints"


class CheckpointError(EngineStartError):
    """A folder of weights that cannot be loaded: missing, broken, or of another kind of model."""

    status = 400
    code = "invalid_checkpoint"


class ChangedCheckpointError(EngineStartError):
    """A model's files are no longer those that were installed."""

    status = 503
    code = "checkpoint_changed"


class InsufficientMemoryError(EngineStartError):
    """The model needs more memory than is free, and it may be free later."""

    code = "insufficient_memory"
    retryable = True


class ModelTooLargeError(EngineStartError):
    """The model needs more memory than engines here may ever have."""

    status = 404  # no endpoint can serve it here; clients would repeat a 5xx for an hour
    code = "model_too_large"


class EngineDiedError(EngineError):
    """The engine's process ended in the middle of work."""

    code = "engine_died"


class EngineStalledError(EngineError):
    """The engine had work and took no step for longer than the configured patience."""

    code = "engine_stalled"


class EngineBusyError(EngineError):
    """The engine's queue is full; nothing of the call was kept."""

    code = "engine_busy"


class EngineClosedError(EngineError):
    """The engine was closed by its owner, before or during the call."""

    code = "engine_closed"
    retryable = False


class EngineRefusedError(EngineError):
    """The engine cannot do this work, and says that giving it again would not help."""

    status = 502
    code = "engine_refused"
    retryable = False


def _nearest(name: str, known: Iterable[str]) -> str:
    names = sorted(known)
    near = get_close_matches(name.lower(), names, n=3, cutoff=0.4) or names
    return f"Nearest: {', '.join(near)}." if near else "None is installed."


# A server's failure that its caller treats differently from others. Free of any HTTP.


class UnusableServerError(ServerError):
    """The server refuses or cannot be reached: the next recording would meet the same."""
