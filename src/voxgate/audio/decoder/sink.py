"""What leaves the decoder: sound at 16 kHz with the probability of speech in it, mixed or split.

`MixSink` mixes the channels to one sound. The detector listens to each channel by itself as well,
where they differ: a party of a call who is much quieter than the other is missed in the mix.
`SplitSink` sends every channel as a sound of its own.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder import messages
from voxgate.audio.decoder.resample import LOW_FREQUENCIES, Downmix, Resampler
from voxgate.audio.decoder.silero import SileroVad
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.decoder.messages import DecoderJob, MessageWriter
    from voxgate.audio.decoder.resample import Samples
    from voxgate.audio.decoder.silero import Heard

MAX_CHANNELS = 8
"""Channels that the detector listens to, and that can be split: those of a 7.1 film."""

DIFFERENT = 1e-4
"""Of the loudest channel's energy (-40 dB): a smaller difference is hiss, not another voice."""


class Sink(ABC):
    """Blocks of channels in, messages of sound and of speech probabilities out."""

    def __init__(self, writer: MessageWriter, job: DecoderJob) -> None:
        self._writer = writer
        self._job = job
        self._vads = [SileroVad() for _ in range(1 + MAX_CHANNELS)]  # of the mix, of each channel

    @abstractmethod
    def set_format(self, rate: int, channels: Sequence[str]) -> None:
        """Set the rate in Hz and the channel names of the blocks that follow."""

    @abstractmethod
    def add(self, block: Samples) -> None:
        """Send one block, [channels, samples] in the current format."""

    @abstractmethod
    def finish(self) -> None:
        """Send what remains in the resamplers and the detectors."""

    def _send(self, channel: int, sent: int, pcm16: bytes, heard: Heard) -> None:
        """Send sound of which `sent` samples were sent before, and what is heard in it."""
        if sent + len(pcm16) // SAMPLE_BYTES > self._job.max_duration_s * SAMPLE_RATE:
            raise audio_too_long(self._job.name, self._job.max_duration_s, "more sound follows")
        number = bytes([channel])
        sound = [(messages.SOUND, number + pcm16)] if pcm16 else []
        self._writer.add(*sound, (messages.SPEECH, number + heard.tobytes()))


class MixSink(Sink):
    """All channels as one sound, without losing a voice."""

    def __init__(self, writer: MessageWriter, job: DecoderJob) -> None:
        super().__init__(writer, job)
        self._sent = 0  # samples at 16 kHz
        self._resamplers: list[Resampler] = []  # of the mix, and of each channel
        self._listened: list[int] = []  # channels
        self._differ = False  # they have, at least once

    def set_format(self, rate: int, channels: Sequence[str]) -> None:
        """Set the rate in Hz and the channel names of the blocks that follow."""
        self._flush_resamplers()
        spoken = [place for place, name in enumerate(channels) if name not in LOW_FREQUENCIES]
        self._listened = spoken[:MAX_CHANNELS] if len(spoken) > 1 else []
        self._differ = False
        for vad in self._vads[1:]:
            vad.follow(self._vads[0])
        self._downmix = Downmix(rate, channels)
        self._resamplers = [Resampler(rate) for _ in range(1 + len(self._listened))]

    def add(self, block: Samples) -> None:
        """Send one block, [channels, samples] in the current format."""
        channels = block[self._listened]
        self._differ = self._differ or differ(channels)
        sounds = [self._downmix(block), *channels]
        self._deliver([r(sound) for r, sound in zip(self._resamplers, sounds, strict=True)])

    def finish(self) -> None:
        """Send what remains in the resamplers and the detectors."""
        self._flush_resamplers()
        heard = self._vads[0].flush()
        if self._differ:
            heard = _highest(
                [heard, *(vad.flush() for vad in self._vads[1 : 1 + len(self._listened)])]
            )
        self._send(0, self._sent, b"", heard)

    def _flush_resamplers(self) -> None:
        if self._resamplers:
            self._deliver([resampler.flush() for resampler in self._resamplers])

    def _deliver(self, sounds: Sequence[bytes]) -> None:
        """Send the mix, the first of the sounds; the channels, which follow, are listened to."""
        heard = [self._vads[0](sounds[0])]
        for vad, sound in zip(self._vads[1:], sounds[1:], strict=False):
            if self._differ:
                heard.append(vad(sound))
            else:
                vad.skip(sound)
        self._send(0, self._sent, sounds[0], _highest(heard))
        self._sent += len(sounds[0]) // SAMPLE_BYTES


