"""`POST /audio/transcriptions` and `/audio/translations`: from a request to its response."""

from __future__ import annotations

import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from voxgate.api.auth import caller
from voxgate.api.body.reader import read_body
from voxgate.api.dialects.negotiate import negotiate
from voxgate.api.dialects.parse import parse_request, with_file_of
from voxgate.api.dialects.wire import TranscriptionRequest
from voxgate.api.disconnect import left_during_the_body
from voxgate.api.error_responses import error_response
from voxgate.api.model_card import why_unavailable
from voxgate.api.recording import RemoteRecording
from voxgate.api.request_log import RequestEntry
from voxgate.api.response import TranscriptionResponse
from voxgate.api.response_head import ResponseHead
from voxgate.api.stream import TranscriptStream
from voxgate.api.submission import Submission
from voxgate.errors import EngineStartError, VoxgateError
from voxgate.pipeline.trace import StageTimes

if TYPE_CHECKING:
    from voxgate.api.body.request_body import RequestBody
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.gateway import Gateway
    from voxgate.api.recording import Recording
    from voxgate.transcript.values import Task

OPENAPI_FORM: dict[str, Any] = {
    "type": "object",
    "required": ["model"],
    "anyOf": [{"required": ["file"]}, {"required": ["file_url"]}, {"required": ["file_id"]}],
    "properties": {
        "file": {"type": "string", "format": "binary"},
        **{
            name: schema
            for name, schema in TranscriptionRequest.model_json_schema()["properties"].items()
            if name not in {"input_audio", "provider"}
        },
    },
}

OPENAPI_QUERY: list[dict[str, Any]] = [
    {
        "name": name,
        "in": "query",
        "required": False,
        "description": "Only beside a recording that is the whole body.",
        "schema": {key: value for key, value in schema.items() if key not in {"title", "default"}},
    }
    for name, schema in OPENAPI_FORM["properties"].items()
    if name != "file"
]

OPENAPI_FIELDS: dict[str, Any] = {
    "type": "object",
    "required": ["model"],
    "anyOf": [{"required": ["file_url"]}, {"required": ["file_id"]}],
    "properties": {
        name: schema for name, schema in OPENAPI_FORM["properties"].items() if name != "file"
    },
}
"""A form without a file, as Mistral's client writes it for an address or a kept file."""

router = APIRouter()


OPENAPI_RAW: dict[str, Any] = {"schema": {"type": "string", "format": "binary"}}

OPENAPI_BODY: dict[str, Any] = {
    "parameters": OPENAPI_QUERY,
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"$ref": "#/components/schemas/TranscriptionRequest"}},
            "multipart/form-data": {"schema": OPENAPI_FORM},
            "application/x-www-form-urlencoded": {"schema": OPENAPI_FIELDS},
            "audio/*": OPENAPI_RAW,
            "video/*": OPENAPI_RAW,
            "application/octet-stream": OPENAPI_RAW,
        },
    },
}


@router.post(
    "/audio/transcriptions",
    summary="Transcribe a recording",
    response_model=None,
    openapi_extra=OPENAPI_BODY,
)
async def transcribe(request: Request) -> Response:
    """The words of one recording, as JSON, text or subtitles."""
    return await _respond(request, "transcribe")


@router.post(
    "/audio/translations",
    summary="Translate a recording into English",
    response_model=None,
    openapi_extra=OPENAPI_BODY,
)
async def translate(request: Request) -> Response:
    """What one recording says in English. `language` is the one that is spoken."""
    return await _respond(request, "translate")


async def _respond(request: Request, task: Task) -> Response:
    gateway: Gateway = request.app.state.gateway
    entry, start_time, spans = RequestEntry.of(request.scope), time.monotonic(), StageTimes()
    model = None
    try:
        key = await caller(request)
        owner = key.hash if key else None
        async with gateway.jobs.uploading(owner):
            with spans.measure("body"):
                body = await read_body(
                    request.headers,
                    request.stream(),
                    gateway.settings,
                    query=request.scope["query_string"],
                )
            try:
                accept = request.headers.get("accept", "")
                parsed = parse_request(body, task, accept=accept)
                model = parsed.model
                # Callers must not name folders of this machine.
                spec = await gateway.session.resolve(model, folders=False)
                if reason := why_unavailable(spec):
                    raise EngineStartError(reason, code="no_endpoints")
                provider = gateway.session.provider(spec)
                parsed = replace(negotiate(parsed, provider.capabilities), model=provider.name)
                recording = await _recording(body, parsed, gateway, owner)
                parsed = with_file_of(parsed, recording)
            except BaseException:
                if body.upload:
                    body.upload.close()
                raise
        submission = Submission(
            gateway,
            entry=entry,
            owner=owner,
            parsed=parsed,
            provider=provider,
            recording=recording,
            headers=request.headers,
        )
        job_key, job = submission.submit()
    except ClientDisconnect:
        return left_during_the_body(request)
    except VoxgateError as error:
        return error_response(request, error, model)
    head = ResponseHead(job, provider, spans, start_time)
    if parsed.events:
        return TranscriptStream(jobs=gateway.jobs, key=job_key, job=job, parsed=parsed, head=head)
    return TranscriptionResponse(
        jobs=gateway.jobs,
        key=job_key,
        job=job,
        parsed=parsed,
        accepts_filler=body.kind == "json",
        filler_after_s=gateway.settings.filler_after_s,
        user_agent=request.headers.get("user-agent", ""),
        spans=spans,
        head=head,
    )


async def _recording(
    body: RequestBody, parsed: ParsedRequest, gateway: Gateway, owner: str | None
) -> Recording:
    """Return the upload, a kept file, or what the job fetches.

    Raises what `FileStore.open_named` and `Fetcher.admit` raise.
    """
    if body.upload and not (parsed.file_id or parsed.url):
        return body.upload
    kept = await gateway.files.open_named(parsed.file_id, parsed.url, owner)
    if kept is None:
        assert parsed.url is not None  # noqa: S101 (`parse_request` raises without any)
        named: Recording = RemoteRecording(parsed.url, gateway.fetcher)
    else:
        named = kept
    if body.upload:  # without a byte, beside its name
        body.upload.close()
    return named
