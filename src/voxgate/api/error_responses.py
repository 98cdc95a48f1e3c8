"""The shape of every error response, those of the framework included.

    {"error": {"code": 400, "message": "...", "metadata": {"error_type": "...", "code": "..."}}}

`error.code` is the HTTP status, an integer: OpenRouter's clients hide the message of any other body
(openrouter-api.md 3.1, 11.2). `error.metadata.code` is the stable name of the failure. A client
that reads the sentence elsewhere only has it there as well: see `strict_clients`.
"""

from __future__ import annotations

import json
import math
from http import HTTPStatus
from typing import TYPE_CHECKING, Any

from starlette.exceptions import HTTPException
from starlette.responses import Response

from voxgate.api.dialects.strict_clients import mistral_error
from voxgate.api.request_log import RequestEntry
from voxgate.api.request_rates import RateError
from voxgate.errors import Availability, AvailabilityError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import TypeAlias

    from fastapi import FastAPI
    from starlette.requests import Request

    from voxgate.errors import Code

    ErrorBody: TypeAlias = Callable[[VoxgateError, str | None, str], bytes]
    """Makes the body of an error, of a model, for a client by its User-Agent."""

ERROR_TYPES = {
    400: "invalid_request",
    401: "authentication",
    402: "payment_required",
    403: "permission_denied",
    404: "not_found",
    408: "timeout",
    413: "payload_too_large",
    429: "rate_limit_exceeded",
    502: "provider_unavailable",
    503: "provider_overloaded",
    504: "timeout",
}
"""OpenRouter's names; any other 4xx is an `invalid_request`, any other 5xx is `server`."""

AVAILABILITY_CODES: dict[Code, str] = {
    "model_not_found": "model_not_found",
    "no_endpoints": "no_endpoints",
    "model_too_large": "no_endpoints",
    "constraint_filtered": "constraint_filtered",
    "privacy_restricted": "privacy_restricted",
    "capacity_exhausted": "capacity_exhausted",
    "temporarily_unavailable": "temporarily_unavailable",
}
"""OpenRouter's codes for models that are not available, by ours (openrouter-api.md 3.3)."""

REQUIRED_FACTS = {"code", "retryable", "requested_models", "docs_url"}
"""What an `availability` always has; the other members are there where they apply."""


def error_body(error: VoxgateError, model: str | None = None, user_agent: str = "") -> bytes:
    """Return the error as a JSON body, in ASCII."""
    available = _availability(error, model)
    return _body(error.status, error.public_sentence, error.code, user_agent, available)


def error_object(error: VoxgateError) -> dict[str, Any]:
    """Return what `error_body` has under `error`, for events."""
    return _object(error.status, error.public_sentence, error.code)


def error_response(
    request: Request,
    error: VoxgateError,
    model: str | None = None,
    body: ErrorBody = error_body,
) -> Response:
    """Return the error as a response with its status and headers, after noting it for the log."""
    RequestEntry.of(request.scope).fail(error)
    content = body(error, model, _user_agent(request))
    return _encoded(content, error.status, error_headers(error))


def error_headers(error: VoxgateError) -> dict[str, str]:
    """Return `Retry-After` where a retry helps, else the header that stops OpenAI's client."""
    headers = {} if error.retryable else {"x-should-retry": "false"}
    if error.retry_after_s is not None:
        headers["Retry-After"] = str(max(1, math.ceil(error.retry_after_s)))
    if isinstance(error, RateError):
        headers["X-RateLimit-Limit"] = str(error.limit)
        headers["X-RateLimit-Remaining"] = "0"
        headers["X-RateLimit-Reset"] = str(error.reset_ms)
    elif error.retry_after_s is None and error.retryable and error.status == 503:
        headers["Retry-After"] = "1"
    if error.status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    if error.status == 408:
        # The rest of the body may still arrive: it must not be read as a request.
        headers["Connection"] = "close"
    return headers


def json_response(value: Any, status: int = 200) -> Response:
    """Return a response with a value as JSON, in ASCII."""
    return _encoded(json.dumps(value).encode(), status)


def _encoded(body: bytes, status: int, headers: dict[str, str] | None = None) -> Response:
    return Response(body, status, headers, media_type="application/json")


def install_error_handlers(app: FastAPI) -> None:
    """Register handlers that give the framework's errors the same shape."""
    app.add_exception_handler(VoxgateError, _voxgate)
    app.add_exception_handler(HTTPException, http_error_response)
    app.add_exception_handler(Exception, _bug)


async def _voxgate(request: Request, error: Exception) -> Response:
    assert isinstance(error, VoxgateError)  # noqa: S101 (for the type checker: it is registered for this class)
    return error_response(request, error)


async def http_error_response(request: Request, error: Exception) -> Response:
    """Return what a path or a method that is not there is answered with."""
    assert isinstance(error, HTTPException)  # noqa: S101 (as above)
    if error.status_code == 404:
        sentence = f"There is nothing at {request.url.path[:200]}. See /docs for what there is."
    elif error.status_code == 405:
        sentence = f"{request.method} is not for {request.url.path[:200]}. See /docs for what is."
    else:
        sentence = str(error.detail)
    name = HTTPStatus(error.status_code).phrase.lower().replace(" ", "_")
    RequestEntry.of(request.scope).code = name
    body = _body(error.status_code, sentence, name, _user_agent(request))
    return _encoded(body, error.status_code, dict(error.headers or {}))


async def _bug(request: Request, _: Exception) -> Response:
    RequestEntry.of(request.scope).code = "internal_error"  # uvicorn logs the traceback
    sentence = "The server failed. Its log says why: please report it."
    return _encoded(_body(500, sentence, "internal_error", _user_agent(request)), 500)


def _user_agent(request: Request) -> str:
    return request.headers.get("user-agent", "")


def _availability(error: VoxgateError, model: str | None) -> dict[str, Any] | None:
    code = AVAILABILITY_CODES.get(error.code)
    if code is None:
        return None
    availability = error.availability if isinstance(error, AvailabilityError) else Availability()
    named = [model] if model is not None else []
    facts = {
        "code": code,
        "retryable": error.retryable,
        "requested_models": list(availability.models) or named,
        "docs_url": "/docs",
        "retry_after": availability.retry_after_s,
        "affected_providers": list(availability.providers),
        "excluded_by": list(availability.excluded_by),
        "constraint": None,
    }
    if availability.constraint:
        field, detail = availability.constraint
        facts["constraint"] = {"field": field, "detail": detail}
    return {name: value for name, value in facts.items() if value or name in REQUIRED_FACTS}


def _body(
    status: int,
    sentence: str,
    name: str,
    user_agent: str,
    availability: dict[str, Any] | None = None,
) -> bytes:
    error = _object(status, sentence, name)
    if availability is not None:
        error["availability"] = availability
    kind = error["metadata"]["error_type"]
    return json.dumps(
        {"error": error, **mistral_error(user_agent, status, sentence, kind)}
    ).encode()


def _object(status: int, sentence: str, name: str) -> dict[str, Any]:
    kind = ERROR_TYPES.get(status, "invalid_request" if status < 500 else "server")
    return {
        "code": status,
        "message": sentence,
        "metadata": {"error_type": kind, "code": name},
    }