class SplitSink(Sink):
    """Each channel as a sound of its own, with the number that it has in the file, from 1.

    All have the same length. A channel that a later part of the file does not have is silent there.
    """

    def __init__(self, writer: MessageWriter, job: DecoderJob) -> None:
        super().__init__(writer, job)
        self._sent: dict[int, int] = {}  # channel -> samples at 16 kHz
        self._resamplers: dict[int, Resampler] = {}  # those of the current format

    def set_format(self, rate: int, channels: Sequence[str]) -> None:
        """Set the rate in Hz and the channel names of the blocks that follow."""
        self._flush_resamplers()
        if len(channels) > MAX_CHANNELS:
            raise UsageError(
                f"{self._job.name} has {len(channels)} channels, and at most {MAX_CHANNELS} can be "
                f"recognised each for itself. Have them mixed, or extract those that matter.",
                code="unsupported_option",
            )
        numbers = [place for place, name in enumerate(channels, 1) if name not in LOW_FREQUENCIES]
        self._resamplers = {number: Resampler(rate) for number in numbers}
        self._fill([*self._sent, *numbers])

    def add(self, block: Samples) -> None:
        """Send one block, [channels, samples] in the current format."""
        for number, resampler in self._resamplers.items():
            self._deliver(number, resampler(block[number - 1]))
        self._fill(list(self._sent))

    def finish(self) -> None:
        """Send what remains in the resamplers and the detectors."""
        self._flush_resamplers()
        for number, sent in self._sent.items():
            self._send(number, sent, b"", self._vads[number].flush())

    def _flush_resamplers(self) -> None:
        for number, resampler in self._resamplers.items():
            self._deliver(number, resampler.flush())

    def _fill(self, numbers: Sequence[int]) -> None:
        """Add silence to the channels that are shorter than the others, a second at a time."""
        longest = max(self._sent.values(), default=0)
        for number in numbers:
            while (missing := longest - self._sent.setdefault(number, 0)) > 0:
                self._deliver(number, bytes(SAMPLE_BYTES * min(missing, SAMPLE_RATE)))

    def _deliver(self, number: int, pcm16: bytes) -> None:
        sent = self._sent.setdefault(number, 0)
        self._send(number, sent, pcm16, self._vads[number](pcm16))
        self._sent[number] += len(pcm16) // SAMPLE_BYTES


def differ(channels: Samples) -> bool:
    """Return whether channels, [channels, samples], are more than copies of one sound."""
    if len(channels) < 2:
        return False
    energy = np.einsum("cs,cs->c", channels, channels)
    difference = channels - channels[energy.argmax()]
    return bool(np.einsum("cs,cs->c", difference, difference).max() > DIFFERENT * energy.max())


def _highest(heard: Sequence[Heard]) -> Heard:
    """Return the mix's levels with the highest of all probabilities."""
    levels_db = heard[0][:, 1]
    return np.stack([np.max([each[:, 0] for each in heard], axis=0), levels_db], axis=1)


def audio_too_long(name: str, limit_s: float, reason: str) -> AudioError:
    """Return the error for sound that is longer than the limit."""
    return AudioError(
        f"{name} is longer than {limit_s / 3600:g} h, the configured limit: {reason}. Cut the "
        f"recording, or raise VOXGATE_MAX_DURATION_S (on a server: VOXGATE_MAX_UPLOAD_S).",
        code="audio_too_long",
    )
