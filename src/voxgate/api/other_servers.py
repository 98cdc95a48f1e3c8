"""The routes of other speech servers, at the server's root, for clients that know no other.

`/asr` and `/detect-language` are those of whisper-asr-webservice, `/inference` and `/load` those of
whisper.cpp's server.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response

from voxgate.api.dialects import whisper_cpp
from voxgate.api.dialects.asr_webservice import (
    AsrQuery,
    DetectionQuery,
    parse_asr,
    parse_detection,
)
from voxgate.api.error_responses import error_response
from voxgate.api.transcriptions import respond

if TYPE_CHECKING:
    from pydantic import BaseModel

    from voxgate.pipeline.session import Session

router = APIRouter()


def _form(name: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return the OpenAPI of a form with a recording as the part `name`."""
    recording = {name: {"type": "string", "format": "binary"}}
    schema = {"type": "object", "required": [name], "properties": recording | properties}
    return {
        "requestBody": {"required": True, "content": {"multipart/form-data": {"schema": schema}}}
    }


def _with_query(kind: type[BaseModel]) -> dict[str, Any]:
    """Return the OpenAPI of a form with `audio_file` alone, and the options in the address."""
    options = kind.model_json_schema()["properties"]
    parameters = [
        {"name": name, "in": "query", "required": False, "schema": schema}
        for name, schema in options.items()
    ]
    return {"parameters": parameters, **_form("audio_file", {})}


@router.post(
    "/asr",
    summary="Transcribe, as whisper-asr-webservice does",
    response_model=None,
    openapi_extra=_with_query(AsrQuery),
)
async def asr(request: Request) -> Response:
    """The words of one recording. Bazarr sends the sound of a film without a header."""
    return await respond(request, partial(parse_asr, query=request.query_params))


@router.post(
    "/detect-language",
    summary="Detect the language, as whisper-asr-webservice does",
    response_model=None,
    openapi_extra=_with_query(DetectionQuery),
)
async def detect_language(request: Request) -> Response:
    """The language of the first words of one recording."""
    session: Session = request.app.state.gateway.session
    model = await session.language_detector()
    return await respond(request, partial(parse_detection, query=request.query_params, model=model))


@router.post(
    "/inference",
    summary="Transcribe, as whisper.cpp's server does",
    response_model=None,
    openapi_extra=_form("file", whisper_cpp.InferenceForm.model_json_schema()["properties"]),
)
async def inference(request: Request) -> Response:
    """The words of one recording, as JSON, text or subtitles."""
    return await respond(request, whisper_cpp.parse_inference, whisper_cpp.text_error)


@router.post("/load", include_in_schema=False, response_model=None)
async def load(request: Request) -> Response:
    """Refuse to load a file of this machine."""
    return error_response(request, whisper_cpp.refuse_load(), body=whisper_cpp.text_error)
