"""`/account/keys`: the keys of the server, for who manages them: made, changed, stopped, revoked.

A new key is shown once, on the page that answers its form, and is in no address. So that page is
not asked for by an address of its own (POST, redirect, GET), which would need to keep the secret
until then. A reload sends the form again, which is refused: its name is taken.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.key_usage import KeyUsage
from voxgate.ledger.transcript_cipher import check_secret
from voxgate.web.account.key_form import KeyForm
from voxgate.web.account.limits import limits_of
from voxgate.web.signing.forms import read_form
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.ledger.key import Key
    from voxgate.ledger.keys import Keys
    from voxgate.web.signing.visitor import Visitor

PATH = "/account/keys"
NEW = PATH + "/new"
ONE = PATH + "/{hash}"


async def listing(request: Request) -> Response:
    """All keys, the oldest first; revoked ones where the address asks for them."""
    site, visitor = Site.of(request), await require_owner(request)
    every = await site.gateway.ledger.keys.all()
    revoked = sum(key.revoked_at is not None for key in every)
    with_revoked = "revoked" in request.query_params
    keys = [key for key in every if with_revoked or key.revoked_at is None]
    usage = await site.gateway.ledger.keys.usage([key.hash for key in keys])
    rows = [(key, limits_of(key.budget), usage.get(key.hash, KeyUsage())) for key in keys]
    return site.renderer.page(
        request,
        "account/keys.html",
        visitor,
        rows=rows,
        revoked=revoked,
        with_revoked=with_revoked,
    )


async def new(request: Request) -> Response:
    """The form of a new key."""
    visitor = await require_owner(request)
    return await _form_page(request, visitor, KeyForm.empty())


async def create(request: Request) -> Response:
    """Make a key, and show it this once."""
    visitor = await require_owner(request)
    form = KeyForm.sent(await read_form(request, visitor))
    fields = form.new_fields()
    _check_keeping(request, form, fields.get("keep_transcripts_days"))
    if not form.faults:
        try:
            key, secret = await _keys(request).create(form.texts["name"], **fields)
        except UsageError as error:
            form.faults["name"] = error.sentence  # it is taken: all else was looked at
        else:
            renderer = Site.of(request).renderer
            return renderer.page(request, "account/new_key.html", visitor, key=key, secret=secret)
    return await _form_page(request, visitor, form, status=400)


async def show(request: Request) -> Response:
    """One key, with the form that changes it."""
    visitor, key = await require_owner(request), await _named(request)
    return await _form_page(request, visitor, KeyForm.of_key(key), key)


async def edit(request: Request) -> Response:
    """Change what the form changes."""
    visitor = await require_owner(request)
    form = KeyForm.sent(await read_form(request, visitor))
    key = await _named(request)
    _check_own(key)
    form.management = key.management
    changes = form.changes(key)
    _check_keeping(request, form, changes.get("keep_transcripts_days"))
    if not form.faults:
        try:
            await _keys(request).edit(key.hash, **changes)
        except UsageError as error:
            form.faults["name"] = error.sentence
        else:
            return RedirectResponse(f"{PATH}/{key.hash}", 303)
    return await _form_page(request, visitor, form, key, status=400)


async def set_state(request: Request) -> Response:
    """Stop a key, or let it go on."""
    visitor = await require_owner(request)
    fields = await read_form(request, visitor)
    key = await _named(request)
    _check_own(key)
    await _keys(request).edit(key.hash, disabled=fields.get("disabled") == "1")
    return RedirectResponse(f"{PATH}/{key.hash}", 303)


async def confirm(request: Request) -> Response:
    """Ask whether a key is to be revoked."""
    visitor, key = await require_owner(request), await _named(request)
    _check_own(key)
    return Site.of(request).renderer.page(request, "account/revoke.html", visitor, key=key)


async def revoke(request: Request) -> Response:
    """Revoke a key, for good."""
    visitor = await require_owner(request)
    await read_form(request, visitor)
    key = await _named(request)
    _check_own(key)
    await _keys(request).revoke(key.hash)
    return RedirectResponse(PATH, 303)


def _keys(request: Request) -> Keys:
    return Site.of(request).gateway.ledger.keys


async def _named(request: Request) -> Key:
    """Return the key of the address. Raises `VoxgateError` (`not_found`)."""
    key = await _keys(request).with_hash(request.path_params["hash"])
    if key is None:
        raise VoxgateError(
            "There is no such key, or it is revoked. The list of keys has all of them.",
            code="not_found",
        )
    return key


def _check_own(key: Key) -> None:
    """Raise `UsageError` for a key that a file lists."""
    if key.in_file:
        raise UsageError(
            f"The key '{key.name}' is listed in {key.file}, and changed there: the next start of "
            f"the server, or `voxgate keys apply`, applies it."
        )


def _check_keeping(request: Request, form: KeyForm, days: int | None) -> None:
    """Note that no transcripts can be kept where the server has no secret for them."""
    try:
        check_secret(days, Site.of(request).gateway.settings.transcript_key)
    except UsageError as error:
        form.faults.setdefault("keep", error.sentence)


async def _form_page(
    request: Request,
    visitor: Visitor,
    form: KeyForm,
    key: Key | None = None,
    *,
    status: int = 200,
) -> Response:
    usage = KeyUsage()
    if key is not None:
        usage = (await _keys(request).usage([key.hash])).get(key.hash, usage)
    limits = limits_of(key.budget if key else None)
    return Site.of(request).renderer.page(
        request,
        "account/key.html" if key else "account/key_form.html",
        visitor,
        status=status,
        form=form,
        key=key,
        usage=usage,
        limits=limits,
    )


PAGES = (
    ("GET", PATH, listing),
    ("POST", PATH, create),
    ("GET", NEW, new),
    ("GET", ONE, show),
    ("POST", ONE, edit),
    ("POST", ONE + "/state", set_state),
    ("GET", ONE + "/revoke", confirm),
    ("POST", ONE + "/revoke", revoke),
)
