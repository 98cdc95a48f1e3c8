"""Forms: only those that a page of this server sent for its visitor, and small ones."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from voxgate.errors import UsageError, VoxgateError
from voxgate.web.signing.page_calls import TOKEN_HEADER

if TYPE_CHECKING:
    from starlette.requests import Request

    from voxgate.web.signing.visitor import Visitor

MAX_FORM_BYTES = 64 * 1024
MAX_FIELDS = 100
FORM_PATIENCE_S = 30


async def read_form(request: Request, visitor: Visitor) -> dict[str, str]:
    """Return the fields of a form of this visitor's page; of a field that is twice, the last.

    Raises `VoxgateError` (`permission_denied`) for a form of another site or session, and
    `UsageError` for one that is too large or malformed.
    """
    check_same_origin(request)
    fields = await _fields(request)
    if not hmac.compare_digest(fields.get("csrf", "").encode(), visitor.csrf.encode()):
        raise VoxgateError(
            "This form is of another sign-in, or older than it. Load the page again, and repeat "
            "what you did.",
            code="permission_denied",
        )
    return fields


async def read_public_form(request: Request) -> dict[str, str]:
    """Return the fields of a form that comes before any sign-in: of this site, but of nobody.

    Raises as `read_form`.
    """
    check_same_origin(request)
    return await _fields(request)


def check_same_origin(request: Request) -> None:
    """Raise `VoxgateError` (`permission_denied`) for a request that another site's page sent.

    Browsers say it in `Sec-Fetch-Site`; older ones, and those on plain HTTP, in `Origin`.
    """
    site, origin = request.headers.get("sec-fetch-site"), request.headers.get("origin")
    if site:
        same = site == "same-origin"
    else:
        same = origin is not None and _host(origin) == request.headers.get("host", "").lower()
    if not same:
        raise VoxgateError(
            "This request comes from a page of another site, or from none. Open the page on this "
            "server, and repeat it there; programs use the API, with a key.",
            code="permission_denied",
        )


def check_script(request: Request, visitor: Visitor) -> None:
    """Raise `VoxgateError` (`permission_denied`) unless a script of this visitor's page sent it.

    That is one of this site, with the visitor's token in `X-Voxgate-Csrf`.
    """
    check_same_origin(request)
    token = request.headers.get(TOKEN_HEADER, "")
    if not hmac.compare_digest(token.encode(), visitor.csrf.encode()):
        raise VoxgateError(
            "This page is of another sign-in, or older than it. Load it again, and repeat what you "
            "did.",
            code="permission_denied",
        )


async def read_at_most(request: Request, limit: int, patience_s: float, what: str) -> bytearray:
    """Return a body of at most `limit` bytes; messages call it `what`.

    Raises `VoxgateError` for one that is larger, or that takes longer.
    """
    data = bytearray()
    try:
        async with asyncio.timeout(patience_s):
            async for chunk in request.stream():
                data += chunk
                if len(data) > limit:
                    raise VoxgateError(
                        f"{what} has more than {limit // 1024} KiB. Recordings are sent to the "
                        f"API.",
                        code="payload_too_large",
                    )
    except TimeoutError as error:
        raise VoxgateError(
            f"{what} did not arrive within {patience_s:g} s. Send it again.",
            code="request_timeout",
        ) from error
    return data


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError(f"A form here is application/x-www-form-urlencoded, not '{kind[:100]}'.")
    data = await read_at_most(request, MAX_FORM_BYTES, FORM_PATIENCE_S, "This form")
    try:
        given = parse_qs(
            data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise UsageError("This form is malformed. Load the page again.") from error
    return {name: values[-1] for name, values in given.items()}


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
