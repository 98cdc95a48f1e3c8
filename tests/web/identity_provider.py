"""An OpenID provider on the loopback: real keys, real signatures, PKCE, and faults on demand.

It signs in whoever comes, without asking. Its name is `localhost`, so that a browser takes it for
another site than the server, which is at 127.0.0.1.
"""

from __future__ import annotations

import base64
import json
import secrets
import threading
import time
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, unquote, urlencode, urlsplit

from authlib.oauth2.rfc7636 import create_s256_code_challenge
from joserfc import jwt
from joserfc.jwk import KeySet, RSAKey

if TYPE_CHECKING:
    from collections.abc import Iterator

CLIENT_ID = "voxgate pages"
CLIENT_SECRET = "a secret: with signs%"  # noqa: S105 (of these tests)


@dataclass
class OpenIdProvider:
    """What it says of who signs in, and of itself."""

    person: dict[str, Any]
    claims: dict[str, Any] = field(default_factory=dict)  # in the place of what is right
    without: set[str] = field(default_factory=set)  # claims that a token lacks
    header: dict[str, Any] = field(default_factory=dict)
    issuer: str = ""
    key: RSAKey = field(default_factory=lambda: RSAKey.generate_key(2048, {"kid": "one"}))
    published: list[RSAKey] = field(default_factory=list)
    token: str | None = None  # in the place of one that it signs
    asked: list[str] = field(default_factory=list)  # paths
    codes: dict[str, dict[str, str]] = field(default_factory=dict)  # with what they were asked for

    @contextmanager
    def running(self) -> Iterator[OpenIdProvider]:
        server = ThreadingHTTPServer(("127.0.0.1", 0), partial(_Handler, self))
        self.issuer = f"http://localhost:{server.server_address[1]}"
        self.published = self.published or [self.key]
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield self
        finally:
            server.shutdown()
            server.server_close()
            thread.join()

    def id_token(self, nonce: str) -> str:
        """Return a token for the person, with the faults that are set."""
        if self.token is not None:
            return self.token
        now = int(time.time())
        right = {"iss": self.issuer, "aud": CLIENT_ID, "iat": now, "exp": now + 300, "nonce": nonce}
        claims = {**right, **self.person, **self.claims}
        header = {"alg": "RS256", "kid": self.key.kid, **self.header}
        kept = {name: value for name, value in claims.items() if name not in self.without}
        return jwt.encode(header, kept, self.key)


def _is_who_asked(form: dict[str, str], asked: dict[str, str]) -> bool:
    same = create_s256_code_challenge(form["code_verifier"]) == asked["code_challenge"]
    return same and form.get("redirect_uri") == asked["redirect_uri"]


class _Handler(BaseHTTPRequestHandler):
    def __init__(self, provider: OpenIdProvider, *rest: Any) -> None:
        self.provider = provider
        super().__init__(*rest)

    def log_message(self, *_: object) -> None:
        """Log nothing."""

    def do_GET(self) -> None:
        parts, own = urlsplit(self.path), self.provider
        own.asked.append(parts.path)
        if parts.path == "/.well-known/openid-configuration":
            self._answer(
                {
                    "issuer": own.issuer,
                    "authorization_endpoint": f"{own.issuer}/authorize",
                    "token_endpoint": f"{own.issuer}/token",
                    "jwks_uri": f"{own.issuer}/keys",
                }
            )
        elif parts.path == "/keys":
            self._answer(dict(KeySet([*own.published]).as_dict(private=False)))
        elif parts.path == "/authorize":
            query = {name: values[0] for name, values in parse_qs(parts.query).items()}
            assert (query["response_type"], query["client_id"]) == ("code", CLIENT_ID)
            assert query["code_challenge_method"] == "S256"
            code = secrets.token_urlsafe(8)
            own.codes[code] = query
            back = urlencode({"code": code, "state": query["state"]})
            self.send_response(302)
            self.send_header("Location", f"{query['redirect_uri']}?{back}")
            self.send_header("Content-Length", "0")
            self.end_headers()
        else:
            self._answer({}, 404)

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"])).decode()
        form = {name: values[0] for name, values in parse_qs(body).items()}
        asked = self.provider.codes.pop(form.get("code", ""), None)
        if asked is None or not _is_who_asked(form, asked):
            self._answer({"error": "invalid_grant"}, 400)
        elif not self._knows_the_secret():
            self._answer({"error": "invalid_client"}, 401)
        else:
            token = self.provider.id_token(asked["nonce"])
            self._answer({"access_token": "x", "token_type": "Bearer", "id_token": token})

    def _knows_the_secret(self) -> bool:
        sent = base64.b64decode(self.headers.get("Authorization", "").removeprefix("Basic "))
        name, _, secret = map(unquote, sent.decode().partition(":"))
        return (name, secret) == (CLIENT_ID, CLIENT_SECRET)

    def _answer(self, document: dict[str, Any], status: int = 200) -> None:
        data = json.dumps(document).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)
