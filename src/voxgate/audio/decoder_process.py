"""`Decoding`: one recording in a decoder's process, from its caller's side.

The decoder's messages become events, and its failures errors.
"""

from __future__ import annotations

import asyncio
import json
import os
import signal
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias

from voxgate.audio.decoder import messages
from voxgate.errors import AudioError, VoxgateError, error_from_code
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.audio.source import Source
    from voxgate.settings import Settings


READ_BYTES = 1 << 18
"""Of a decoder's messages at once: eight seconds of sound."""

END_GRACE_S = 5.0
"""How long a decoder that has closed its pipe may take to end, which takes it milliseconds."""


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """The container's facts about the sound track that is read, known before any decoding."""

    container: str  # FFmpeg's name of the demuxer
    codec: str
    rate: int  # Hz, before resampling
    channels: int  # before the downmix
    tracks: int  # sound tracks that can be decoded
    declared_s: float | None  # duration in the header, if any: stated, not counted


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """The next sound, up to some seconds, which continues the block before."""

    pcm16: bytes  # mono, 16 kHz, little-endian
    channel: int  # from 1, where channels are split; 0 is the mix of all


@dataclass(frozen=True, slots=True)
class SpeechProbabilities:
    """The next probabilities of speech in [0, 1] and levels, one for each 512 samples of sound."""

    probabilities: tuple[float, ...]
    levels_db: tuple[float, ...]  # of full scale, at least -100
    channel: int


DecoderEvent: TypeAlias = RecordingFacts | PcmBlock | SpeechProbabilities | Notice
"""First one `RecordingFacts`, then blocks and probabilities as they come, notices at the end."""


class DecoderOwner(Protocol):
    """The part of the fork server that a `Decoding` uses."""

    async def wait(self, number: int) -> int | None:
        """Wait for a decoder's end. Return its exit status, or minus the number of a signal.

        Return None if the server ended first.
        """

    async def kill(self, number: int) -> None:
        """Kill a decoder if it still runs, and wait for its end."""


