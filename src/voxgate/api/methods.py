"""`Methods`: HEAD and OPTIONS for every path, by what its routes have, and `Allow` of a 405."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.datastructures import MutableHeaders
from starlette.responses import Response
from starlette.routing import Match

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Message, Receive, Scope, Send

OWN_METHODS = ("GET", "POST", "PATCH", "DELETE")
"""The methods that routes have. HEAD goes with GET, and OPTIONS with each."""


class Methods:
    """Middleware next to the routes: the paths that it sees are those that are routed."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
        elif scope["method"] == "OPTIONS":
            await self._answer_options(scope, receive, send)
        elif scope["method"] == "HEAD":
            head = _Head(_with_allow(scope, send))
            await self._app({**scope, "method": "GET"}, head.receive, head.send)
        else:
            await self._app(scope, receive, _with_allow(scope, send))

    async def _answer_options(self, scope: Scope, receive: Receive, send: Send) -> None:
        allowed = ", ".join(allowed_methods(scope))
        options = Response(status_code=204, headers={"Allow": allowed})
        await (options if allowed else self._app)(scope, receive, send)  # the app answers 404


def allowed_methods(scope: Scope) -> list[str]:
    """Return the methods of a path, or nothing where there is no such path."""
    own = [method for method in OWN_METHODS if _is_routed(scope, method)]
    return own and [*own, *(["HEAD"] if "GET" in own else []), "OPTIONS"]


def _is_routed(scope: Scope, method: str) -> bool:
    asked = {**scope, "method": method}
    return any(route.matches(asked)[0] is Match.FULL for route in scope["app"].routes)


def _with_allow(scope: Scope, send: Send) -> Send:
    """Complete the header of a 405: the framework names the first route's methods alone."""

    async def send_completed(message: Message) -> None:
        if message["type"] == "http.response.start" and message["status"] == 405:
            MutableHeaders(scope=message)["allow"] = ", ".join(allowed_methods(scope))
        await send(message)

    return send_completed


class _Head:
    """Sends the head of the response to GET, and then tells the application that nobody is left.

    So a download does not read its file.
    """

    def __init__(self, send: Send) -> None:
        self._send, self._is_sent = send, asyncio.Event()

    async def send(self, message: Message) -> None:
        """Send the head; at the first part of the body, the end of the response."""
        if message["type"] == "http.response.start":
            await self._send(message)
        elif not self._is_sent.is_set():
            await self._send({"type": "http.response.body", "body": b""})
            self._is_sent.set()

    async def receive(self) -> Message:
        """Wait until the response is sent. A body is not for HEAD."""
        await self._is_sent.wait()
        return {"type": "http.disconnect"}
