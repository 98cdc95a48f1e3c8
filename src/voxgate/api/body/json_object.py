"""`read_json_object`: a body that is a small JSON object, without a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.body.chunks import Chunks
from voxgate.api.body.request_body import JSON_TYPE, ContentType, refuse_compressed
from voxgate.api.body.strict_json import parse_json
from voxgate.errors import UsageError, VoxgateError

if TYPE_CHECKING:
    from starlette.requests import Request

MAX_BYTES = 64 * 1024


async def read_json_object(request: Request, patience_s: float) -> dict[str, Any]:
    """Return the object; a body without a content type counts as JSON.

    Raises `UsageError` for what is no JSON object, `VoxgateError` (`unsupported_media_type`,
    `payload_too_large`; `request_timeout` after `patience_s` without a byte), and
    `ClientDisconnect`.
    """
    refuse_compressed(request.headers)
    given = request.headers.get("content-type", "")
    if given and ContentType.parse(given).kind() != "json":
        raise VoxgateError(
            f"The body's content type is {given[:80]!r}. Send the fields as {JSON_TYPE}.",
            code="unsupported_media_type",
        )
    chunks, body = Chunks(request.stream(), patience_s), bytearray()
    while chunk := await chunks.next():
        body += chunk
        if len(body) > MAX_BYTES:
            raise VoxgateError(
                f"The body is larger than {MAX_BYTES // 1024} KiB, the limit here. Send fewer or "
                f"shorter fields.",
                code="payload_too_large",
            )
    fields = parse_json(body)
    if not isinstance(fields, dict):
        raise UsageError('The body must be an object, as {"name": "laptop"}.')
    return fields
