"""Parse a request body into a `ParsedRequest`, before the model's capabilities are known.

Strict options are fulfilled or refused. Hints never fail a request: an unused one gives a warning,
and is refused only where the caller sets `provider.require_parameters`. Values that clients always
send, and that change nothing, are accepted. What no model can do is refused here by its name, what
only some models can do by `negotiate`. The table of all fields is in `fields`.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxgate.api.body.request_body import Upload
from voxgate.api.body.strict_json import parse_json
from voxgate.api.dialects.fields import HINTS, KEPT, OWN_OPTIONS, VOCABULARY_FIELDS
from voxgate.api.dialects.negotiate import ParsedRequest
from voxgate.api.dialects.provider_preferences import preferences_of
from voxgate.api.dialects.refusals import (
    asked_speakers,
    chunking_hints,
    refuse_impossible,
)
from voxgate.api.dialects.response_format import OBJECTS, data_request
from voxgate.api.dialects.streaming import choose_events
from voxgate.api.dialects.wire import TranscriptionRequest, validate_request
from voxgate.audio.channels import SoundChoice
from voxgate.audio.pcm import PcmDeclaration
from voxgate.errors import UsageError
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS
from voxgate.remote.recording_url import RecordingUrl
from voxgate.transcript.values import Options
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.body.upload import BodyBeginning
    from voxgate.api.dialects.response_format import DataRequest
    from voxgate.api.dialects.wire import ResponseFormat
    from voxgate.api.recording import Recording
    from voxgate.transcript.values import Task

HEADERLESS_FORMATS = PcmDeclaration("s16le", 16_000, 1)
"""What `format: pcm` means (openrouter-api.md 2.1)."""

HEADERLESS_TYPE = "audio/pcm"
"""The media type that means the same, as a file's name does that ends in `.pcm`."""

RECORDING_NAMES = {"json": "input_audio.data", "raw": "the body"}
"""What messages call the recording in a body; in a form it is `file`."""


def parse_request(
    body: RequestBody | BodyBeginning,
    task: Task = "transcribe",
    *,
    accept: str = "",
    query: Iterable[str] = (),
) -> ParsedRequest:
    """Parse the request in a body, for the task of its path. Raises `UsageError` of every kind.

    `accept` is the header of this name, which tells whose events a stream has. `query` has the
    names in the address, which only a raw recording has its fields in.
    """
    fields = _with_own_options(_with_objects(body))
    data = data_request(fields)
    request = validate_request(fields)
    refuse_impossible(request)
    _refuse_other_task(request, task)
    _refuse_overlong(body.dropped)
    url = _only_source(body, request)
    format_ = _format(request)
    if data:
        _check_place(data, format_, stream=bool(request.stream))
    model, preferences = preferences_of(request)
    return ParsedRequest(
        model=model,
        options=_options(request, task),
        format=format_,
        data=data,
        answers=data is not None or bool(request.structured_outputs),
        events=choose_events(accept, format_) if request.stream else None,
        words="word" in request.timestamp_granularities,
        word_segments=_are_words_segments(request),
        url=url,
        file_id=request.file_id,
        pcm=HEADERLESS_FORMATS if _is_headerless(body, request, url) else None,
        choice=SoundChoice(request.track, request.channels),
        speakers=asked_speakers(request, body.dropped),
        vocabulary=_vocabulary_fields(request),
        unused=_unused(request, body.dropped),
        misplaced=() if body.kind == "raw" else tuple(query),
        preferences=preferences,
        session_id=request.session_id,
        user=request.user,
    )


def _with_objects(body: RequestBody | BodyBeginning) -> dict[str, Any]:
    """Return the fields with those as objects that a form or an address may have as JSON text.

    A schema in pieces (`response_format[json_schema][schema][type]`) is refused: they do not tell
    numbers from texts, and leave out what is empty.
    """
    fields = dict(body.fields)
    for name in ("provider", *OBJECTS):
        value = fields.get(name)
        if isinstance(value, str) and value.lstrip().startswith("{"):
            fields[name] = parse_json(value.encode("utf-8", "surrogatepass"), f"'{name}'")
        elif name in OBJECTS and body.kind != "json" and _has_objects(value):
            raise UsageError(
                f"'{name}' has its schema in pieces, as {name}[...], which cannot be put together "
                f"again. Send the whole object as one JSON text: {name}=json.dumps(...)."
            )
    return fields


