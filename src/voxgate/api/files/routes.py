"""`/files`: keep a recording, list, read and delete what is kept, as Mistral's clients do."""

from __future__ import annotations

import time
from contextlib import closing
from typing import TYPE_CHECKING, Annotated

from fastapi import APIRouter, Depends, Query, Request, Response
from starlette.requests import ClientDisconnect

from voxgate.api.auth import transcriber
from voxgate.api.body.reader import BodyReader, announced_bytes
from voxgate.api.body.request_body import FORM_TYPE, RAW_TYPE, TEXT_BYTES, ContentType
from voxgate.api.dialects.wire_types import validated
from voxgate.api.disconnect import left_during_the_body
from voxgate.api.error_responses import json_response
from voxgate.api.files.download import Download
from voxgate.api.files.file_object import FileFields, FileQuery, file_object
from voxgate.api.files.store import wrong_signature
from voxgate.api.openapi import file_schemas, requests
from voxgate.api.openapi.document import KEY_OR_SIGNATURE
from voxgate.api.openapi.responses import BODY_ERRORS, KEY_ERRORS, json_of, responses, text_of
from voxgate.errors import AudioError, UsageError, VoxgateError
from voxgate.ledger.files import FilePage
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)

if TYPE_CHECKING:
    from voxgate.api.body.request_body import Upload
    from voxgate.api.gateway import Gateway

MOST_URL_HOURS = 168  # Mistral's own limit

_ONE_FILE_ERRORS = (*KEY_ERRORS, 400, 404)


async def _owner(request: Request) -> str | None:
    """Return the hash of the key, None where keys are off. Raises what `transcriber` raises.

    As a dependency it comes before every other check of the request.
    """
    key = await transcriber(request)
    return key.hash if key else None


Owner = Annotated[str | None, Depends(_owner)]

router = APIRouter(prefix="/files")


@router.post(
    "",
    summary="Keep a recording",
    response_model=None,
    openapi_extra=requests.form("file", FileFields.model_json_schema()["properties"]),
    responses=responses(json_of(file_schemas.KeptFile), *KEY_ERRORS, *BODY_ERRORS),
)
async def upload(request: Request, key: Annotated[Key | None, Depends(transcriber)]) -> Response:
    """Keep the recording in a form, whose `id` is the `file_id` of later requests."""
    gateway: Gateway = request.app.state.gateway
    owner, own_limit = (key.hash, key.max_recordings) if key else (None, None)
    in_file = key is not None and key.in_file
    least = max(0, (announced_bytes(request.headers) or 0) - TEXT_BYTES)
    await gateway.files.check_room(owner, least)
    if ContentType.parse(request.headers.get("content-type", "")).media_type != FORM_TYPE:
        raise VoxgateError(
            f"A file to keep comes in a form. Send {FORM_TYPE}, with the file as the part 'file'.",
            code="unsupported_media_type",
        )
    try:
        async with gateway.jobs.uploading(owner, own_limit, in_file=in_file):
            body = await BodyReader(request.headers, request.stream(), gateway.settings).whole()
    except ClientDisconnect:
        return left_during_the_body(request)
    if body.upload is None:
        raise UsageError("The form has no file: send it as the part 'file', with a file name.")
    with closing(body.upload) as sent:
        fields = validated(FileFields, body.fields)
        if not sent.size:
            raise AudioError(f"{sent.name or 'The file'} is empty.", code="empty_audio")
        return json_response(file_object(await gateway.files.keep(sent, owner, fields.expiry)))


@router.get(
    "",
    summary="List the kept recordings",
    response_model=None,
    responses=responses(json_of(file_schemas.FileList), *KEY_ERRORS, 400),
)
async def listing(request: Request, owner: Owner, query: Annotated[FileQuery, Query()]) -> Response:
    """The files of the caller's key, the newest first."""
    gateway: Gateway = request.app.state.gateway
    gateway.files.check_on()
    found = FilePage([], 0)
    if query.can_match:
        found = await gateway.files.page(
            owner,
            query.page * query.page_size,
            query.page_size,
            search=query.search,
            media_types=query.mimetypes,
        )
    total = {"total": found.total} if query.include_total else {}
    return json_response(
        {"object": "list", "data": [file_object(each) for each in found.files], **total}
    )


@router.get(
    "/{id_}",
    summary="Describe a kept recording",
    response_model=None,
    responses=responses(json_of(file_schemas.KeptFile), *_ONE_FILE_ERRORS),
)
async def retrieve(request: Request, owner: Owner, id_: str) -> Response:
    """One file of the caller's key."""
    gateway: Gateway = request.app.state.gateway
    return json_response({**file_object(await gateway.files.find(id_, owner)), "deleted": False})


@router.delete(
    "/{id_}",
    summary="Delete a kept recording",
    response_model=None,
    responses=responses(json_of(file_schemas.DeletedFile), *_ONE_FILE_ERRORS),
)
async def delete(request: Request, owner: Owner, id_: str) -> Response:
    """Delete one file of the caller's key. Jobs that read it already go on."""
    gateway: Gateway = request.app.state.gateway
    await gateway.files.delete(id_, owner)
    return json_response({"id": id_, "object": "file", "deleted": True})


@router.get(
    "/{id_}/content",
    summary="Download a kept recording",
    response_model=None,
    response_class=Response,  # none of JSON
    openapi_extra=KEY_OR_SIGNATURE,
    responses=responses(text_of(RAW_TYPE), *_ONE_FILE_ERRORS),
)
async def content(request: Request, id_: str) -> Response:
    """The bytes of a file, for its key or by its signed address."""
    gateway: Gateway = request.app.state.gateway
    if "signature" in request.query_params:
        gateway.files.check_on()
        return Download(await _shared(gateway, id_, dict(request.query_params)))
    owner = await _owner(request)
    return Download(gateway.files.open(await gateway.files.find(id_, owner)))


@router.get(
    "/{id_}/url",
    summary="Sign an address of a kept recording",
    response_model=None,
    responses=responses(json_of(file_schemas.SignedAddress), *_ONE_FILE_ERRORS),
)
async def signed_url(
    request: Request, owner: Owner, id_: str, expiry: int = Query(24, ge=1, le=MOST_URL_HOURS)
) -> Response:
    """An address that needs no key for so many hours, at most as long as the file is kept."""
    gateway: Gateway = request.app.state.gateway
    kept = await gateway.files.find(id_, owner)
    expires = min(int(time.time()) + expiry * 3600, int(kept.expires_at.timestamp()))
    path = f"{request.url.path.removesuffix('/').removesuffix('/url')}/content"
    query = gateway.files.signer.query(kept.id, expires)
    return json_response({"url": str(request.url.replace(path=path, query=query))})


async def _shared(gateway: Gateway, id_: str, query: dict[str, str]) -> Upload:
    if not gateway.files.signer.is_signed(id_, query):
        raise wrong_signature()
    return gateway.files.open(await gateway.files.find_shared(id_))
