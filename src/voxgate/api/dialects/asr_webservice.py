"""`/asr` and `/detect-language` of whisper-asr-webservice, as Bazarr and others call them.

Their clients name no model, and know neither warnings nor streams. All but the recording is in the
address (https://github.com/ahmetoner/whisper-asr-webservice, app/webservice.py).
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final, Literal

from voxgate.api.body.request_body import RequestBody, Upload
from voxgate.api.dialects.parse import HEADERLESS_TYPE, parse_request
from voxgate.api.dialects.wire_types import WireLanguage, WireModel, WireText, validated
from voxgate.errors import UsageError
from voxgate.models.default_model import DEFAULT_NAME
from voxgate.transcript.values import Task  # noqa: TC001 (pydantic evaluates it)

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.body.upload import BodyBeginning
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.dialects.wire import OutputFormat

FORMATS: Final[dict[str, OutputFormat]] = {
    "txt": "text",
    "vtt": "vtt",
    "srt": "srt",
    "tsv": "tsv",
    "json": "nested_json",
}


class DetectionQuery(WireModel):
    """The options of `/detect-language`."""

    encode: bool = True
    video_file: WireText | None = None


class AsrQuery(DetectionQuery):
    """The options of `/asr`."""

    task: Task = "transcribe"
    language: WireLanguage | None = None
    initial_prompt: WireText | None = None
    vad_filter: bool | None = None
    word_timestamps: bool = False
    output: Literal["txt", "vtt", "srt", "tsv", "json"] = "txt"
    diarize: bool | None = None
    model: str | None = None


def parse_asr(body: RequestBody | BodyBeginning, query: Mapping[str, str]) -> ParsedRequest:
    """Parse a request to `/asr`. Raises `UsageError` of every kind."""
    asked = validated(AsrQuery, query)
    fields = {
        "model": asked.model or DEFAULT_NAME,
        "language": asked.language,
        "prompt": asked.initial_prompt,
        "diarize": asked.diarize,
        "response_format": "verbose_json",
        "timestamp_granularities": ["word"] if asked.word_timestamps else None,
    }
    parsed = _parse(body, asked, fields, asked.task)
    return replace(parsed, format=FORMATS[asked.output])


def parse_detection(
    body: RequestBody | BodyBeginning, query: Mapping[str, str], model: str
) -> ParsedRequest:
    """Parse a request to `/detect-language`, which `model` answers.

    One token is asked for: the language is known before it. Raises `UsageError` of every kind.
    """
    fields = {"model": model, "max_tokens": 1}
    parsed = _parse(body, validated(DetectionQuery, query), fields, "transcribe")
    return replace(parsed, format="language_json", whole=False)


def _parse(
    body: RequestBody | BodyBeginning, asked: DetectionQuery, fields: dict[str, Any], task: Task
) -> ParsedRequest:
    if body.kind != "form" or not isinstance(body.upload, Upload):
        raise UsageError(
            "The request has no recording: send it as the part 'audio_file' of a form, with a file "
            "name."
        )
    upload = body.upload if asked.encode else replace(body.upload, media_type=HEADERLESS_TYPE)
    parsed = parse_request(RequestBody(fields, upload, "form", body.dropped), task)
    return replace(parsed, unused=(*parsed.unused, *asked.unknown, *body.fields))
