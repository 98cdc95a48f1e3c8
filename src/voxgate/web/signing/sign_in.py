"""Signing in: a key, typed once, becomes a cookie; signing out ends it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit

from starlette.responses import RedirectResponse

from voxgate.api.auth import MAX_KEY
from voxgate.errors import VoxgateError
from voxgate.web.signing.forms import read_form, read_public_form
from voxgate.web.signing.session_cookie import SESSION_S
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from urllib.parse import SplitResult

    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.web.signing.visitor import Visitor

PATH = "/sign-in"
LONGEST_PATH = 1000  # characters


def address(request: Request) -> str:
    """Return where to sign in, and come back to the page that was asked for.

    Of a form that was sent, that is the page which it stands on: its own address is none.
    """
    asked = request.url if request.method == "GET" else _page_of_form(request)
    query = f"?{asked.query}" if asked.query else ""
    return f"{PATH}?next={quote(asked.path + query, safe='/')}"


def _page_of_form(request: Request) -> SplitResult:
    try:
        page = urlsplit(request.headers.get("referer", ""))
    except ValueError:
        page = urlsplit("/")
    own = page.netloc.lower() == request.headers.get("host", "").lower()
    return page if own and page.path else urlsplit("/")


async def show(request: Request) -> Response:
    """The form, or for somebody who needs none the page that was asked for."""
    visitor = await find_visitor(request)
    next_ = own_path(request.query_params.get("next", ""))
    if visitor.signed_in:
        return RedirectResponse(next_, 303)
    return _form(request, visitor, next_)


async def sign_in(request: Request) -> Response:
    """Check a key and set the cookie of a new session."""
    fields = await read_public_form(request)
    next_ = own_path(fields.get("next", ""))
    try:
        key_hash = await _check_key(request, fields.get("key", "").strip())
    except VoxgateError as error:
        if error.code != "authentication":
            raise
        return _form(request, await find_visitor(request), next_, error.sentence, status=401)
    response = RedirectResponse(next_, 303)
    begin_session(request, response, key_hash)
    return response


def begin_session(request: Request, response: Response, key_hash: str) -> None:
    """Set the cookie of a new session, whatever cookie the browser has."""
    cookie = Site.of(request).cookie
    response.set_cookie(
        cookie.name,
        cookie.issue(key_hash),
        max_age=SESSION_S,
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


async def sign_out(request: Request) -> Response:
    """Delete the cookie, and what the pages kept in the browser."""
    await read_form(request, await find_visitor(request))
    response = RedirectResponse("/", 303, {"Clear-Site-Data": '"storage"'})
    response.delete_cookie(Site.of(request).cookie.name)
    return response


def _form(
    request: Request, visitor: Visitor, next_: str, sentence: str = "", *, status: int = 200
) -> Response:
    site = Site.of(request)
    return site.renderer.page(
        request,
        "sign_in.html",
        visitor,
        status=status,
        next=next_,
        sentence=sentence,
        issuer=site.provider.issuer if site.provider else "",
    )


async def _check_key(request: Request, secret: str) -> str:
    """Return the hash of a valid key. Raises `VoxgateError`, and `BusyError` for too many."""
    gateway = Site.of(request).gateway
    known = 0 < len(secret) <= MAX_KEY
    key = await gateway.ledger.keys.authenticate(secret) if known else None
    if key is None:
        gateway.wrong_keys.add(request.client.host if request.client else "")
        raise VoxgateError(
            "This key is not valid here: unknown, or revoked. `voxgate keys list` on the server "
            "says which are, `voxgate keys create --name NAME` makes a new one.",
            code="authentication",
        )
    return key.hash


def own_path(text: str) -> str:
    """Return a path of this server. An address of another one would be a trap.

    A long one fits into no cookie of a sign-in at a provider.
    """
    own = (
        len(text) <= LONGEST_PATH
        and text.startswith("/")
        and not text.startswith(("//", "/\\"))
        and text.isprintable()
    )
    return text if own and "\\" not in text else "/"


PAGES = (("GET", PATH, show), ("POST", PATH, sign_in), ("POST", "/sign-out", sign_out))
