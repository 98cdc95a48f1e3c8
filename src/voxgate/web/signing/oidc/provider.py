"""`IdentityProvider`: what the operator's OpenID provider says: its addresses, keys and tokens.

By httpx2: Authlib's own clients want other libraries. From Authlib are the forms of requests and
the rules for tokens, from joserfc the signatures.
"""

from __future__ import annotations

import json
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias
from urllib.parse import quote, urlsplit

import httpx2

from voxgate.errors import SettingsError, UpstreamError, UsageError, VoxgateError
from voxgate.http_environment import reading_environment
from voxgate.installation import Installation
from voxgate.offline import is_local, offline_error

if TYPE_CHECKING:
    from voxgate.settings import Settings

Document: TypeAlias = dict[str, Any]

DISCOVERY = "/.well-known/openid-configuration"
PATIENCE_S = 10.0
MAX_BYTES = 2**20
KEPT_S = 3600.0
"""How long addresses and keys are taken as they were read."""

LEAST_REFRESH_S = 10.0
"""Keys are not read again sooner than that after they were read for a token of an unknown one."""


class IdentityError(VoxgateError):
    """The provider, or who comes from it, cannot be believed."""

    default_code = "authentication"


@dataclass(slots=True)
class _Read:
    document: Document
    at: float