class Decoding:
    """One recording that a decoder decodes. Close it, or leave the decoder to another recording.

    Otherwise the decoder's process and the pipe remain.
    """

    def __init__(
        self, server: DecoderOwner, number: int, read_fd: int, source: Source, settings: Settings
    ) -> None:
        self.decoder = number
        self.decoder_waits = False  # at the end of the events: it can decode another recording
        self._server = server
        self._file = os.fdopen(read_fd, "rb", buffering=0)
        self._source, self._settings = source, settings
        self._transport: asyncio.BaseTransport | None = None
        self._waited_s = self._decoded_s = 0.0
        self._wait_start_s = 0.0  # monotonic, of the message that is awaited
        self._patience: asyncio.Timeout | None = None  # for it
        self._has_clock = source.size is not None
        self._arrival: asyncio.Task[None] | None = None
        self._seconds: dict[int, float] = {}  # channel -> decoded

    async def events(self) -> AsyncIterator[DecoderEvent]:
        """Yield the decoder's events. Raise its error, or `AudioError` if it fails without one."""
        reader = asyncio.StreamReader(limit=READ_BYTES)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._file
        )
        if self._source.whole is not None:
            self._arrival = asyncio.create_task(self._start_clock(self._source.whole))
        buffer = bytearray()
        while True:
            while (message := self._take_message(buffer)) is None:
                buffer += await self._read(reader)
            kind, body = message
            if kind == messages.FINISHED:
                self.decoder_waits = body == b"\1"
                return
            try:
                event = _parse_message(kind, body)
            except (ValueError, KeyError, TypeError, IndexError, struct.error) as error:
                raise self._invalid_data() from error
            if isinstance(event, VoxgateError):
                raise event
            if isinstance(event, PcmBlock):
                self._count(event)
            if self._decoded_s > self._settings.max_duration_s + 1:
                raise self._invalid_data()
            yield event

    def _count(self, block: PcmBlock) -> None:
        """Count the seconds of the longest channel."""
        seconds = self._seconds.get(block.channel, 0.0) + len(block.pcm16) / 32_000
        self._seconds[block.channel] = seconds
        self._decoded_s = max(self._decoded_s, seconds)

    async def close(self) -> None:
        """End the decoder if it still runs, and wait for its end."""
        try:
            await self._server.kill(self.decoder)
        finally:
            self.leave()

    def leave(self) -> None:
        """Close the pipe, and leave the decoder as it is."""
        if self._arrival:
            self._arrival.cancel()
        if self._transport:
            self._transport.close()
        else:
            self._file.close()

    def _take_message(self, buffer: bytearray) -> tuple[bytes, bytes] | None:
        """Take the next message out of what was read: kind and body. None while it is not whole."""
        if len(buffer) < messages.HEADER.size:
            return None
        kind, size = messages.HEADER.unpack_from(buffer)
        if size > messages.MAX_BODY_BYTES:
            raise self._invalid_data()
        end = messages.HEADER.size + size
        if len(buffer) < end:
            return None
        body = bytes(buffer[messages.HEADER.size : end])
        del buffer[:end]
        return kind, body

    async def _read(self, reader: asyncio.StreamReader) -> bytes:
        """Read what the decoder has sent. Raise its error if it has ended, or is too slow."""
        self._wait_start_s = time.monotonic()
        try:
            async with asyncio.timeout(self._timeout_s()) as self._patience:
                data = await reader.read(READ_BYTES)
        except TimeoutError as error:
            raise self._too_slow() from error
        finally:
            self._patience = None
            self._waited_s += time.monotonic() - self._wait_start_s
        if not data:
            raise await self._exit_error()
        return data

    async def _start_clock(self, whole: asyncio.Event) -> None:
        """Expect real time of a growing file's decoder, from the moment when the file is whole."""
        await whole.wait()
        self._has_clock = True
        self._waited_s, self._wait_start_s = self._decoded_s, time.monotonic()
        if self._patience:
            patience_s = self._settings.decoder_patience_s
            self._patience.reschedule(asyncio.get_running_loop().time() + patience_s)

    def _timeout_s(self) -> float | None:
        """Return how long to wait for the next message: a decoder must keep up with real time.

        A pipe has no timeout, nor a file while it grows: somebody else fills them.
        """
        if not self._has_clock:
            return None
        return max(0.0, self._settings.decoder_patience_s + self._decoded_s - self._waited_s)

    async def _exit_error(self) -> AudioError:
        """Return the error for a decoder that ended without a last message."""
        name = self._source.name
        try:
            async with asyncio.timeout(END_GRACE_S):
                status = await self._server.wait(self.decoder)
        except TimeoutError:  # it closed the pipe and goes on: our decoders never do that
            return self._invalid_data()
        if status == -signal.SIGXCPU:
            return self._too_slow()
        if status in {None, -signal.SIGKILL, -signal.SIGTERM}:
            return AudioError(
                f"The decoder of {name} was ended from outside (was the machine out of memory?). "
                f"Try again.",
                code="decoder_killed",
            )
        how = f"signal {-status}" if status and status < 0 else f"exit status {status}"
        return AudioError(
            f"The decoder itself failed at {name} ({how}), whether the file is whole or damaged. "
            f"Convert the file first (ffmpeg -i INPUT output.flac), and please report it.",
            code="decoder_died",
        )

    def _invalid_data(self) -> AudioError:
        """Return the error for invalid messages: memory is corrupt, or the file runs code."""
        return AudioError(
            f"The decoder of {self._source.name} sent invalid data. The file is damaged or "
            f"hostile: convert it first (ffmpeg -i INPUT output.flac), and please report it.",
            code="decoder_died",
        )

    def _too_slow(self) -> AudioError:
        return AudioError(
            f"Decoding {self._source.name} fell more than {self._settings.decoder_patience_s:g} s "
            f"behind real time ({self._decoded_s:.0f} s of sound so far). Raise "
            f"VOXGATE_DECODER_PATIENCE_S on a slow machine or disk, or convert the file first.",
            code="decoder_too_slow",
        )


def _parse_message(kind: bytes, body: bytes) -> DecoderEvent | VoxgateError:
    """Parse one message. It may be invalid: see the caller."""
    if kind == messages.SOUND:
        return PcmBlock(body[1:], body[0])
    if kind == messages.SPEECH:
        pairs = struct.unpack(f"<{len(body) // 8 * 2}f", body[1:])
        return SpeechProbabilities(pairs[::2], pairs[1::2], body[0])
    if kind == messages.NOTICE:
        return Notice(**json.loads(body))
    if kind == messages.ERROR:
        return _error(json.loads(body))
    if kind == messages.FACTS:
        return RecordingFacts(**json.loads(body))
    raise ValueError(f"{kind!r} is not a kind of message")


def _error(message: dict[str, Any]) -> VoxgateError:
    return error_from_code(message["code"], message["sentence"])
