"""The body of a transcription request: JSON with a recording that is read while it is sent."""

from __future__ import annotations

import asyncio
import io
import json
import os
from binascii import b2a_base64
from dataclasses import dataclass
from pathlib import PurePath
from typing import TYPE_CHECKING, Literal

from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.source import Source
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Mapping, Sequence

    from voxgate.audio.source import AudioInput
    from voxgate.settings import Settings

UPLOAD_BLOCK_BYTES = 96 * 1024  # a multiple of 3, so that base64 pads only the last block
PCM_FORMAT = PcmDeclaration("s16le", 16_000, 1)
"""The only headerless sound that the wire format can declare, as "pcm"."""

_END = b'"}}'


@dataclass(frozen=True, slots=True)
class UploadProgress:
    """How much of a recording was given to the connection, in bytes of the recording."""

    sent: int
    total: int
    phase: Literal["sending", "sent"] = "sending"  # "sent": the server has it, and works


class JsonUpload:
    """The body of a request. It can be iterated again for each repetition of the request.

    `pieces` are the text of the JSON, and recordings where their base64 is to be.
    `on_progress` is called before each block, and when the whole body was sent.
    """

    def __init__(
        self,
        pieces: Sequence[bytes | Source],
        on_progress: Callable[[UploadProgress], None] = lambda _: None,
    ) -> None:
        self._pieces, self._on_progress = pieces, on_progress
        sizes = [each.size or 0 for each in pieces if isinstance(each, Source)]
        texts = [len(each) for each in pieces if isinstance(each, bytes)]
        self.size = sum(sizes)  # bytes of the recordings
        self.length = sum(texts) + sum(4 * -(-size // 3) for size in sizes)  # of the whole body
        self.sent = 0  # bytes of the recordings that have been sent
        self.complete = False  # whether the whole body has been sent

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.sent, self.complete = 0, False
        for piece in self._pieces:
            if isinstance(piece, bytes):
                yield piece
                continue
            async for block in self._blocks(piece):
                yield block
        self.complete = True
        self._on_progress(UploadProgress(self.size, self.size, "sent"))

    async def _blocks(self, source: Source) -> AsyncIterator[bytes]:
        at, end = 0, source.size or 0
        while at < end:
            self._on_progress(UploadProgress(self.sent, self.size))
            size = min(UPLOAD_BLOCK_BYTES, end - at)
            block = await asyncio.to_thread(_read, source, at, size)
            yield b2a_base64(block, newline=False)
            at += size
            self.sent += size


class TranscriptionUpload(JsonUpload):
    """The body of a request for a transcript.

    The recording comes last, so that a server can refuse the other fields before it reads it.
    """

    def __init__(
        self,
        source: Source,
        fields: Mapping[str, object],
        on_progress: Callable[[UploadProgress], None] = lambda _: None,
    ) -> None:
        sound = {"format": audio_format(source.name, source.pcm), "data": ""}
        document = json.dumps({**fields, "input_audio": sound}).encode()
        super().__init__([document.removesuffix(_END), source, _END], on_progress)


def audio_format(name: str, pcm: PcmDeclaration | None) -> str:
    """Return the recording's `format` on the wire. It is a hint, because servers check the bytes.

    Raises `UsageError` for headerless sound that the wire format cannot declare.
    """
    if pcm is not None:
        if pcm != PCM_FORMAT:
            raise UsageError(
                "A server accepts headerless PCM only as s16le:16000:1. Send the recording in a "
                "container, e.g. as WAV, or leave out --server."
            )
        return "pcm"
    extension = PurePath(name).suffix[1:].lower()
    # The extension "pcm" is no declaration by the caller.
    usable = extension.isascii() and extension.isalnum() and extension != "pcm"
    return extension if usable else "wav"


def open_upload(
    given: AudioInput, settings: Settings, *, name: str | None, pcm: PcmDeclaration | None
) -> Source:
    """Open the recording with a known size. A pipe has no size, so it is copied to its end first.

    Raises what `Source.open` raises.
    """
    source = Source.open(given, settings, name=name, pcm=pcm)
    return source if source.size is not None else _copied(source, settings)


def _copied(source: Source, settings: Settings) -> Source:
    with source, open(source.fd, "rb", closefd=False) as pipe:
        # `Source.open` copies a stream in a second reader, but would use a plain file as it is.
        stream = io.BufferedReader(pipe)
        return Source.open(stream, settings, name=source.name, pcm=source.pcm)


def _read(source: Source, start: int, size: int) -> bytes:
    """Return exactly `size` bytes of the recording from `start` on.

    Raises `AudioError` (`unreadable_audio`).
    """
    parts, at = [], source.offset + start
    end = at + size
    while at < end:  # pread may return fewer bytes than requested
        try:
            part = os.pread(source.fd, end - at, at)
        except OSError as error:
            raise AudioError(
                f"{source.name} could not be read ({error.strerror}). Open it again and retry.",
                code="unreadable_audio",
            ) from error
        if not part:
            raise AudioError(
                f"{source.name} became shorter while it was sent. Run again when no program writes "
                f"to it any more.",
                code="unreadable_audio",
            )
        parts.append(part)
        at += len(part)
    return b"".join(parts)
