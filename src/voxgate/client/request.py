"""One transcription request as JSON, whose recording is read while it is sent."""

from __future__ import annotations

import asyncio
import io
import json
import os
from binascii import b2a_base64
from pathlib import PurePath
from typing import TYPE_CHECKING

from voxgate.audio.pcm import PcmDeclaration
from voxgate.audio.source import Source
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping

    from voxgate.audio.source import AudioInput
    from voxgate.settings import Settings

UPLOAD_BLOCK_BYTES = 96 * 1024  # a multiple of 3, so that base64 pads nothing but the end
PCM_FORMAT = PcmDeclaration("s16le", 16_000, 1)
"""The only headerless sound that the wire format has a word for, "pcm"."""

_END = b'"}}'


class TranscriptionUpload:
    """What is sent; may be iterated again, for each time that the request is repeated.

    The recording comes last: a server can refuse what stands before it without having read it.
    """

    def __init__(self, source: Source, asked: Mapping[str, object]) -> None:
        sound = {"format": audio_format(source.name, source.pcm), "data": ""}
        written = json.dumps({**asked, "input_audio": sound}).encode()
        self._source, self._head = source, written.removesuffix(_END)
        self.size = source.size or 0  # bytes of the recording
        self.length = len(written) + 4 * -(-self.size // 3)  # bytes of it all
        self.sent = 0  # bytes of the recording that have been handed on
        self.complete = False  # whether the end has been

    async def __aiter__(self) -> AsyncIterator[bytes]:
        self.sent, self.complete = 0, False
        yield self._head
        while self.sent < self.size:
            wanted = min(UPLOAD_BLOCK_BYTES, self.size - self.sent)
            block = await asyncio.to_thread(_read, self._source, self.sent, wanted)
            yield b2a_base64(block, newline=False)
            self.sent += wanted
        yield _END
        self.complete = True


def audio_format(name: str, pcm: PcmDeclaration | None) -> str:
    """The word for the recording's format: a hint, since servers look at the bytes.

    Raises `UsageError` for headerless sound of a kind that no word means.
    """
    if pcm is not None:
        if pcm != PCM_FORMAT:
            raise UsageError(
                "A server takes headerless PCM only as s16le:16000:1. Send the recording in a "
                "container, e.g. as WAV, or leave out --server."
            )
        return "pcm"
    extension = PurePath(name).suffix[1:].lower()
    # "pcm" would declare what nobody has declared.
    usable = extension.isascii() and extension.isalnum() and extension != "pcm"
    return extension if usable else "wav"


def open_upload(
    given: AudioInput, settings: Settings, *, name: str | None, pcm: PcmDeclaration | None
) -> Source:
    """The recording, with a size. A pipe has none, so it is copied to its end first.

    Raises what `Source.open` raises.
    """
    source = Source.open(given, settings, name=name, pcm=pcm)
    return source if source.size is not None else _copied(source, settings)


def _copied(source: Source, settings: Settings) -> Source:
    with source, open(source.fd, "rb", closefd=False) as pipe:
        # In a second reader it is a stream to be copied; in one, a file to be handed on.
        stream = io.BufferedReader(pipe)
        return Source.open(stream, settings, name=source.name, pcm=source.pcm)


def _read(source: Source, start: int, size: int) -> bytes:
    """Exactly `size` bytes of the recording from `start` on.

    Raises `AudioError` (`unreadable_audio`).
    """
    parts, at = [], source.offset + start
    end = at + size
    while at < end:  # pread may give less than it is asked for
        try:
            part = os.pread(source.fd, end - at, at)
        except OSError as error:
            raise AudioError(
                f"{source.name} could not be read ({error.strerror}). Open it again and retry.",
                code="unreadable_audio",
            ) from error
        if not part:
            raise AudioError(
                f"{source.name} became shorter while it was sent. Run again when nothing writes "
                f"to it any more.",
                code="unreadable_audio",
            )
        parts.append(part)
        at += len(part)
    return b"".join(parts)
