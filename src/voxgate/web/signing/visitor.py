"""`Visitor`: who looks at a page, and what they may see."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.api.auth import caller, manages
from voxgate.errors import VoxgateError
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request

    from voxgate.ledger.key import Key


class SignInNeeded(Exception):  # noqa: N818 (it is no failure: the visitor is sent to a page)
    """A page shows nothing to somebody who has not signed in."""


@dataclass(frozen=True, slots=True)
class Visitor:
    """Who looks. Without keys (`auth` off) everybody on this machine is the owner."""

    key: Key | None  # of the sign-in; None without one, and where keys are off
    signed_in: bool  # or keys are off
    manages: bool  # may see and change what the ledger has of all keys
    asks_for_keys: bool  # there is something to sign in to, and out of
    csrf: str  # what a form of this visitor sends as `csrf`, and a script in `X-Voxgate-Csrf`

    @property
    def transcribes(self) -> bool:
        """Whether recordings may be sent: management keys do not transcribe."""
        return self.signed_in and not (self.key and self.key.management)


async def find_visitor(request: Request) -> Visitor:
    """Return who sent a request, by the cookie.

    Raises `VoxgateError` (`permission_denied`) where keys are off and the request is not of this
    machine.
    """
    site = Site.of(request)
    cookie, settings = site.cookie, site.gateway.settings
    if settings.auth == "off":
        await caller(request)
        owner = manages(None, settings)
        return Visitor(None, True, owner, False, cookie.csrf_token(None))
    session = cookie.read(request.cookies.get(cookie.name))
    key = await _valid_key(request, session.key_hash) if session else None
    if key is None:
        return Visitor(None, False, False, True, cookie.csrf_token(None))
    return Visitor(key, True, key.management, True, cookie.csrf_token(session))


async def require_visitor(request: Request) -> Visitor:
    """Return who signed in. Raises `SignInNeeded` where nobody has."""
    visitor = await find_visitor(request)
    if not visitor.signed_in:
        raise SignInNeeded
    return visitor


async def require_owner(request: Request) -> Visitor:
    """Return who may manage this server. Raises `SignInNeeded`, and `VoxgateError` for others."""
    visitor = await require_visitor(request)
    if not visitor.manages:
        raise VoxgateError(
            "This page is for management keys: `voxgate keys create --name NAME --management` on "
            "the server makes one. Sign out, and sign in with it.",
            code="permission_denied",
        )
    return visitor


async def _valid_key(request: Request, hash_: str) -> Key | None:
    try:
        return await Site.of(request).gateway.ledger.keys.valid(hash_)
    except VoxgateError as error:
        if error.code != "authentication":  # disabled or expired: as if nobody had signed in
            raise
        return None
