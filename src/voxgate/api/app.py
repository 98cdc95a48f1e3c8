"""The application: routes, errors, documentation."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Request, Response
from fastapi.exceptions import RequestValidationError
from fastapi.openapi.utils import get_openapi
from fastapi_offline import FastAPIOffline

from voxgate import __version__
from voxgate.api import error_responses, generations, models, transcriptions
from voxgate.api.dialects.wire import TranscriptionRequest
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from fastapi import FastAPI

    from voxgate.api.gateway import Gateway

BASE = "/api/v1"
ALIAS = "/v1"
"""The same tree, for clients that were set up by OpenAI's or Mistral's habit."""


def application(gateway: Gateway) -> FastAPI:
    """The server's whole surface on an open gateway. `/docs` works without a network."""
    app = FastAPIOffline(
        title="Voxgate",
        version=__version__,
        description="Speech to text on your own machines.",
        openapi_url=f"{BASE}/openapi.json",
        redirect_slashes=False,  # a client would take its key to whatever 'Host' says
    )
    app.state.gateway = gateway
    error_responses.install_error_handlers(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.include_router(_health)
    for part in (transcriptions, models, generations):
        app.include_router(part.router, prefix=BASE)
        app.include_router(part.router, prefix=ALIAS, include_in_schema=False)
    app.openapi = lambda: _openapi(app)  # type: ignore[method-assign]  # FastAPI's own way
    return app


_health = APIRouter()


@_health.get("/healthz", summary="Whether the server takes work", response_model=None)
async def healthz(request: Request) -> Response:
    """200 while it takes work, 503 when it is about to stop."""
    closed = request.app.state.gateway.flights.closed
    body = {"status": "stopping" if closed else "ok", "version": __version__}
    return error_responses.json_response(json.dumps(body).encode(), 503 if closed else 200)


async def _invalid(_: Request, error: Exception) -> Response:
    """A query that is not as it should be: 400, since clients have no class for 422."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (registered for it)
    first = error.errors()[0]
    name = str(first["loc"][-1])[:100]
    said = str(first["msg"]).removeprefix("Input ")
    return error_responses.error_response(
        UsageError(f"'{name}' in the address: {said}. Correct it.")
    )


def _openapi(app: FastAPI) -> dict[str, Any]:
    """FastAPI's schema with the request's own model, which the route reads by hand."""
    if not app.openapi_schema:
        schema = get_openapi(
            title=app.title, version=app.version, description=app.description, routes=app.routes
        )
        request = TranscriptionRequest.model_json_schema(
            ref_template="#/components/schemas/{model}"
        )
        parts = schema.setdefault("components", {}).setdefault("schemas", {})
        parts |= request.pop("$defs", {}) | {"TranscriptionRequest": request}
        app.openapi_schema = schema
    return app.openapi_schema
