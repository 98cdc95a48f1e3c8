"""The probability of speech and the level of the sound, 31 times a second."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np

from voxgate.audio.decoder.silero_kernel import load_network
from voxgate.audio.decoder.silero_network import CHUNK, State
from voxgate.audio.spool import SAMPLE_BYTES

FLOOR_DB = -100.0  # the level of silence

Heard: TypeAlias = np.ndarray[tuple[int, ...], np.dtype[np.float32]]
"""[chunks, 2]: the probability of speech in [0, 1], and the level in dB of full scale."""


class SileroVad:
    """Silero VAD over a stream of PCM16. All of a process share one network."""

    def __init__(self) -> None:
        self._network, self._state = load_network(), State.initial()
        self._remainder = b""  # the incomplete last chunk

    def __call__(self, pcm16: bytes) -> Heard:
        """Return what is heard in each chunk that is complete."""
        return self._hear(self._whole_chunks(pcm16))

    def flush(self) -> Heard:
        """Return what is heard in the incomplete chunk, padded with silence, if there is one."""
        rest, self._remainder = self._remainder, b""
        return self._hear(rest.ljust(CHUNK * SAMPLE_BYTES, b"\0") if rest else b"")

    def skip(self, pcm16: bytes) -> None:
        """Pass over sound without listening. Chunks that follow begin where they would have."""
        self._whole_chunks(pcm16)

    def follow(self, other: SileroVad) -> None:
        """Begin anew, with chunks where those of another detector begin."""
        self._state = State.initial()
        self._remainder = bytes(len(other._remainder))

    def _whole_chunks(self, pcm16: bytes) -> bytes:
        sound = self._remainder + pcm16
        whole = len(sound) // (CHUNK * SAMPLE_BYTES) * CHUNK * SAMPLE_BYTES
        self._remainder = sound[whole:]
        return sound[:whole]

    def _hear(self, pcm16: bytes) -> Heard:
        chunks = np.frombuffer(pcm16, "<i2").astype(np.float32).reshape(-1, CHUNK)
        chunks *= np.float32(1 / 32768)
        heard = np.empty((len(chunks), 2), np.float32)
        heard[:, 0], self._state = self._network(chunks, self._state)
        power = np.einsum("cs,cs->c", chunks, chunks) / CHUNK
        heard[:, 1] = 10 * np.log10(np.maximum(power, 10 ** (FLOOR_DB / 10)))
        return heard
