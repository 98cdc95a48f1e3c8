"""`Chunks`: the bytes of a body as they arrive, and whether they begin as JSON."""

from __future__ import annotations

import asyncio
import codecs
from typing import TYPE_CHECKING

from voxgate.api.body.request_body import JSON_TYPE, KNOWN_TYPES, ContentType
from voxgate.errors import VoxgateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

_WHITE = b" \t\r\n"  # JSON's white space
_MAX_WHITE = 1024  # bytes before the opening brace of a body without a content type


class Chunks:
    """The chunks that are not empty. Each may take `patience_s` seconds to arrive."""

    def __init__(self, chunks: AsyncIterator[bytes], patience_s: float) -> None:
        self._chunks = aiter(chunks)
        self._patience_s = patience_s
        self._first = b""

    async def next(self) -> bytes:
        """Return the next chunk, or b"" at the end. Raises `VoxgateError` (`request_timeout`)."""
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
            if not patience.expired():  # raised by the iterator itself
                raise
            raise VoxgateError(
                f"No byte of the body came for {self._patience_s:g} s. Send the request again.",
                code="request_timeout",
            ) from error

    async def sniff(self) -> ContentType:
        """Return JSON's type if the body starts with an object.

        Raises `VoxgateError` (`unsupported_media_type`).
        """
        head = b""
        while _undecided(head) and (chunk := await self.next()):
            head += chunk
        if not _begins_object(head):
            raise VoxgateError(
                f"The body does not say its content type. {KNOWN_TYPES}.",
                code="unsupported_media_type",
            )
        self._first = head
        return ContentType(JSON_TYPE)


def _undecided(head: bytes) -> bool:
    if len(head) > _MAX_WHITE:
        return False
    return codecs.BOM_UTF8.startswith(head) or not head.removeprefix(codecs.BOM_UTF8).strip(_WHITE)


def _begins_object(head: bytes) -> bool:
    return head.removeprefix(codecs.BOM_UTF8).lstrip(_WHITE).startswith(b"{")
