"""`/sign-in/oidc`: to the OpenID provider and back. Who comes back gets their key."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from voxgate.errors import VoxgateError
from voxgate.web.signing import sign_in
from voxgate.web.signing.oidc.attempt import ATTEMPT_S, Attempt
from voxgate.web.signing.oidc.id_token import verified_identity
from voxgate.web.signing.oidc.provider import IdentityError
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.ledger.key import Key
    from voxgate.web.signing.oidc.attempt import Attempts
    from voxgate.web.signing.oidc.id_token import Identity
    from voxgate.web.signing.oidc.provider import IdentityProvider

PATH = sign_in.PATH + "/oidc"
RETURN = PATH + "/return"


async def begin(request: Request) -> Response:
    """Send the browser to the provider."""
    provider, attempts = _provider(request)
    attempt = Attempt.begin(sign_in.own_path(request.query_params.get("next", "")))
    address = await provider.authorization_address(
        redirect_uri=_return_address(request),
        state=attempt.state,
        nonce=attempt.nonce,
        verifier=attempt.verifier,
    )
    response = RedirectResponse(address, 303)
    response.set_cookie(
        attempts.cookie_name,
        attempts.issue(attempt),
        max_age=ATTEMPT_S,
        path=PATH,
        httponly=True,
        samesite="lax",  # who comes back comes from another site
        secure=request.url.scheme == "https",
    )
    return response


async def come_back(request: Request) -> Response:
    """Check who comes back from the provider, and begin a session with their key.

    A page leads on from there: a browser does not send the session's cookie, which is for requests
    of this site alone, along a redirect that another site began.
    """
    provider, attempts = _provider(request)
    query = request.query_params
    attempt = attempts.finish(request.cookies.get(attempts.cookie_name), query.get("state", ""))
    try:
        if attempt is None:
            raise IdentityError(
                "This sign-in was not begun in this browser, took too long, or has come back "
                "already. Sign in again."
            )
        if error := query.get("error"):
            raise IdentityError(f"{provider.issuer} refuses this sign-in ({error[:100]}).")
        token = await provider.id_token(
            code=query.get("code", ""),
            redirect_uri=_return_address(request),
            verifier=attempt.verifier,
        )
        identity = await verified_identity(provider, token, attempt.nonce)
    except IdentityError:
        Site.of(request).gateway.wrong_keys.add(request.client.host if request.client else "")
        raise
    key = await _key_of(request, identity)
    renderer = Site.of(request).renderer
    visitor = await find_visitor(request)
    response = renderer.page(request, "signed_in.html", visitor, next=attempt.next)
    sign_in.begin_session(request, response, key.hash)
    response.delete_cookie(attempts.cookie_name, path=PATH)
    return response


async def _key_of(request: Request, identity: Identity) -> Key:
    """Return the newest valid key that is for this person: by e-mail address, else by subject.

    Raises `VoxgateError` (`permission_denied`) where there is none.
    """
    keys = await Site.of(request).gateway.ledger.keys.all()
    for key in reversed(keys):
        if key.state == "valid" and identity.is_user(key.external_user):
            return key
    name = identity.name
    raise VoxgateError(
        f"No key of this server is for {name}. Who manages it makes one: on the page of keys with "
        f"'For' {name}, or by `voxgate keys create --name NAME --external-user {name}`.",
        code="permission_denied",
    )


def _provider(request: Request) -> tuple[IdentityProvider, Attempts]:
    site = Site.of(request)
    if site.provider is None or site.attempts is None:
        raise VoxgateError(
            "This server knows no OpenID provider: 'oidc_issuer' sets one.", code="not_found"
        )
    return site.provider, site.attempts


def _return_address(request: Request) -> str:
    """Return where the provider sends the browser back to: it knows that address by heart."""
    return str(request.url.replace(path=RETURN, query=""))


PAGES = (("GET", PATH, begin), ("GET", RETURN, come_back))
