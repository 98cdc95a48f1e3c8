"""`POST /chat/completions`: from a request to its response."""

from __future__ import annotations

import asyncio
import time
from typing import TYPE_CHECKING

from fastapi import APIRouter, Request, Response
from starlette.requests import ClientDisconnect

from voxgate.api.auth import transcriber
from voxgate.api.chat.body import ChatBodyReader
from voxgate.api.chat.intake import ChatIntake
from voxgate.api.chat.render import ChatRenderer
from voxgate.api.chat.stream import ChatStream
from voxgate.api.disconnect import left_during_the_body
from voxgate.api.error_responses import error_response
from voxgate.api.jobs import LINGER_S
from voxgate.api.key_limits import check_before_the_body
from voxgate.api.openapi import requests
from voxgate.api.openapi.responses import ANSWERS
from voxgate.api.request_log import RequestEntry, new_id
from voxgate.api.response import JobResponse
from voxgate.api.response_head import ResponseHead
from voxgate.api.router_metadata import RouterMetadata
from voxgate.errors import VoxgateError
from voxgate.pipeline.trace import StageTimes

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway

router = APIRouter()


@router.post(
    "/chat/completions",
    summary="Ask a question about texts and recordings",
    response_model=None,
    openapi_extra=requests.CHAT,
    responses=ANSWERS,
)
async def complete(request: Request) -> Response:
    """The answer of a model that hears, as text or as JSON by a schema."""
    gateway: Gateway = request.app.state.gateway
    start_time, stages = time.monotonic(), StageTimes()
    intake, entry = None, RequestEntry.of(request.scope)
    entry.id = new_id("gen")
    try:
        key = await transcriber(request)
        check_before_the_body(key, gateway.rates)
        intake = ChatIntake(request, key)
        reader = ChatBodyReader(request.headers, request.stream(), gateway.settings)
        own_limit, in_file = (key.max_recordings, key.in_file) if key else (None, False)
        owner = key.hash if key else None
        async with gateway.jobs.uploading(owner, own_limit, in_file=in_file):
            with stages.span("body"):
                body = await reader.whole()
            submission = await intake.accept(body)
        job_key, job = submission.submit()
    except ClientDisconnect:
        return left_during_the_body(request)
    except VoxgateError as failure:
        return error_response(request, failure, intake.model if intake else None)
    parsed, first = submission.parsed, submission.route.first
    head = ResponseHead(job, first, stages, start_time)
    renderer = ChatRenderer(job, parsed, first.name)
    if parsed.stream:
        return ChatStream(jobs=gateway.jobs, key=job_key, renderer=renderer, head=head)
    return JobResponse(
        jobs=gateway.jobs,
        key=job_key,
        job=job,
        request=parsed,
        render=lambda answer: asyncio.to_thread(renderer.body, answer),
        accepts_filler=True,
        filler_after_s=gateway.settings.filler_after_s,
        user_agent=request.headers.get("user-agent", ""),
        stages=stages,
        head=head,
        metadata=RouterMetadata.wanted(request.headers, submission, job),
        linger_s=LINGER_S if parsed.is_repeatable else 0.0,  # another one is not joined
    )
