"""What those who run the server ask it: whether it lives, whether it is ready, and its metrics."""

from __future__ import annotations

import asyncio
import shutil
from contextlib import suppress
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Request, Response
from prometheus_client import CONTENT_TYPE_LATEST

from voxgate._version import __version__
from voxgate.api.auth import manager
from voxgate.api.error_responses import json_response
from voxgate.api.openapi import schemas
from voxgate.api.openapi.document import NO_KEY
from voxgate.api.openapi.responses import KEY_ERRORS, json_of, responses, text_of
from voxgate.api.server_state import DiskSpace, ServerState
from voxgate.errors import LedgerError
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)
from voxgate.providers.inspection import inspect_engines

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from voxgate.api.gateway import Gateway

_NOT_NOW = {
    "description": "It is about to stop, is full, or its ledger cannot be used.",
    "content": json_of(schemas.Health, schemas.Error),
}

PROBES = ("/healthz", "/readyz", "/metrics")
"""What a monitoring system asks every few seconds: no request is a span of a trace."""

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
    return _health(await server_status(request.app.state.gateway))


@router.get(
    "/metrics",
    summary="Counters for Prometheus",
    response_model=None,
    responses=responses(text_of("text/plain"), *KEY_ERRORS),
)
async def metrics(request: Request, _: Annotated[Key | None, Depends(manager)]) -> Response:
    """Requests, recordings, sound, money, latencies and engines, for management keys."""
    gateway: Gateway = request.app.state.gateway
    body = gateway.metrics.exposition(await server_state(gateway))
    return Response(body, media_type=CONTENT_TYPE_LATEST)


async def server_status(gateway: Gateway) -> str:
    """Return whether a request would be answered now, or else why not."""
    try:
        await gateway.ledger.check()
    except LedgerError:
        return "ledger_failed"
    return "stopping" if gateway.jobs.closed else "ok"


async def server_state(gateway: Gateway) -> ServerState:
    """Return what the server is doing, for its metrics and its owner's page."""
    settings, engines = gateway.settings, await inspect_engines(gateway.settings)
    gateway.metrics.steps.add(engines)
    folders = {"home": settings.home, "spool_dir": settings.spool_dir}
    return ServerState(
        ready=await server_status(gateway) == "ok",
        recordings=len(gateway.jobs.unfinished),
        most_recordings=settings.max_flights,
        unrecorded=gateway.leases.waiting,
        ledger_failures=gateway.ledger.failures,
        waiting=gateway.session.waiting_windows,
        engines=engines,
        steps=gateway.metrics.steps.by_model,
        disks=await asyncio.to_thread(_disk_spaces, folders),
        canary_rates=gateway.canaries.book.word_error_rates,
        regressed=gateway.canaries.book.regressed,
    )


def _disk_spaces(folders: Mapping[str, Path]) -> dict[str, DiskSpace]:
    """Return the disks of those folders that are there."""
    found = {}
    for name, folder in folders.items():
        with suppress(OSError):  # the first recording creates the folder of sound
            usage = shutil.disk_usage(folder)
            found[name] = DiskSpace(usage.free, usage.total)
    return found


def _health(status: str) -> Response:
    body = {"status": status, "version": __version__}
    return json_response(body, 200 if status == "ok" else 503)
