"""`POST /audio/transcriptions` and `/audio/translations`: from a request to its response."""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from voxgate.api.auth import transcriber
from voxgate.api.body.reader import BodyReader
from voxgate.api.dialects.parse import parse_request
from voxgate.api.dialects.render import media_type, render_transcript
from voxgate.api.disconnect import left_during_the_body
from voxgate.api.early_start import EarlyStart
from voxgate.api.error_responses import error_body, error_response
from voxgate.api.intake import Intake
from voxgate.api.key_limits import check_before_the_body
from voxgate.api.openapi import requests
from voxgate.api.openapi.responses import DOCUMENTED_DIALECTS
from voxgate.api.response import JobResponse
from voxgate.api.response_head import ResponseHead
from voxgate.api.router_metadata import RouterMetadata
from voxgate.api.transcript_stream import TranscriptStream
from voxgate.errors import VoxgateError
from voxgate.pipeline.text_work import characters_of, compute
from voxgate.pipeline.trace import StageTimes

if TYPE_CHECKING:
    from voxgate.api.error_responses import ErrorBody
    from voxgate.api.gateway import Gateway
    from voxgate.api.intake import Parse
    from voxgate.transcript.values import Task

router = APIRouter()


@router.post(
    "/audio/transcriptions",
    summary="Transcribe a recording",
    response_model=None,
    openapi_extra=requests.TRANSCRIPTION,
    responses=DOCUMENTED_DIALECTS,
)
async def transcribe(request: Request) -> Response:
    """The words of one recording, as JSON, text or subtitles."""
    return await respond(request, _documented(request, "transcribe"))


@router.post(
    "/audio/translations",
    summary="Translate a recording into English",
    response_model=None,
    openapi_extra=requests.TRANSCRIPTION,
    responses=DOCUMENTED_DIALECTS,
)
async def translate(request: Request) -> Response:
    """What one recording says in English. `language` is the one that is spoken."""
    return await respond(request, _documented(request, "translate"))


def _documented(request: Request, task: Task) -> Parse:
    """Return what parses the three documented dialects."""
    accept = request.headers.get("accept", "")
    return partial(parse_request, task=task, accept=accept, query=request.query_params.keys())


async def respond(request: Request, parse: Parse, error: ErrorBody = error_body) -> Response:
    """Respond to a request with a recording, whose dialect parses it and has a shape of errors."""
    gateway: Gateway = request.app.state.gateway
    start_time, stages = time.monotonic(), StageTimes()
    intake = None
    try:
        key = await transcriber(request)
        check_before_the_body(key, gateway.rates)
        intake = Intake(request, parse, key)
        reader = BodyReader(
            request.headers,
            request.stream(),
            gateway.settings,
            query=request.scope["query_string"],
        )
        async with gateway.jobs.uploading(
            intake.owner, intake.max_recordings, in_file=intake.key_in_file
        ):
            with stages.span("body"):
                early = await EarlyStart.begin(gateway.jobs, intake, reader)
            if early is None:
                with stages.span("body"):
                    body = await reader.whole()
                submission = await intake.accept(body)
        if early is None:
            job_key, job = submission.submit()
        else:
            submission, job_key, job = await early.settle()
    except ClientDisconnect:
        return left_during_the_body(request)
    except VoxgateError as failure:
        return error_response(request, failure, intake.model if intake else None, error)
    parsed = submission.parsed
    head = ResponseHead(job, submission.route.first, stages, start_time)
    if parsed.events:
        return TranscriptStream(
            jobs=gateway.jobs,
            key=job_key,
            job=job,
            parsed=parsed,
            head=head,
            rest=early.rest if early else None,
        )
    user_agent = request.headers.get("user-agent", "")
    return JobResponse(
        jobs=gateway.jobs,
        key=job_key,
        job=job,
        request=parsed,
        render=lambda transcript: compute(
            lambda: render_transcript(transcript, parsed, job.cost, user_agent),
            characters_of(transcript.segments),
        ),
        media_type=media_type(parsed),
        accepts_filler=early is None and body.kind == "json",
        filler_after_s=gateway.settings.filler_after_s,
        user_agent=user_agent,
        stages=stages,
        head=head,
        error=error,
        metadata=RouterMetadata.wanted(request.headers, submission, job),
    )
