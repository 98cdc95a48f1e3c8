"""One decoder as its caller sees it: its messages, and what its silence or its death means."""

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


# What a decoder gives: values, in the order in which they come.


@dataclass(frozen=True, slots=True)
class RecordingFacts:
    """What the container says of the sound track that is read, before anything is decoded."""

    container: str  # FFmpeg's name of the demuxer
    codec: str
    rate: int  # Hz, before resampling
    channels: int  # before the downmix
    tracks: int  # sound tracks in the container
    declared_s: float | None  # the header's duration, where it states one: a claim, not a count


@dataclass(frozen=True, slots=True)
class PcmBlock:
    """The next stretch of sound, up to some seconds, right after the one before."""

    pcm16: bytes  # mono, 16 kHz, little-endian


@dataclass(frozen=True, slots=True)
class SpeechProbabilities:
    """The next probabilities of speech, in [0, 1], one for each 512 samples of sound."""

    probabilities: tuple[float, ...]


DecoderEvent: TypeAlias = RecordingFacts | PcmBlock | SpeechProbabilities | Notice
"""One Facts, then Blocks and Speech as they come, Notices at the end."""


class DecoderOwner(Protocol):
    """What a child needs of the fork server that it came from."""

    async def ended(self, number: int) -> int | None:
        """How a child ended: its exit status, minus a signal's number; None with the server."""

    async def end(self, number: int) -> None:
        """End a child, if it still runs, and wait until it is gone."""


class DecoderProcess:
    """One decoder: its messages, and what its silence means."""

    def __init__(
        self, server: DecoderOwner, number: int, read_fd: int, source: Source, settings: Settings
    ) -> None:
        self._server, self._number = server, number
        self._file = os.fdopen(read_fd, "rb", buffering=0)
        self._source, self._settings = source, settings
        self._transport: asyncio.BaseTransport | None = None
        self._waited_s = self._decoded_s = 0.0

    async def messages(self) -> AsyncIterator[DecoderEvent]:
        """What the decoder says, up to its END. Raises what its ERROR or its death means."""
        reader = asyncio.StreamReader(limit=1 << 18)
        loop = asyncio.get_running_loop()
        self._transport, _ = await loop.connect_read_pipe(
            lambda: asyncio.StreamReaderProtocol(reader), self._file
        )
        while True:
            kind, body = await self._next(reader)
            if kind == messages.FINISHED:
                return
            if kind == messages.SOUND:
                self._decoded_s += len(body) / 32_000
            try:
                said = _decoded(kind, body)
            except (ValueError, KeyError, TypeError, struct.error) as error:
                raise self._astray() from error
            if isinstance(said, VoxgateError):
                raise said
            if self._decoded_s > self._settings.max_duration_s + 1:
                raise self._astray()
            yield said

    async def close(self) -> None:
        """End the decoder, if it still runs, and wait until it is gone."""
        try:
            await self._server.end(self._number)
        finally:
            if self._transport:
                self._transport.close()
            else:
                self._file.close()

    async def _next(self, reader: asyncio.StreamReader) -> tuple[bytes, bytes]:
        before = time.monotonic()
        try:
            async with asyncio.timeout(self._patience_s()):
                kind, size = messages.HEADER.unpack(await reader.readexactly(messages.HEADER.size))
                if size > messages.MAX_BODY:
                    raise self._astray()
                return kind, await reader.readexactly(size)
        except asyncio.IncompleteReadError as error:
            raise await self._death() from error
        except TimeoutError as error:
            raise self._too_slow() from error
        finally:
            self._waited_s += time.monotonic() - before

    def _patience_s(self) -> float | None:
        """How long to wait now: real time is the pace. A pipe waits for whoever fills it."""
        if self._source.size is None:
            return None
        return max(0.0, self._settings.decoder_patience_s + self._decoded_s - self._waited_s)

    async def _death(self) -> AudioError:
        """The sentence for a decoder that ended without one."""
        status = await self._server.ended(self._number)
        name = self._source.name
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
            f"The decoder died while it read {name} ({how}). The file is damaged in an unusual "
            f"way: convert it first (ffmpeg -i INPUT output.flac), and please report it.",
            code="decoder_died",
        )

    def _astray(self) -> AudioError:
        """What it says makes no sense: memory is corrupt, or somebody else speaks."""
        return AudioError(
            f"The decoder of {self._source.name} went astray. The file is damaged or hostile: "
            f"convert it first (ffmpeg -i INPUT output.flac), and please report it.",
            code="decoder_died",
        )

    def _too_slow(self) -> AudioError:
        return AudioError(
            f"Decoding {self._source.name} fell more than {self._settings.decoder_patience_s:g} s "
            f"behind real time ({self._decoded_s:.0f} s of sound so far). Raise "
            f"VOXGATE_DECODER_PATIENCE_S on a slow machine or disk, or convert the file first.",
            code="decoder_too_slow",
        )


def _decoded(kind: bytes, body: bytes) -> DecoderEvent | VoxgateError:
    """One message as a value. Raises ValueError, KeyError, TypeError or struct.error for none."""
    if kind == messages.SOUND:
        return PcmBlock(body)
    if kind == messages.SPEECH:
        return SpeechProbabilities(struct.unpack(f"<{len(body) // 4}f", body))
    if kind == messages.NOTICE:
        return Notice(**json.loads(body))
    if kind == messages.ERROR:
        return _error(json.loads(body))
    if kind == messages.FACTS:
        return RecordingFacts(**json.loads(body))
    raise ValueError(f"no message begins with {kind!r}")


def _error(message: dict[str, Any]) -> VoxgateError:
    return error_from_code(message["code"], message["sentence"])
