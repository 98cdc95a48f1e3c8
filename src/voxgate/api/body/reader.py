"""`BodyReader`: reads the body of a request with a recording, of any kind, in constant memory.

`ParsingReader` is what it has in common with readers of other bodies.
"""

from __future__ import annotations

import asyncio
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

from voxgate.api.body.chunks import Chunks
from voxgate.api.body.form_body import FormBody
from voxgate.api.body.json_body import JsonBody
from voxgate.api.body.raw_body import RawBody
from voxgate.api.body.request_body import ContentType, RequestBody, refuse_compressed
from voxgate.api.body.urlencoded_body import UrlencodedBody
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from voxgate.api.body.upload import BodyBeginning
    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings


BodyT = TypeVar("BodyT")
BodyT_co = TypeVar("BodyT_co", covariant=True)


class BodyParser(Protocol[BodyT_co]):
    """Parses one kind of body. Call `feed`, then `finish`; call `close` in any case.

    `max_bytes` is the size of the largest accepted body. `slice_bytes` is how much `feed` gets at
    once: in the worst case a few milliseconds of work, during which the event loop waits.
    """

    max_bytes: int
    slice_bytes: int

    def feed(self, data: bytes, /) -> None:
        """Parse the next bytes."""

    def arriving(self) -> BodyBeginning | None:
        """Return what came before the recording, while that comes. Call it once it is not None.

        None before, for kinds whose recording is not read while it comes, and after its end.
        """

    def finish(self) -> BodyT_co:
        """Return the parsed body."""

    def too_large(self) -> VoxgateError:
        """Return the error for more than `max_bytes`."""

    def close(self) -> None:
        """Free what `finish` has not returned."""


class ParsingReader(ABC, Generic[BodyT]):
    """One body, of the kind that its content type declares. Call `whole` or `close` in any case.

    Both coroutines raise `UsageError`, `VoxgateError` (`unsupported_media_type`,
    `payload_too_large`, `request_timeout`), `SpoolFullError`, and what `chunks` raises. Then, and
    when they are cancelled, no file stays open.
    """

    def __init__(
        self, headers: Mapping[str, str], chunks: AsyncIterator[bytes], settings: Settings
    ) -> None:
        """`headers` has lower case names, or ignores case."""
        self._headers, self._settings = headers, settings
        self._chunks = Chunks(chunks, settings.body_patience_s)
        self._parser: BodyParser[BodyT] | None = None
        self._count = 0

    async def whole(self) -> BodyT:
        """Read the body to its end. The caller closes the uploads."""
        try:
            parser = await self._open()
            while await self._feed(parser):
                pass
            return parser.finish()
        finally:
            self.close()

    def close(self) -> None:
        """Free what `whole` has not returned. May be called again."""
        if self._parser:
            self._parser.close()

    @abstractmethod
    def _new_parser(self, content_type: ContentType) -> BodyParser[BodyT]:
        """Return the parser of a content type. Raises for one that is not read here."""

    async def _open(self) -> BodyParser[BodyT]:
        """Return the parser, which the content type or the first bytes tell."""
        if self._parser is None:
            headers = self._headers
            refuse_compressed(headers)
            if header := headers.get("content-type", ""):
                content_type = ContentType.parse(header)
            else:
                content_type = await self._chunks.sniff()
            self._parser = self._new_parser(content_type)
            if (announced_bytes(headers) or 0) > self._parser.max_bytes:
                raise self._parser.too_large()
        return self._parser

    async def _feed(self, parser: BodyParser[BodyT]) -> bool:
        """Parse the next chunk. Return False at the end."""
        chunk = await self._chunks.next()
        self._count += len(chunk)
        if self._count > parser.max_bytes:
            raise parser.too_large()
        for start in range(0, len(chunk), parser.slice_bytes):
            parser.feed(chunk[start : start + parser.slice_bytes])
            await asyncio.sleep(0)
        return bool(chunk)


class BodyReader(ParsingReader[RequestBody]):
    """The body of a request with one recording."""

    def __init__(
        self,
        headers: Mapping[str, str],
        chunks: AsyncIterator[bytes],
        settings: Settings,
        *,
        query: bytes = b"",
    ) -> None:
        """`query` has the fields beside a raw recording."""
        super().__init__(headers, chunks, settings)
        self._query = query

    async def recording_begins(self) -> BodyBeginning | None:
        """Read until the recording begins. Return what came before it, and the arriving recording.

        None where the recording is not read while it comes, or is complete already.
        """
        try:
            parser = await self._open()
            while await self._feed(parser):
                if found := parser.arriving():
                    return found
        except BaseException:
            self.close()
            raise
        return None

    def _new_parser(self, content_type: ContentType) -> BodyParser[RequestBody]:
        kind, settings = content_type.kind(), self._settings
        if kind == "form":
            return FormBody(content_type.boundary, settings)
        if kind == "raw":
            disposition = self._headers.get("content-disposition", "")
            return RawBody(content_type.media_type, disposition, self._query, settings)
        return JsonBody(settings) if kind == "json" else UrlencodedBody()


def announced_bytes(headers: Mapping[str, str]) -> int | None:
    """Return the length of the body that follows, where it is announced. Raises `UsageError`."""
    length = headers.get("content-length")
    if length is None:
        return None
    if not (length.isascii() and length.isdigit() and len(length) < 20):
        raise UsageError(f"The header Content-Length is no number of bytes: {length[:60]!r}.")
    return int(length)
