"""`add_pages`: the pages' routes, on the application that has the API."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, TypeAlias

from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.middleware.gzip import GZipMiddleware
from starlette.responses import RedirectResponse
from starlette.routing import Route

from voxgate.api.error_responses import http_error_response
from voxgate.api.request_log import RequestEntry
from voxgate.errors import VoxgateError
from voxgate.web.account import generations, keys, overview, usage
from voxgate.web.assets import PREFIX, Assets
from voxgate.web.models import compare_page, model_page, models_page
from voxgate.web.no_frames import NoFrames
from voxgate.web.owner import log, models, providers, server, settings_page
from voxgate.web.playground import playground, playground_export
from voxgate.web.rendering import Renderer, guard
from voxgate.web.signing import sign_in
from voxgate.web.signing.oidc import pages as oidc
from voxgate.web.signing.oidc.attempt import Attempts
from voxgate.web.signing.oidc.provider import IdentityProvider
from voxgate.web.signing.page_calls import PageCalls
from voxgate.web.signing.session_cookie import SessionCookie
from voxgate.web.signing.visitor import SignInNeeded, find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from fastapi import FastAPI
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.gateway import Gateway
    from voxgate.web.signing.visitor import Visitor

    Endpoint: TypeAlias = Callable[[Request], Awaitable[Response]]

API_PATHS = ("/api/", "/v1/")
LEAST_COMPRESSED = 1024  # bytes

PAGES: tuple[tuple[str, str, Endpoint], ...] = (
    *models_page.PAGES,
    *overview.PAGES,
    *usage.PAGES,
    *generations.PAGES,
    *keys.PAGES,
    *playground.PAGES,
    *playground_export.PAGES,
    *model_page.PAGES,
    *compare_page.PAGES,
    *server.PAGES,
    *models.PAGES,
    *providers.PAGES,
    *settings_page.PAGES,
    *log.PAGES,
    *sign_in.PAGES,
    *oidc.PAGES,
)
"""Method, path and endpoint of each page."""


def add_pages(app: FastAPI, gateway: Gateway) -> None:
    """Add the pages to the application. Raises `SettingsError` where their secret has no place."""
    assets, cookie = Assets(), SessionCookie.of(gateway.settings)
    provider = IdentityProvider(gateway.settings) if gateway.settings.oidc_issuer else None
    origins = settings_page.origins_now()
    app.state.site = Site(
        gateway, Renderer(assets), cookie, origins, provider, Attempts(cookie.signing, cookie.name)
    )
    app.add_middleware(PageCalls, cookie=cookie)
    app.add_middleware(NoFrames)
    compressed = [Middleware(GZipMiddleware, minimum_size=LEAST_COMPRESSED)]
    for method, path, endpoint in PAGES:
        told = _with_error_pages(endpoint)
        route = Route(path, told, methods=[method], middleware=compressed, include_in_schema=False)
        app.router.routes.append(route)
    files = _with_error_pages(assets.serve)
    app.router.routes.append(Route(f"{PREFIX}/{{digest}}/{{name:path}}", files))

    app.add_exception_handler(HTTPException, _no_page)


async def _no_page(request: Request, error: Exception) -> Response:
    """Tell a person of a page that is not there, and a program as the API does."""
    assert isinstance(error, HTTPException)  # noqa: S101 (it is registered for this class)
    path, known = request.url.path[:200], {404: "not_found", 405: "method_not_allowed"}
    if not (error.status_code in known and _is_for_people(request)):
        answer = await http_error_response(request, error)
        return answer if request.url.path.startswith(API_PATHS) else guard(answer)
    RequestEntry.of(request.scope).code = known[error.status_code]
    if error.status_code == 404:
        sentence = f"There is no page at {path}."
    else:  # of a form that was sent, after which somebody loads its address
        sentence = f"{path} is where a form is sent to, and no page. Go back to the page with it."
    page = await _error_page(request, error.status_code, VoxgateError(sentence, code="not_found"))
    page.headers.update(error.headers or {})
    return page


def _with_error_pages(endpoint: Endpoint) -> Endpoint:
    """Return an endpoint whose failures are pages with their sentence, and which is guarded."""

    @wraps(endpoint)
    async def answer(request: Request) -> Response:
        return guard(await _answered(endpoint, request))

    return answer


async def _answered(endpoint: Endpoint, request: Request) -> Response:
    try:
        return await endpoint(request)
    except SignInNeeded:
        return RedirectResponse(sign_in.address(request), 303)
    except VoxgateError as error:
        RequestEntry.of(request.scope).fail(error)
        return await _error_page(request, error.status, error)


async def _error_page(request: Request, status: int, error: VoxgateError) -> Response:
    """Tell what happened: all of it to who manages the server."""
    visitor, renderer = await _visitor(request), Site.of(request).renderer
    sentence = error.sentence if visitor and visitor.manages else error.public_sentence
    values = {"sentence": sentence, "status_code": status}
    return renderer.page(request, "error.html", visitor, status=status, **values)


async def _visitor(request: Request) -> Visitor | None:
    try:
        return await find_visitor(request)
    except VoxgateError:
        return None


def _is_for_people(request: Request) -> bool:
    accepts = request.headers.get("accept", "")
    return "text/html" in accepts and not request.url.path.startswith(API_PATHS)
