"""`/inference` of whisper.cpp's server (https://github.com/ggml-org/whisper.cpp, examples/server).

Its clients name no model, send everything in a form, and expect errors as one text.
"""

from __future__ import annotations

import json
from dataclasses import replace
from typing import TYPE_CHECKING, Annotated, Final

from pydantic import BeforeValidator, Field

from voxgate.api.dialects.parse import parse_request
from voxgate.api.dialects.wire import ResponseFormat  # noqa: TC001 (pydantic evaluates it)
from voxgate.api.dialects.wire_types import WireLanguage, WireModel, WireText, validated
from voxgate.errors import UsageError
from voxgate.models.default_model import DEFAULT_NAME

if TYPE_CHECKING:
    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.body.upload import BodyBeginning
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.errors import VoxgateError
    from voxgate.transcript.values import Task

TEMPERATURE_STEP = 0.2  # after a doubtful text; no model takes another one
OWN_NUMBER = ("-1", "0")  # of texts that are compared: the model's


def _own_number(value: object) -> object:
    return None if value in OWN_NUMBER else value


class InferenceForm(WireModel):
    """The fields of `/inference`."""

    response_format: ResponseFormat = "json"
    language: WireLanguage | None = None
    translate: bool = False
    prompt: WireText | None = None
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    temperature_inc: Annotated[float, Field(allow_inf_nan=False)] = TEMPERATURE_STEP
    beam_size: Annotated[
        Annotated[int, Field(ge=1, le=10)] | None, BeforeValidator(_own_number)
    ] = None
    no_timestamps: bool = False
    token_timestamps: bool = True
    diarize: bool = False
    tinydiarize: bool = False
    detect_language: bool = False
    offset_t: int = 0
    duration: int = 0
    offset_n: int = 0
    vad: bool = False
    debug_mode: bool = False
    model: str | None = None


REFUSED: Final = {
    "detect_language": "Send the recording to /detect-language",
    "offset_t": "The whole recording is transcribed: cut it before, or leave it out",
    "duration": "The whole recording is transcribed: cut it before, or leave it out",
    "offset_n": "Captions are numbered from 1: leave it out",
}
"""What no model here does, with the next step."""


def parse_inference(body: RequestBody | BodyBeginning) -> ParsedRequest:
    """Parse a request to `/inference`. Raises `UsageError` of every kind."""
    if body.kind != "form" or body.upload is None:
        raise UsageError(
            "The request has no recording: send it as the part 'file' of a form, with a file name."
        )
    asked = validated(InferenceForm, body.fields)
    _refuse(asked)
    verbose = asked.response_format == "verbose_json"
    words = verbose and asked.token_timestamps and not asked.no_timestamps
    fields = {
        "model": asked.model or DEFAULT_NAME,
        "language": asked.language,
        "prompt": asked.prompt,
        "temperature": asked.temperature,
        "beam_size": asked.beam_size,
        "diarize": asked.diarize or asked.tinydiarize,
        "response_format": asked.response_format,
        "timestamp_granularities": ["word"] if words else None,
    }
    task: Task = "translate" if asked.translate else "transcribe"
    parsed = parse_request(replace(body, fields=fields), task)
    step = () if asked.temperature_inc == TEMPERATURE_STEP else ("temperature_inc",)
    return replace(
        parsed,
        format="nested_json" if verbose else parsed.format,
        unused=(*parsed.unused, *step, *asked.unknown),
    )


def text_error(error: VoxgateError, *_: object) -> bytes:
    """Return the body of an error, in ASCII."""
    return json.dumps({"error": error.public_sentence}).encode()


def refuse_load() -> UsageError:
    """Return the error for `/load`, which names a file on the server's disk."""
    return UsageError(
        "This server loads models by itself, when a request is for them: name one as the field "
        "'model' of /inference. `voxgate models pull` on the server gets others.",
        code="unsupported_option",
    )


def _refuse(asked: InferenceForm) -> None:
    for name, next_step in REFUSED.items():
        if getattr(asked, name):
            raise UsageError(f"'{name}' is not done here. {next_step}.", code="unsupported_option")