def _has_objects(value: object) -> bool:
    return isinstance(value, dict) and any(isinstance(each, dict) for each in value.values())


def _check_place(data: DataRequest, format_: ResponseFormat, *, stream: bool) -> None:
    """Raise for data in a response that has no place for it."""
    if stream:
        raise UsageError(
            f"Data by a schema ('{data.field}') does not come in a stream of a transcript. Leave "
            f"out 'stream', or send the recording to /chat/completions, which streams answers.",
            code="unsupported_option",
        )
    if format_ not in {"json", "verbose_json"}:
        raise UsageError(
            f"'{format_}' has no place for data ('{data.field}'). Ask for 'json' or "
            f"'verbose_json'.",
            code="unsupported_option",
        )


def _with_own_options(fields: dict[str, Any]) -> dict[str, Any]:
    """Return the fields with those that the caller put below our own provider's name."""
    provider = fields.get("provider")
    options = provider.get("options") if isinstance(provider, dict) else None
    own = options.get(LOCAL) if isinstance(options, dict) else None
    if not isinstance(own, dict):
        return fields
    known = {name: value for name, value in own.items() if name in OWN_OPTIONS}
    return {**known, **{name: value for name, value in fields.items() if value not in (None, "")}}


def _refuse_overlong(dropped: list[str]) -> None:
    """Raise for a field that was dropped for its length, unless it is a hint."""
    for name in dropped:
        field = name.replace("[", ".").partition(".")[0]
        if field in TranscriptionRequest.model_fields and field not in HINTS:
            raise UsageError(f"'{name[:100]}' is longer than 64 KiB. Shorten it, or leave it out.")


def _refuse_other_task(request: TranscriptionRequest, task: Task) -> None:
    if request.task not in {None, task}:
        raise UsageError(
            f"'task' is '{request.task}', but this path is for '{task}'. Send the request to "
            f"/audio/translations to translate, to /audio/transcriptions to transcribe."
        )


def _options(request: TranscriptionRequest, task: Task) -> Options:
    """Return the options for the model. A missing one has its default."""
    given = {name: getattr(request, name) for name in (*STRICT_OPTIONS, *HINT_OPTIONS)}
    if request.stop is not None:
        given["stop"] = tuple(request.stop)
    if not (request.prompt or "").strip():
        given["prompt"] = None
    given["vocabulary"] = tuple(
        word for name in _vocabulary_fields(request) for word in _words(request, name)
    )
    return Options(
        language=request.language or _single_language(request),
        task=task,
        **{name: value for name, value in given.items() if value is not None},
    )


def _single_language(request: TranscriptionRequest) -> str | None:
    """Return the one language of `languages`; of several nobody can say which is spoken."""
    languages = dict.fromkeys(request.languages or ())
    return next(iter(languages)) if len(languages) == 1 else None


def _vocabulary_fields(request: TranscriptionRequest) -> tuple[str, ...]:
    return tuple(name for name in VOCABULARY_FIELDS if _words(request, name))


def _words(request: TranscriptionRequest, name: str) -> tuple[str, ...]:
    """Return the words or phrases of a field."""
    given: str | list[str] | None = getattr(request, name)
    texts = [given] if isinstance(given, str) else given or []
    return tuple(text for text in texts if text.strip())


def _unused(request: TranscriptionRequest, dropped: list[str]) -> tuple[str, ...]:
    """Return the names of the fields that no model uses."""
    unused = request.unknown + dropped
    unused += chunking_hints(request)
    if request.languages and (request.language or _single_language(request) is None):
        unused.append("languages")
    if request.provider:
        unused += [f"provider.{name}" for name in request.provider.unknown]
        unused += _unused_options(request.provider.options or {})
    if request.input_audio:
        unused += [f"input_audio.{name}" for name in request.input_audio.unknown]
    return tuple(name for name in unused if name not in KEPT)


