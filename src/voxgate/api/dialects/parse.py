"""Wire to canonical: what is asked, before it is known what the model can do.

Promises are fulfilled or refused. Hints never fail a request: what was not used is warned of, and
refused only where the caller insists (`provider.require_parameters`). What clients always send and
what changes nothing passes. What no model can do, or is not built yet, is refused here by its name;
what some models can do is left to `fulfil`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.dialects.negotiate import ParsedRequest
from voxgate.api.dialects.wire import TranscriptionRequest, validate_request
from voxgate.audio.pcm import PcmDeclaration
from voxgate.errors import NotBuiltError, OptionError, UsageError
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.dialects.wire import ResponseFormat

HEADERLESS_FORMATS = PcmDeclaration("s16le", 16_000, 1)
"""What `format: pcm` means (openrouter-api.md 2.1)."""

UNBUILT_OPTIONS: dict[str, tuple[Any, ...]] = {"diarize": (False,), "stream": (False,)}
UNBUILT_FIELDS = (
    *("file_url", "file_id", "models", "include", "known_speaker_names"),
    *("known_speaker_references", "speaker_references"),
)
UNBUILT_ROUTING = ("order", "only", "ignore", "sort", "max_price", "quantizations")

VOCABULARY_FIELDS = ("prompt", "keyterms", "keywords", "context_bias")
"""Where clients name words that will be said: each its own place, one option here."""


def parse_request(received: RequestBody) -> ParsedRequest:
    """The request in a body. Raises `UsageError` of every kind: nothing has been done by then."""
    _refuse_addresses(received.fields)
    request = validate_request(received.fields)
    _refuse(request)
    _refuse_overlong(received.dropped)
    if received.upload is None:
        raise UsageError(_no_recording(received))
    return ParsedRequest(
        model=request.model,
        options=_options(request),
        format=_format(request),
        words="word" in request.timestamp_granularities,
        pcm=HEADERLESS_FORMATS if _is_headerless(received, request) else None,
        vocabulary=_fields_of_words(request),
        unused=_unused(request, received.dropped),
        insists=bool(request.provider and request.provider.require_parameters),
        session_id=request.session_id,
        user=request.user,
    )


def _refuse_addresses(fields: dict[str, Any]) -> None:
    """Before anything else: such a request has no recording, and should hear why that is not it."""
    audio = fields.get("input_audio")
    if isinstance(audio, dict) and audio.get("url") is not None:
        raise _unbuilt("input_audio.url", "send the recording itself as input_audio.data")
    for name in ("file_url", "file_id"):
        if fields.get(name):
            raise _unbuilt(name, "send the recording itself as 'file'")


def _refuse(request: TranscriptionRequest) -> None:
    for name, harmless in UNBUILT_OPTIONS.items():
        if _asks(getattr(request, name), harmless):
            raise _unbuilt(name, "leave it out")
    for name in UNBUILT_FIELDS:
        if (request.model_extra or {}).get(name):
            raise _unbuilt(name, "leave it out")
    routing = (request.provider and request.provider.model_extra) or {}
    for name in UNBUILT_ROUTING:
        if routing.get(name):
            raise _unbuilt(f"provider.{name}", "leave it out: there is one endpoint for each model")
    if request.structured_outputs:
        raise OptionError(
            f"{request.model} cannot fulfil 'structured_outputs'. Leave it out, or ask another "
            f"model."
        )


def _refuse_overlong(dropped: list[str]) -> None:
    """Refuse what was too long to be kept, unless it is a hint, which is only warned of."""
    for name in dropped:
        field = name.replace("[", ".").partition(".")[0]
        if field in TranscriptionRequest.model_fields and field not in {
            *VOCABULARY_FIELDS,
            *HINT_OPTIONS,
        }:
            raise UsageError(f"'{name[:100]}' is longer than 64 KiB. Shorten it, or leave it out.")


def _options(request: TranscriptionRequest) -> Options:
    """What concerns the model; what was left out has its default."""
    given = {name: getattr(request, name) for name in (*STRICT_OPTIONS, *HINT_OPTIONS)}
    if request.stop is not None:
        given["stop"] = tuple(request.stop)
    given["vocabulary"] = tuple(
        word for name in _fields_of_words(request) for word in _words(request, name)
    )
    return Options(
        language=request.language and request.language.lower().partition("-")[0],
        **{name: value for name, value in given.items() if value is not None},
    )


def _fields_of_words(request: TranscriptionRequest) -> tuple[str, ...]:
    return tuple(name for name in VOCABULARY_FIELDS if _words(request, name))


def _words(request: TranscriptionRequest, name: str) -> tuple[str, ...]:
    """What a field names; a prompt is one phrase, however long."""
    given: str | list[str] | None = getattr(request, name)
    texts = [given] if isinstance(given, str) else given or []
    return tuple(text for text in texts if text.strip())


def _unused(request: TranscriptionRequest, dropped: list[str]) -> tuple[str, ...]:
    """The fields that no model has a use for, by name."""
    unused = request.unknown + dropped
    if request.provider:
        unused += [f"provider.{name}" for name in request.provider.unknown]
        unused += [f"provider.options.{name}" for name in request.provider.options or ()]
    if request.input_audio:
        unused += [f"input_audio.{name}" for name in request.input_audio.unknown]
    return tuple(unused)


def _asks(value: Any, harmless: tuple[Any, ...]) -> bool:
    return value is not None and value not in harmless


def _unbuilt(name: str, mend: str) -> NotBuiltError:
    return NotBuiltError(f"'{name}' is not built yet in this version: {mend}.")


def _format(request: TranscriptionRequest) -> ResponseFormat:
    """What was asked for; times need the format that holds them.

    Mistral's client asks for granularities, and has no `response_format` to ask for their place.
    """
    if request.timestamp_granularities and "response_format" not in request.model_fields_set:
        return "verbose_json"
    return request.response_format


def _no_recording(received: RequestBody) -> str:
    if received.kind == "json":
        return (
            "The request has no recording: 'input_audio' must be an object with 'data', the base64 "
            'of the file, as in {"input_audio": {"data": "UklGR...", "format": "wav"}}.'
        )
    return "The form has no recording: send it as the part 'file', with a file name."


def _is_headerless(received: RequestBody, request: TranscriptionRequest) -> bool:
    if request.input_audio is not None:
        return (request.input_audio.format or "").lower() == "pcm"
    upload = received.upload
    named = upload is not None and (upload.name or "").lower().endswith(".pcm")
    return named or (upload is not None and upload.media_type == "audio/pcm")
