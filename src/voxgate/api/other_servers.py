"""The routes of other speech servers, at the server's root, for clients that know no other.

`/asr` and `/detect-language` are those of whisper-asr-webservice, `/inference` and `/load` those of
whisper.cpp's server.
"""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response

from voxgate.api.auth import caller
from voxgate.api.dialects import whisper_cpp
from voxgate.api.dialects.asr_webservice import (
    AsrQuery,
    DetectionQuery,
    parse_asr,
    parse_detection,
)
from voxgate.api.error_responses import error_response
from voxgate.api.openapi import requests, schemas
from voxgate.api.openapi.responses import json_of, transcription_responses
from voxgate.api.transcriptions import respond

if TYPE_CHECKING:
    from voxgate.pipeline.session import Session

router = APIRouter()


@router.post(
    "/asr",
    summary="Transcribe, as whisper-asr-webservice does",
    response_model=None,
    openapi_extra=requests.form_with_query("audio_file", AsrQuery),
    responses=transcription_responses(
        json_of(schemas.VerboseTranscript), *("text", "srt", "vtt", "tsv")
    ),
)
async def asr(request: Request) -> Response:
    """The words of one recording. Bazarr sends the sound of a film without a header."""
    return await respond(request, partial(parse_asr, query=request.query_params))


@router.post(
    "/detect-language",
    summary="Detect the language, as whisper-asr-webservice does",
    response_model=None,
    openapi_extra=requests.form_with_query("audio_file", DetectionQuery),
    responses=transcription_responses(json_of(schemas.DetectedLanguage)),
)
async def detect_language(request: Request) -> Response:
    """The language of the first words of one recording."""
    await caller(request)  # the key comes first, here before its model is looked for
    session: Session = request.app.state.gateway.session
    model = await session.language_detector()
    return await respond(request, partial(parse_detection, query=request.query_params, model=model))


@router.post(
    "/inference",
    summary="Transcribe, as whisper.cpp's server does",
    response_model=None,
    openapi_extra=requests.form(
        "file", whisper_cpp.InferenceForm.model_json_schema()["properties"]
    ),
    responses=transcription_responses(
        json_of(schemas.Transcript, schemas.VerboseTranscript),
        *("text", "srt", "vtt"),
        error=schemas.TextError,
    ),
)
async def inference(request: Request) -> Response:
    """The words of one recording, as JSON, text or subtitles."""
    return await respond(request, whisper_cpp.parse_inference, whisper_cpp.text_error)


@router.post("/load", include_in_schema=False, response_model=None)
async def load(request: Request) -> Response:
    """Refuse to load a file of this machine."""
    await caller(request)
    return error_response(request, whisper_cpp.refuse_load(), body=whisper_cpp.text_error)
