"""The interface of a decoder's process: its job, and its messages to the caller over a pipe.

`DecoderJob` is all that the process receives, apart from its descriptors. Each message has a kind,
a length and a body:

    FACTS     JSON     once, first: the facts in the container's header
    SOUND     PCM16    the channel in one byte (0: the mix of all), then mono, 16 kHz,
                       little-endian; the continuation of the channel's sound before
    SPEECH    float32  the channel in one byte, then pairs, one for each 512 samples from the
                       beginning: the probability of speech in [0, 1], and the level in dB of full
                       scale, at least -100
    NOTICE    JSON     {"code", "sentence"}: a remark about the result
    ERROR     JSON     {"code", "sentence"}: the last message; there is no result
    FINISHED  a byte   the last message: everything was decoded; 1 if the process waits for another
                       job, 0 if it ends

If the pipe ends without ERROR or FINISHED, the process died.
"""

from __future__ import annotations

import fcntl
import json
import os
import struct
import sys
from contextlib import suppress
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final

from voxgate.audio.pcm import PcmDeclaration

if TYPE_CHECKING:
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


FACTS: Final = b"F"
SOUND: Final = b"S"
SPEECH: Final = b"P"
NOTICE: Final = b"N"
ERROR: Final = b"E"
FINISHED: Final = b"Z"

HEADER: Final = struct.Struct("<cI")
MAX_BODY_BYTES: Final = 1 << 24  # blocks are far smaller: a larger body is corrupt


PIPE_BYTES: Final = 1 << 18
"""What the pipe can hold: more than is written at once, so that no write waits for the reader."""

TOGETHER_BYTES: Final = 1 << 17
"""Of messages that are written at once: four seconds of sound. Each write wakes the reader,
often on the processor where the writer runs, who then waits although another one is free."""

FIRST_BYTES: Final = 1 << 14
"""Of the first write: less, since the reader has things to do while the rest is decoded."""


def open_pipe() -> tuple[int, int]:
    """Return the descriptors of a new pipe for messages: to read from, and to write to."""
    read_fd, write_fd = os.pipe()
    if sys.platform == "linux":
        with suppress(PermissionError):  # of many pipes, the kernel lets a user have small ones
            fcntl.fcntl(write_fd, fcntl.F_SETPIPE_SZ, PIPE_BYTES)
    return read_fd, write_fd


class MessageWriter:
    """The decoder's end of the pipe. Messages, each a kind and a body, arrive in their order."""

    def __init__(self, fd: int, *, together: bool) -> None:
        """`together` lets messages wait until they are enough for one write."""
        self._fd = fd
        self._enough = FIRST_BYTES if together else 0
        self._then_enough = TOGETHER_BYTES if together else 0
        self._waiting, self._waiting_bytes = list[bytes](), 0

    def add(self, *messages: tuple[bytes, bytes]) -> None:
        """Write messages, or let them wait for others until they are enough."""
        for kind, body in messages:
            self._waiting += HEADER.pack(kind, len(body)), body
            self._waiting_bytes += len(body)
        if self._waiting_bytes >= self._enough:
            self._write()

    def send(self, kind: bytes, body: bytes) -> None:
        """Write a message now, after those that wait."""
        self.add((kind, body))
        self._write()

    def _write(self) -> None:
        """Write all that wait. Wait while the pipe is full: this is the back-pressure."""
        if self._waiting:
            self._enough = self._then_enough
        view = memoryview(b"".join(self._waiting))
        self._waiting, self._waiting_bytes = [], 0
        while view:
            view = view[os.write(self._fd, view) :]


@dataclass(frozen=True, slots=True)
class DecoderLimits:
    """What the kernel lets each decoder's process use."""

    memory_bytes: int  # in addition to what it has at its start
    cpu_s: int
    file_bytes: int  # of a scratch file

    @classmethod
    def of(cls, settings: Settings) -> DecoderLimits:
        """Return the limits under these settings."""
        return cls(settings.decoder_memory_bytes, settings.decoder_cpu_s, settings.max_source_bytes)

    def to_json(self) -> str:
        """Return the limits as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> DecoderLimits:
        """Parse a line from `to_json`."""
        return cls(**json.loads(line))


@dataclass(frozen=True, slots=True)
class DecoderJob:
    """One file to decode, and its limits, as plain values. Sizes in bytes, times in seconds."""

    name: str
    offset: int  # position in the descriptor where the recording begins
    size: int | None  # None: a pipe or a file that grows, which is read to its end
    grows: bool  # whether it is a file that grows
    pcm: PcmDeclaration | None
    track: str | None  # its number or language; None: the main one
    language: str | None  # of the speech, if the caller knows it: it may choose the track
    split: bool  # whether each channel is a sound of its own
    max_source_bytes: int
    max_duration_s: float
    memory_bytes: int

    @classmethod
    def for_source(cls, source: Source, settings: Settings) -> DecoderJob:
        """Return the job of decoding this source under these settings."""
        return cls(
            name=source.name,
            offset=source.offset,
            size=source.size,
            grows=source.arrival_fd >= 0,
            pcm=source.pcm,
            track=source.choice.track_key,
            language=source.language,
            split=source.choice.split,
            max_source_bytes=settings.max_source_bytes,
            max_duration_s=settings.max_duration_s,
            memory_bytes=settings.decoder_memory_bytes,
        )

    def to_json(self) -> str:
        """Return the job as one line of JSON."""
        return json.dumps(asdict(self))

    @classmethod
    def from_json(cls, line: str) -> DecoderJob:
        """Parse a line from `to_json`."""
        fields = json.loads(line)
        pcm = fields.pop("pcm")
        return cls(**fields, pcm=PcmDeclaration(**pcm) if pcm else None)
