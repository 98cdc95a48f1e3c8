"""`PageCalls`: the API, called by a script of a page, with its visitor's sign-in instead of a key.

A script sends the visitor's token in `X-Voxgate-Csrf`, which a page of another site can neither
read nor send: such a header makes a browser ask first. Without it a cookie opens nothing here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.datastructures import Headers
from starlette.requests import HTTPConnection

from voxgate.api.auth import SIGNED_IN

if TYPE_CHECKING:
    from starlette.types import ASGIApp, Receive, Scope, Send

    from voxgate.web.signing.session_cookie import SessionCookie

TOKEN_HEADER = "x-voxgate-csrf"  # noqa: S105 (its name)


class PageCalls:
    """Middleware that notes whose sign-in a request of a page carries."""

    def __init__(self, app: ASGIApp, cookie: SessionCookie) -> None:
        self._app, self._cookie = app, cookie

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve the request."""
        if scope["type"] == "http":
            headers = Headers(scope=scope)
            if TOKEN_HEADER in headers and "authorization" not in headers:
                cookies = HTTPConnection(scope).cookies  # read as the pages read them
                key_hash = self._signed_in(headers[TOKEN_HEADER], cookies.get(self._cookie.name))
                if key_hash:
                    scope[SIGNED_IN] = key_hash
        await self._app(scope, receive, send)

    def _signed_in(self, token: str, cookie: str | None) -> str | None:
        session = self._cookie.read(cookie)
        if session is None or not self._cookie.is_session_token(token, session):
            return None
        return session.key_hash
