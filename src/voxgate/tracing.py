"""Spans of OpenTelemetry: those of requests, and of the stages of their work.

The API package alone is needed. Where no SDK is installed, or none is started, a span goes nowhere
and costs microseconds. No span has a word of speech, the name of a file, a key or an address: what
fails is named by its code, because a sentence may name a file.
"""

from __future__ import annotations

import asyncio
from contextlib import contextmanager, nullcontext, suppress
from ipaddress import ip_address
from typing import TYPE_CHECKING

from opentelemetry import propagate, trace
from opentelemetry.context import Context
from opentelemetry.trace import INVALID_SPAN, Span, SpanKind, Status, StatusCode

from voxgate._version import __version__
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

    from opentelemetry.util.types import AttributeValue
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

SERVER_FAULT = 500
"""The lowest status of a response that is the server's failure, and marks its span as an error."""

METHODS = {"GET", "HEAD", "POST", "PUT", "DELETE", "CONNECT", "OPTIONS", "TRACE", "PATCH"}
OTHER = "_OTHER"  # as semantic conventions call any other method

_tracer = trace.get_tracer("voxgate", __version__)


@contextmanager
def span(
    name: str,
    *,
    kind: SpanKind = SpanKind.INTERNAL,
    attributes: Mapping[str, AttributeValue] | None = None,
    parent: Context | None = None,
    current: bool = True,
) -> Iterator[Span]:
    """Be a span inside the context, below `parent` or else the current one; mark it if it fails.

    What is opened inside is below it, unless it is not `current`: an async generator must not
    change the context of its caller.
    """
    opened = _tracer.start_span(name, parent, kind, attributes)
    keeps_context = not current or opened is INVALID_SPAN
    try:
        with (
            nullcontext()
            if keeps_context
            else trace.use_span(opened, record_exception=False, set_status_on_exception=False)
        ):
            yield opened
    except BaseException as error:
        mark_failed(opened, error)
        raise
    finally:
        opened.end()


def mark_failed(span: Span, error: BaseException) -> None:
    """Mark a span as failed by the code of the error; one that was cancelled is no failure."""
    if isinstance(error, asyncio.CancelledError | GeneratorExit):
        span.set_attribute("error.type", "cancelled")
        return
    code = error.code if isinstance(error, VoxgateError) else type(error).__name__
    span.set_attribute("error.type", code)
    span.set_status(Status(StatusCode.ERROR, code))


def mark_response(error: VoxgateError) -> None:
    """Note the error that the current request is answered with; its own mistake is no failure."""
    current = trace.get_current_span()
    if error.status >= SERVER_FAULT:
        mark_failed(current, error)
    else:
        current.set_attribute("error.type", error.code)


def trace_headers() -> dict[str, str]:
    """Return the headers that put what the called process does below the current span."""
    headers: dict[str, str] = {}
    propagate.inject(headers)
    return headers


def current_trace_id() -> str | None:
    """Return the id of the current trace, 32 hexadecimal digits; None where there is none."""
    context = trace.get_current_span().get_span_context()
    return trace.format_trace_id(context.trace_id) if context.is_valid else None


class RequestSpans:
    """ASGI middleware: each request is a span below its caller's (W3C Trace Context).

    It is named and described by its route, as HTTP's semantic conventions have it; the path is
    left out where the route has parameters, because they may be anything that a caller wrote.
    """

    def __init__(self, app: ASGIApp, without: Collection[str] = ()) -> None:
        """Requests to the paths in `without` have no span."""
        self._app, self._without = app, frozenset(without)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["path"] in self._without:
            await self._app(scope, receive, send)
            return
        headers = {
            name.decode("latin-1"): value.decode("latin-1") for name, value in scope["headers"]
        }
        # A context of its own: the task's may be left over from the connection's last request.
        parent = propagate.extract(headers, Context())
        attributes = {"http.request.method": _method(scope), "url.scheme": scope["scheme"]}
        with span("HTTP", kind=SpanKind.SERVER, attributes=attributes, parent=parent) as opened:

            async def send_and_note(message: Message) -> None:
                if message["type"] == "http.response.start":
                    status = message["status"]
                    opened.set_attribute("http.response.status_code", status)
                    if status >= SERVER_FAULT:
                        opened.set_status(StatusCode.ERROR)
                await send(message)

            try:
                await self._app(scope, receive, send_and_note)
            finally:
                if opened.is_recording():
                    _describe(opened, scope)


def _describe(opened: Span, scope: Scope) -> None:
    """Add what is known of a request when it has been routed."""
    for side in ("client", "server"):
        host = scope[side][0] if scope.get(side) else ""
        with suppress(ValueError):  # a caller on the loopback may pose as a proxy, of any name
            opened.set_attribute(f"{side}.address", str(ip_address(host)))
    method, route = _method(scope), _route(scope)
    opened.update_name(" ".join(filter(None, ["HTTP" if method == OTHER else method, route])))
    if route is not None:
        opened.set_attribute("http.route", route)
        if "{" not in route:
            opened.set_attribute("url.path", route)


def _method(scope: Scope) -> str:
    """Return the request's method; any other than HTTP's own may be what a caller wrote."""
    method = str(scope["method"])
    return method if method in METHODS else OTHER


def _route(scope: Scope) -> str | None:
    """Return the pattern of the request's path; None where there is nothing at it.

    The route knows its own part. What it is included below is in the path, before that part.
    """
    own: str | None = getattr(scope.get("route"), "path", None)
    if own is None:
        return None
    return str(scope["path"]).partition(own.partition("{")[0])[0] + own
