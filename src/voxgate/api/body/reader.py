"""`read`: the body of a transcription request, of any kind, with constant memory."""

from __future__ import annotations

import asyncio
import codecs
from contextlib import closing
from typing import TYPE_CHECKING, Protocol

from voxgate.api.body.form_body import FormBody
from voxgate.api.body.json_body import JsonBody
from voxgate.api.body.request_body import (
    JSON_TYPE,
    KNOWN_TYPES,
    TEXT_BYTES,
    ContentType,
    body_too_large,
    text_too_large,
)
from voxgate.api.body.urlencoded_body import UrlencodedBody
from voxgate.errors import BodyStalledError, BodyTooLargeError, MediaTypeError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from voxgate.api.body.request_body import RequestBody
    from voxgate.settings import Settings

_WHITE = b" \t\r\n"  # of JSON
_MOST_WHITE = 1024  # bytes before the brace of a body that does not say what it is


class BodyParser(Protocol):
    """One kind of body.

    `most_bytes` is what the largest one that is taken can need; `slice_bytes` what it works on in a
    few milliseconds at worst, between two turns of the event loop.
    """

    most_bytes: int
    slice_bytes: int

    def feed(self, data: bytes, /) -> None:
        """Take the next bytes."""

    def finish(self) -> RequestBody:
        """What it held."""

    def close(self) -> None:
        """Free what `finish` did not give away."""


async def read_body(
    headers: Mapping[str, str], chunks: AsyncIterator[bytes], settings: Settings
) -> RequestBody:
    """The body, as its content type says it is to be read. The upload is the caller's to close.

    `headers` has lower case names, or ignores case. Raises `UsageError`, `MediaTypeError`,
    `BodyTooLargeError`, `BodyStalledError`, `SpoolFullError`, and whatever `chunks` raises; then,
    and when it is cancelled, it leaves nothing open.
    """
    _check_encoding(headers.get("content-encoding", ""))
    arriving = _Arriving(chunks, settings.body_patience_s)
    if header := headers.get("content-type", ""):
        content_type = ContentType.of(header)
    else:
        content_type = await arriving.sniff()
    with closing(_body(content_type, settings)) as body:
        _check_length(headers.get("content-length"), body, settings)
        count = 0
        while chunk := await arriving.next():
            count += len(chunk)
            if count > body.most_bytes:
                raise _too_large(body, settings)
            for start in range(0, len(chunk), body.slice_bytes):
                body.feed(chunk[start : start + body.slice_bytes])
                await asyncio.sleep(0)
        return body.finish()


class _Arriving:
    """The chunks that have bytes in them, none of which is waited for longer than `patience_s`."""

    def __init__(self, chunks: AsyncIterator[bytes], patience_s: float) -> None:
        self._chunks = aiter(chunks)
        self._patience_s = patience_s
        self._first = b""

    async def next(self) -> bytes:
        """The next bytes, or none at the end."""
        if first := self._first:
            self._first = b""
            return first
        patience = asyncio.timeout(self._patience_s)
        try:
            async with patience:
                async for chunk in self._chunks:
                    if chunk:
                        return chunk
                return b""
        except TimeoutError as error:
            if not patience.expired():  # it is the iterator's own
                raise
            raise BodyStalledError(
                f"No byte of the body came for {self._patience_s:g} s. Send the request again."
            ) from error

    async def sniff(self) -> ContentType:
        """JSON, where the body begins as an object. Raises `MediaTypeError`."""
        head = b""
        while _undecided(head) and (chunk := await self.next()):
            head += chunk
        if not _begins_object(head):
            raise MediaTypeError(f"The body does not say its content type. {KNOWN_TYPES}.")
        self._first = head
        return ContentType(JSON_TYPE)


def _undecided(head: bytes) -> bool:
    if len(head) > _MOST_WHITE:
        return False
    return codecs.BOM_UTF8.startswith(head) or not head.removeprefix(codecs.BOM_UTF8).strip(_WHITE)


def _begins_object(head: bytes) -> bool:
    return head.removeprefix(codecs.BOM_UTF8).lstrip(_WHITE).startswith(b"{")


def _body(content_type: ContentType, settings: Settings) -> BodyParser:
    kind = content_type.kind()
    if kind == "form":
        return FormBody(content_type.boundary, settings)
    return JsonBody(settings) if kind == "json" else UrlencodedBody()


def _check_encoding(encoding: str) -> None:
    if encoding.strip().lower() not in ("", "identity"):
        raise MediaTypeError(
            f"The body is compressed ({encoding[:60]!r}). Send it without Content-Encoding; a "
            f"compressed recording (FLAC, Opus, MP3) saves more."
        )


def _check_length(length: str | None, body: BodyParser, settings: Settings) -> None:
    if length is None:
        return
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise UsageError(f"The header Content-Length is no number of bytes: {length[:60]!r}.")
    if int(length) > body.most_bytes:
        raise _too_large(body, settings)


def _too_large(body: BodyParser, settings: Settings) -> BodyTooLargeError:
    if body.most_bytes <= TEXT_BYTES:
        return text_too_large()
    return body_too_large(body.most_bytes, settings.max_upload_bytes)
