"""What those who run the server ask it: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from voxgate._version import __version__
from voxgate.api.auth import manager
from voxgate.api.error_responses import json_response
from voxgate.api.openapi import schemas
from voxgate.api.openapi.document import NO_KEY
from voxgate.api.openapi.responses import KEY_ERRORS, json_of, responses, text_of
from voxgate.errors import LedgerError
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway

_NOT_NOW = {
    "description": "It is about to stop, is full, or its ledger cannot be used.",
    "content": json_of(schemas.Health, schemas.Error),
}

router = APIRouter()


@router.get(
    "/healthz",
    summary="Whether the server takes work",
    response_model=None,
    openapi_extra=NO_KEY,
    responses=responses(json_of(schemas.Health)) | {503: _NOT_NOW},
)
async def healthz(request: Request) -> Response:
    """200 while it takes work, 503 when it is about to stop."""
    gateway: Gateway = request.app.state.gateway
    return _health("stopping" if gateway.jobs.closed else "ok")


@router.get(
    "/readyz",
    summary="Whether a request would be answered now",
    response_model=None,
    openapi_extra=NO_KEY,
    responses=responses(json_of(schemas.Health)) | {503: _NOT_NOW},
)
async def readyz(request: Request) -> Response:
    """200 while it takes work and its ledger can be read; models load at their first use."""
    gateway: Gateway = request.app.state.gateway
    try:
        await gateway.ledger.check()
    except LedgerError:
        return _health("ledger_failed")
    return _health("stopping" if gateway.jobs.closed else "ok")


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_model=None,
    responses=responses(text_of("text/plain"), *KEY_ERRORS),
)
async def metrics(request: Request, _: Annotated[Key | None, Depends(manager)]) -> Response:
    """Requests, recordings, sound, money, latencies and engines, for management keys."""
    gateway: Gateway = request.app.state.gateway
    body = await gateway.metrics.exposition(
        gateway.settings, gateway.jobs, gateway.session.waiting_windows
    )
    return Response(body, media_type=CONTENT_TYPE_LATEST)


def _health(status: str) -> Response:
    body = {"status": status, "version": __version__}
    return json_response(json.dumps(body).encode(), 200 if status == "ok" else 503)