class IdentityProvider:
    """One provider, at which this server is registered."""

    def __init__(self, settings: Settings) -> None:
        """Raises `SettingsError` for an address that others could change, or without Authlib."""
        self.issuer = settings.oidc_issuer
        self.client_id, self._client_secret = settings.oidc_client_id, settings.oidc_client_secret
        self._offline = settings.offline
        self._read: dict[str, _Read] = {}
        self._refreshed_at = float("-inf")
        if not _is_safe(self.issuer):
            raise SettingsError(
                f"'oidc_issuer' is '{self.issuer}', and must begin with https://: who can change "
                f"what it says could sign in as anybody."
            )
        if not _is_bare(self.issuer):
            raise SettingsError(
                "'oidc_issuer' has a name, a password or a query in it, and visitors read it: give "
                "the address alone, as the provider calls itself."
            )
        try:
            import authlib.oidc.core  # noqa: F401, PLC0415 (an extra)
        except ModuleNotFoundError as error:
            raise SettingsError(
                f"'oidc_issuer' needs Authlib: `{Installation.find().install_extra('oidc')}`."
            ) from error

    async def authorization_address(
        self, *, redirect_uri: str, state: str, nonce: str, verifier: str
    ) -> str:
        """Return where a browser is sent to sign in there. Raises `VoxgateError`."""
        from authlib.oauth2.rfc6749.parameters import prepare_grant_uri  # noqa: PLC0415
        from authlib.oauth2.rfc7636 import create_s256_code_challenge  # noqa: PLC0415

        return str(
            prepare_grant_uri(
                await self._endpoint("authorization_endpoint"),
                self.client_id,
                "code",
                redirect_uri,
                "openid email",
                state,
                nonce=nonce,
                code_challenge=create_s256_code_challenge(verifier),
                code_challenge_method="S256",
            )
        )

    async def id_token(self, *, code: str, redirect_uri: str, verifier: str) -> str:
        """Return the ID token that a code stands for. It is not looked at here.

        Raises `IdentityError` where the provider refuses it, and `VoxgateError`.
        """
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        answer = await self._post(await self._endpoint("token_endpoint"), form)
        token = answer.get("id_token")
        if not isinstance(token, str):
            raise IdentityError(
                f"{self.issuer} sent no ID token. Sign in again; if that repeats, who runs this "
                f"server looks at its registration there."
            )
        return token

    async def keys(self, *, anew: bool = False) -> Document:
        """Return the provider's public keys. `anew` reads them again, but not at once again."""
        address = await self._endpoint("jwks_uri")
        now = time.monotonic()
        if anew and now - self._refreshed_at >= LEAST_REFRESH_S:
            self._refreshed_at = now
            self._read.pop(address, None)
        return await self._get(address)

    async def _endpoint(self, name: str) -> str:
        found = await self._get(self.issuer.rstrip("/") + DISCOVERY)
        if found.get("issuer") != self.issuer:
            raise IdentityError(
                f"{self.issuer} calls itself {str(found.get('issuer'))[:200]!r}. Who runs this "
                f"server sets 'oidc_issuer' to what it calls itself."
            )
        address = found.get(name)
        if not isinstance(address, str) or not _is_safe(address):
            raise IdentityError(f"{self.issuer} names no {name} that begins with https://.")
        return address

    async def _get(self, address: str) -> Document:
        known = self._read.get(address)
        if known is not None and time.monotonic() - known.at < KEPT_S:
            return known.document
        document = await self._exchange("GET", address)
        self._read[address] = _Read(document, time.monotonic())
        return document

    async def _post(self, address: str, form: dict[str, str]) -> Document:
        if not self._client_secret:
            return await self._exchange("POST", address, data=form | {"client_id": self.client_id})
        discovered = await self._get(self.issuer.rstrip("/") + DISCOVERY)
        methods = discovered.get("token_endpoint_auth_methods_supported") or []
        if "client_secret_post" in methods and "client_secret_basic" not in methods:
            own = {"client_id": self.client_id, "client_secret": self._client_secret}
            return await self._exchange("POST", address, data=form | own)
        # Both are encoded as in a form before they are a header's: RFC 6749 2.3.1.
        basic = quote(self.client_id, safe=""), quote(self._client_secret, safe="")
        return await self._exchange("POST", address, data=form, auth=basic)

    async def _exchange(self, method: str, address: str, **options: Any) -> Document:
        """Return the object of JSON in an answer. Redirects are not followed."""
        local = is_local(urlsplit(address).hostname)
        if self._offline and not local:
            raise offline_error(f"This would ask {self.issuer} who signs in")
        try:
            with reading_environment(SettingsError, "the provider's host"):
                client = httpx2.AsyncClient(
                    # With an explicit transport, httpx2 does not use the environment's proxy.
                    transport=httpx2.AsyncHTTPTransport() if local else None,
                    timeout=PATIENCE_S,
                    headers={"Accept": "application/json"},
                )
            async with client, client.stream(method, address, **options) as answer:
                data = await _limited(answer)
        except httpx2.HTTPError as error:
            raise UpstreamError(
                f"{self.issuer} cannot be asked ({error or type(error).__name__}). Sign in with a "
                f"key, or try again later.",
            ) from error
        return self._document(answer.status_code, data)

    def _document(self, status: int, data: bytes) -> Document:
        try:
            found = json.loads(data)
        except ValueError:
            found = None
        if status == httpx2.codes.OK and isinstance(found, dict):
            return found
        if isinstance(found, dict) and isinstance(found.get("error"), str):
            raise IdentityError(
                f"{self.issuer} refuses this sign-in ({found['error'][:100]}). Sign in again."
            )
        raise UpstreamError(
            f"{self.issuer} answered {status} with what is not understood. Sign in with a key, or "
            f"try again later.",
        )


async def _limited(answer: httpx2.Response) -> bytes:
    data = bytearray()
    async for chunk in answer.aiter_bytes():
        data += chunk
        if len(data) > MAX_BYTES:
            raise UsageError("The OpenID provider's answer is too large.")
    return bytes(data)


def _is_bare(issuer: str) -> bool:
    """Return whether an issuer has but a scheme, a host and a path (OpenID Discovery 2)."""
    parts = urlsplit(issuer)
    return "@" not in parts.netloc and not parts.query and not parts.fragment


def _is_safe(address: str) -> bool:
    """Return whether nobody on the way can change what an address says."""
    try:
        parts = urlsplit(address)
        host = parts.hostname
    except ValueError:
        return False
    return bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and is_local(host)))
