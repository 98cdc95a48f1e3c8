"""`/keys`, `/key` and `/credits`, as OpenRouter's clients call them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, TypeVar

from fastapi import APIRouter, Query, Request, Response
from pydantic import BaseModel, Field

from voxgate.api.auth import caller, ledger_manager, manages
from voxgate.api.body.json_object import read_json_object
from voxgate.api.dialects.wire_types import validated_with_nulls
from voxgate.api.error_responses import json_response
from voxgate.api.keys.fields import WORKSPACE_ID, KeyChange, NewKey, changes, new_fields
from voxgate.api.keys.objects import current_key_object, key_object
from voxgate.api.openapi import key_schemas, requests
from voxgate.api.openapi.responses import BODY_ERRORS, KEY_ERRORS, json_of, responses
from voxgate.api.query import check_names
from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.amounts import json_dollars
from voxgate.ledger.key_usage import KeyUsage
from voxgate.ledger.transcript_cipher import check_secret

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.ledger.key import Key
    from voxgate.ledger.keys import Keys

K = TypeVar("K", bound=KeyChange)

PAGE_SIZE = 100
"""The most keys of one answer, as many as OpenRouter lists."""

_ONE_KEY_ERRORS = (*KEY_ERRORS, 400, 404)

router = APIRouter()


class KeyQuery(BaseModel):
    """Which keys a list has."""

    include_disabled: bool = False
    include_expired: bool = False
    offset: int = Field(0, ge=0, le=1_000_000)
    workspace_id: str = WORKSPACE_ID


@router.get(
    "/key",
    summary="Describe the caller's key",
    response_model=None,
    responses=responses(json_of(key_schemas.WrappedCurrentKey), *KEY_ERRORS),
)
async def current(request: Request) -> Response:
    """What the key may do, and what it has used."""
    key = await caller(request)
    hash_ = key.hash if key else ""
    usage = await _keys(request).usage([hash_])
    managing = manages(key, request.app.state.gateway.settings)
    current = current_key_object(key, usage.get(hash_, KeyUsage()), manages=managing)
    return json_response({"data": current})


@router.get(
    "/credits",
    summary="What was paid in and used",
    response_model=None,
    responses=responses(json_of(key_schemas.WrappedCredits), *KEY_ERRORS),
)
async def credits_(request: Request) -> Response:
    """What `VOXGATE_CREDITS` says was paid in, else what was used; and what all keys have used."""
    await ledger_manager(request)
    gateway: Gateway = request.app.state.gateway
    usage = (await gateway.ledger.keys.usage()).values()
    used = json_dollars(sum(each.total.nanodollars for each in usage))
    paid = gateway.settings.credits or used
    return json_response({"data": {"total_credits": paid, "total_usage": used}})


@router.get(
    "/keys",
    summary="List the keys",
    response_model=None,
    responses=responses(json_of(key_schemas.KeyList), *KEY_ERRORS, 400),
)
async def listing(request: Request, query: Annotated[KeyQuery, Query()]) -> Response:
    """Up to 100 keys, the oldest first."""
    await ledger_manager(request)
    check_names(request, KeyQuery.model_fields)
    if query.workspace_id != WORKSPACE_ID:
        raise UsageError(
            f"'workspace_id' in the address: this server has one workspace, {WORKSPACE_ID}. Leave "
            f"it out."
        )
    shown = {"valid"}
    shown |= {"disabled"} if query.include_disabled else set()
    shown |= {"expired"} if query.include_expired else set()
    keys = [key for key in await _keys(request).all() if key.state in shown]
    page = keys[query.offset : query.offset + PAGE_SIZE]
    usage = await _keys(request).usage([key.hash for key in page])
    return json_response(
        {"data": [key_object(key, usage.get(key.hash, KeyUsage())) for key in page]}
    )


@router.post(
    "/keys",
    summary="Create a key",
    status_code=201,
    response_model=None,
    openapi_extra=requests.json_body(NewKey),
    responses=responses(json_of(key_schemas.CreatedKey), *KEY_ERRORS, *BODY_ERRORS, status=201),
)
async def create(request: Request) -> Response:
    """A key for transcribing. `key` is the key itself, which is shown only now."""
    await ledger_manager(request)
    asked = _checked(request, validated_with_nulls(NewKey, await _body(request)))
    key, secret = await _keys(request).create(asked.name, **new_fields(asked))
    return json_response({"data": key_object(key, KeyUsage()), "key": secret}, 201)


@router.get(
    "/keys/{hash}",
    summary="Describe a key",
    response_model=None,
    responses=responses(json_of(key_schemas.WrappedKey), *_ONE_KEY_ERRORS),
)
async def retrieve(request: Request, hash: str) -> Response:  # noqa: A002 (the name on the wire)
    """One key, by its hash."""
    await ledger_manager(request)
    return await _described(request, await _named(request, hash))


@router.patch(
    "/keys/{hash}",
    summary="Change a key",
    response_model=None,
    openapi_extra=requests.json_body(KeyChange),
    responses=responses(json_of(key_schemas.WrappedKey), *_ONE_KEY_ERRORS, *BODY_ERRORS),
)
async def edit(request: Request, hash: str) -> Response:  # noqa: A002 (as above)
    """Change what is given, from the next request of the key on."""
    await ledger_manager(request)
    key = await _named(request, hash)
    asked = _checked(request, validated_with_nulls(KeyChange, await _body(request)))
    return await _described(request, await _keys(request).edit(key.hash, **changes(asked)))


@router.delete(
    "/keys/{hash}",
    summary="Delete a key",
    response_model=None,
    responses=responses(json_of(key_schemas.DeletedKey), *_ONE_KEY_ERRORS),
)
async def delete(request: Request, hash: str) -> Response:  # noqa: A002 (as above)
    """Revoke a key, for good. Its usage and its generations stay."""
    await ledger_manager(request)
    key = await _named(request, hash)
    await _keys(request).revoke(key.hash)
    return json_response({"deleted": True})


def _keys(request: Request) -> Keys:
    gateway: Gateway = request.app.state.gateway
    return gateway.ledger.keys


def _checked(request: Request, asked: K) -> K:
    """Return what was asked. Raises `UsageError` for transcripts that could not be kept."""
    gateway: Gateway = request.app.state.gateway
    check_secret(asked.voxgate.keep_transcripts_days, gateway.settings.transcript_key)
    return asked


async def _body(request: Request) -> dict[str, Any]:
    gateway: Gateway = request.app.state.gateway
    return await read_json_object(request, gateway.settings.body_patience_s)


async def _named(request: Request, hash_: str) -> Key:
    """Return the key with this hash. Raises `VoxgateError` (`not_found`)."""
    key = await _keys(request).with_hash(hash_)
    if key is None:
        raise VoxgateError(
            f"No key has the hash '{hash_[:64]}'. GET /keys lists the hashes, of 64 digits each.",
            code="not_found",
        )
    return key


async def _described(request: Request, key: Key) -> Response:
    usage = await _keys(request).usage([key.hash])
    return json_response({"data": key_object(key, usage.get(key.hash, KeyUsage()))})