def _unused_options(options: dict[str, dict[str, Any]]) -> list[str]:
    """Return what has no effect of `provider.options`: other providers', and unknown fields."""
    others = [f"provider.options.{slug}" for slug in options if slug != LOCAL]
    own = (name for name in options.get(LOCAL, {}) if name not in OWN_OPTIONS)
    return others + [f"provider.options.{LOCAL}.{name}" for name in own]


def _format(request: TranscriptionRequest) -> ResponseFormat:
    """Return the response format; `verbose_json` where only granularities are requested.

    Mistral's client can request granularities, and has no `response_format`.
    """
    if request.timestamp_granularities and "response_format" not in request.model_fields_set:
        return "verbose_json"
    if request.response_format == "diarized_json":  # `asked_speakers` has seen it
        return "verbose_json"
    return request.response_format


def _are_words_segments(request: TranscriptionRequest) -> bool:
    """Return whether each segment is to be a word: so Mistral's API answers to `word` alone."""
    alone = set(request.timestamp_granularities) == {"word"}
    return alone and "response_format" not in request.model_fields_set


def _no_recording(body: RequestBody | BodyBeginning) -> str:
    if body.kind == "json":
        return (
            "The request has no recording: 'input_audio' must be an object with 'data', the base64 "
            'of the file, as in {"input_audio": {"data": "UklGR...", "format": "wav"}}; or with '
            "'url', its address."
        )
    return (
        "The form has no recording: send it as the part 'file', with a file name, its address "
        "as 'file_url', or the id of a kept file as 'file_id'."
    )


def _only_source(
    body: RequestBody | BodyBeginning, request: TranscriptionRequest
) -> RecordingUrl | None:
    """Return the recording's address, or None where the body has the recording or a file's id.

    An upload without a byte, beside an address or an id, counts as left out.
    """
    addresses = {
        "input_audio.url": (request.input_audio and request.input_audio.url) or "",
        "file_url": request.file_url or "",
    }
    given = [name for name, text in {**addresses, "file_id": request.file_id}.items() if text]
    uploaded = body.upload is not None and (body.upload.size > 0 or not given)
    sources = [RECORDING_NAMES.get(body.kind, "file")] * uploaded + given
    if uploaded and body.kind != "form" and body.fields.get("file"):
        sources.append("file")
    if len(sources) > 1:
        raise UsageError(
            f"The request has {len(sources)} recordings: {', '.join(map(repr, sources))}. Send "
            f"one a request."
        )
    if not sources:
        raise UsageError(_no_recording(body))
    address = addresses.get(given[0]) if given else None
    return RecordingUrl.parse(address) if address else None


def with_file_of(parsed: ParsedRequest, recording: Recording) -> ParsedRequest:
    """Return the request, headerless where the recording turns out to be a kept file that is so."""
    if not (isinstance(recording, Upload) and (parsed.file_id or parsed.url)):
        return parsed
    headerless = _says_headerless(recording.name, recording.media_type)
    return replace(parsed, pcm=HEADERLESS_FORMATS) if headerless else parsed


def _is_headerless(
    body: RequestBody | BodyBeginning, request: TranscriptionRequest, url: RecordingUrl | None
) -> bool:
    """Return whether the format says so; where there is none, whether the file's name does."""
    audio, upload = request.input_audio, body.upload
    if audio is not None and (audio.format or not url):
        return (audio.format or "").lower() == "pcm"
    name, media_type = (upload.name, upload.media_type) if upload else (None, None)
    return _says_headerless(url.file_name if url else name, media_type)


def _says_headerless(name: str | None, media_type: str | None) -> bool:
    return media_type == HEADERLESS_TYPE or (name or "").lower().endswith(".pcm")
