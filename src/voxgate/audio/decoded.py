"""What a decoder gives: values, in the order in which they come."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeAlias

from voxgate.transcript.values import Notice


@dataclass(frozen=True, slots=True)
class Facts:
    """What the container says of the sound track that is read, before anything is decoded."""

    container: str  # FFmpeg's name of the demuxer
    codec: str
    rate: int  # Hz, before resampling
    channels: int  # before the downmix
    tracks: int  # sound tracks in the container
    declared_s: float | None  # the header's duration, where it states one: a claim, not a count


@dataclass(frozen=True, slots=True)
class Block:
    """The next stretch of sound, up to some seconds, right after the one before."""

    pcm16: bytes  # mono, 16 kHz, little-endian


@dataclass(frozen=True, slots=True)
class Speech:
    """The next probabilities of speech, in [0, 1], one for each 512 samples of sound."""

    probabilities: tuple[float, ...]


Decoded: TypeAlias = Facts | Block | Speech | Notice
"""One Facts, then Blocks and Speech as they come, Notices at the end."""
