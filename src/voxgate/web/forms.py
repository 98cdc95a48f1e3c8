"""Forms: only those that a page of this server sent for its visitor, and small ones."""

from __future__ import annotations

import asyncio
import hmac
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from starlette.requests import Request

    from voxgate.web.visitor import Visitor

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


async def _fields(request: Request) -> dict[str, str]:
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/x-www-form-urlencoded":
        raise UsageError(f"A form here is application/x-www-form-urlencoded, not '{kind[:100]}'.")
    try:
        async with asyncio.timeout(FORM_PATIENCE_S):
            data = await _body(request)
    except TimeoutError as error:
        raise VoxgateError(
            f"This form did not arrive within {FORM_PATIENCE_S} s. Send it again.",
            code="request_timeout",
        ) from error
    try:
        given = parse_qs(
            data.decode(), keep_blank_values=True, errors="strict", max_num_fields=MAX_FIELDS
        )
    except ValueError as error:
        raise UsageError("This form is malformed. Load the page again.") from error
    return {name: values[-1] for name, values in given.items()}


async def _body(request: Request) -> bytearray:
    data = bytearray()
    async for chunk in request.stream():
        data += chunk
        if len(data) > MAX_FORM_BYTES:
            raise VoxgateError(
                f"This form has more than {MAX_FORM_BYTES // 1024} KiB. Recordings are sent to the "
                f"API.",
                code="payload_too_large",
            )
    return data


def _host(origin: str) -> str:
    try:
        return urlsplit(origin).netloc.lower()
    except ValueError:
        return ""
