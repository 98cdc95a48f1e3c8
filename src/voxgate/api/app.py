"""The FastAPI application: routes, error handlers, documentation."""

from __future__ import annotations

from functools import cache, partial
from typing import TYPE_CHECKING, TypeAlias

from fastapi import Request, Response  # noqa: TC002 (FastAPI evaluates them)
from fastapi.exceptions import RequestValidationError
from fastapi_offline import FastAPIOffline
from starlette.middleware.cors import CORSMiddleware

from voxgate._version import __version__
from voxgate.api import (
    activity,
    error_responses,
    generation_content,
    generations,
    models,
    operations,
    other_servers,
    transcriptions,
)
from voxgate.api.chat import routes as chat
from voxgate.api.files import routes as files
from voxgate.api.keys import routes as keys
from voxgate.api.methods import Methods
from voxgate.api.openapi.document import document
from voxgate.api.request_log import RequestLog
from voxgate.errors import UsageError
from voxgate.tracing import RequestSpans
from voxgate.validation import plain_reason

if TYPE_CHECKING:
    from collections.abc import Callable

    from fastapi import FastAPI
    from fastapi.telemetry import TelemetryConfig
    from starlette.types import ASGIApp, Receive, Scope, Send

    from voxgate.api.gateway import Gateway

BASE = "/api/v1"
ALIAS = "/v1"
"""The same routes, where OpenAI's and Mistral's clients expect them by default."""

EXPOSED_HEADERS = (
    *("X-Generation-Id", "X-Request-Id", "X-Voxgate-Model", "X-Voxgate-Warning"),
    *("X-Voxgate-Estimate", "Server-Timing", "Content-Disposition"),
    *("Retry-After", "X-Should-Retry"),  # OpenAI's client reads both, in a browser, too
    *("X-RateLimit-Limit", "X-RateLimit-Remaining", "X-RateLimit-Reset"),
)
"""The headers of a response that a page of another site may read."""

NO_TELEMETRY: TelemetryConfig = {
    "tracing": False,
    "metrics": False,
    "logs": False,
    "operation_spans": False,
    "auto_configure": False,
}
"""FastAPI's own spans have paths and queries as they come, and its logs what is refused."""

Pages: TypeAlias = "Callable[[FastAPI, Gateway], None]"
"""Adds pages for people to the application on a gateway."""


def application(gateway: Gateway, pages: Pages = lambda *_: None) -> ASGIApp:
    """Return the application on an open gateway. `/docs` works without a network."""
    app = _routes(gateway)
    pages(app, gateway)
    # Around the whole framework, which answers a bug outside its own middleware.
    logged = RequestLog(app, gateway.metrics.responded)
    return RequestSpans(logged, without=operations.PROBES)


def _routes(gateway: Gateway) -> FastAPI:
    app = FastAPIOffline(
        title="Voxgate",
        version=__version__,
        description="Speech to text on your own machines.",
        openapi_url=f"{BASE}/openapi.json",
        telemetry=NO_TELEMETRY,
        redirect_slashes=False,  # a redirect would send the client's key to the host in 'Host'
    )
    app.add_middleware(Methods)
    app.add_middleware(TrailingSlash)  # around the first one, which looks for the routes of a path
    if gateway.settings.cors_origins:
        app.add_middleware(
            CORSMiddleware,
            allow_origins=gateway.settings.cors_origins,
            allow_methods=["GET", "HEAD", "POST", "PATCH", "DELETE"],
            allow_headers=["*"],
            expose_headers=EXPOSED_HEADERS,
            allow_credentials=False,  # keys come in a header, which a page must have been given
        )
    app.state.gateway = gateway
    error_responses.install_error_handlers(app)
    app.add_exception_handler(RequestValidationError, _invalid)
    app.include_router(operations.router)
    app.include_router(other_servers.router)
    for module in (
        *(transcriptions, chat, models, generations, generation_content, activity, files),
        keys,
    ):
        app.include_router(module.router, prefix=BASE)
        app.include_router(module.router, prefix=ALIAS, include_in_schema=False)
    asks = gateway.settings.auth != "off"
    app.openapi = cache(partial(document, app, keys=asks))  # type: ignore[method-assign]  # the way that FastAPI documents
    return app


class TrailingSlash:
    """Middleware that takes a path with a slash at its end for the path without it."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Route the request by its path without the slash."""
        if scope["type"] == "http" and scope["path"].endswith("/"):
            scope["path"] = scope["path"].rstrip("/") or "/"
        await self._app(scope, receive, send)


async def _invalid(request: Request, error: Exception) -> Response:
    """Answer an invalid query with 400: clients have no error class for 422."""
    assert isinstance(error, RequestValidationError)  # noqa: S101 (it is registered for this class)
    first = error.errors()[0]
    name = str(first["loc"][-1])[:100]
    reason = plain_reason(str(first["msg"]))
    return error_responses.error_response(
        request, UsageError(f"'{name}' in the address {reason}. Correct it.")
    )
