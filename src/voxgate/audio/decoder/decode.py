"""One file from its first byte to its last sample: the decoder's whole day."""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder import messages
from voxgate.audio.decoder.container import Container
from voxgate.audio.decoder.file import PipeFile, RegularFile
from voxgate.audio.decoder.resample import Downmix, Resampler
from voxgate.audio.decoder.timeline import Timeline
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.frame import AudioFrame

    from voxgate.audio.decoder.messages import DecoderJob
    from voxgate.audio.decoder.resample import Samples
    from voxgate.audio.decoder.silero import SileroVad


# Blocks of channels to what goes over the wire: PCM16 at 16 kHz, and probabilities of speech.


class PcmSink:
    """Blocks of channels to PCM16 and probabilities of speech, on the wire."""

    def __init__(self, voice: SileroVad, out_fd: int, job: DecoderJob) -> None:
        self.out_fd = out_fd
        self._voice, self._job = voice, job
        self._left = round(job.max_duration_s * SAMPLE_RATE)
        self._downmix: Downmix | None = None
        self._resample: Resampler | None = None

    def change(self, rate: int, channels: Sequence[str]) -> None:
        """Go on with blocks of this rate and layout."""
        self._end_rate()
        self._downmix, self._resample = Downmix(rate, channels), Resampler(rate)

    def add(self, block: Samples) -> None:
        """Send one block, [channels, samples] at the current rate."""
        if self._downmix and self._resample:
            self._send(self._resample(self._downmix(block)))

    def finish(self) -> None:
        """Send what the resampler and the speech detector still hold."""
        self._end_rate()
        messages.send(self.out_fd, messages.SPEECH, self._voice.flush())

    def _end_rate(self) -> None:
        if self._resample:
            self._send(self._resample.flush())

    def _send(self, pcm16: bytes) -> None:
        self._left -= len(pcm16) // SAMPLE_BYTES
        if self._left < 0:
            raise audio_too_long(self._job.name, self._job.max_duration_s, "more sound follows")
        if pcm16:
            messages.send(self.out_fd, messages.SOUND, pcm16)
            messages.send(self.out_fd, messages.SPEECH, self._voice(pcm16))


def to_float32(frame: AudioFrame) -> Samples:
    """A frame as [channels, samples], float32 of full scale 1."""
    samples = frame.to_ndarray()
    if not frame.format.is_planar:
        samples = samples.reshape(-1, len(frame.layout.channels)).T
    kind = samples.dtype
    if kind == np.uint8:
        return (samples.astype(np.float32) - np.float32(128)) / np.float32(128)
    if kind.kind == "i":
        return samples.astype(np.float32) / np.float32(2 ** (8 * kind.itemsize - 1))
    return samples.astype(np.float32)


def audio_too_long(name: str, limit_s: float, why: str) -> AudioError:
    """The one sentence for sound past the limit."""
    return AudioError(
        f"{name} is longer than {limit_s / 3600:g} h, the limit here: {why}. Cut the "
        f"recording, or raise VOXGATE_MAX_DURATION_S (a server's: VOXGATE_MAX_UPLOAD_S).",
        code="audio_too_long",
    )


BLOCK_S = 1  # what is mixed, resampled and sent at once: the pipe's messages, the downmix's memory
MISSING_S = Fraction(1, 2)  # less than this missing at the end is padding and rounding


def decode_file(
    job: DecoderJob, voice: SileroVad, source_fd: int, scratch_fd: int, out_fd: int
) -> None:
    """Decode the job's file and say everything over `out_fd`, the end included."""
    try:
        file = (
            PipeFile(source_fd, scratch_fd, job.max_source_bytes, job.name)
            if job.size is None
            else RegularFile(source_fd, job.offset, job.size)
        )
        container = Container(file, job.name, job.pcm)
        FileDecoder(job, container, PcmSink(voice, out_fd, job)).run()
        messages.send(out_fd, messages.FINISHED)
    except AudioError as error:
        _say(out_fd, messages.ERROR, error.code, error.sentence)
    except MemoryError:  # av.error.MemoryError is one too
        died = AudioError(
            f"Decoding {job.name} takes more than {job.memory_bytes >> 20} MB of memory, which no "
            f"ordinary recording does. Raise VOXGATE_DECODER_MEMORY_BYTES if you trust the file.",
            code="decoder_died",
        )
        _say(out_fd, messages.ERROR, died.code, died.sentence)
    except OSError as error:  # FFmpeg's errors are such, too
        unreadable = AudioError(
            f"{job.name} could not be read: {error}. Try again, or copy it first.",
            code="unreadable_audio",
        )
        _say(out_fd, messages.ERROR, unreadable.code, unreadable.sentence)


class FileDecoder:
    """Frames onto the timeline, in blocks of one rate and layout."""

    def __init__(self, job: DecoderJob, container: Container, sound: PcmSink) -> None:
        self._job, self._container, self._sound = job, container, sound
        self._facts = container.facts
        self._timeline = Timeline(
            self._facts.rate or SAMPLE_RATE, container.origin, container.declared
        )
        self._block: list[Samples] = []
        self._block_samples = 0
        self._shape: tuple[int, tuple[str, ...]] | None = None
        self._jumps = 0
        self._decoded = 0

    def run(self) -> None:
        """Everything, in order."""
        self._refuse_announced_length()
        messages.send(self._sound.out_fd, messages.FACTS, json.dumps(asdict(self._facts)).encode())
        for frame in self._container.frames(self._timeline.lose):
            self._take(frame)
        self._flush()
        self._sound.finish()
        if not self._decoded:
            raise self._nothing_decoded()
        self._tell()

    def _take(self, frame: AudioFrame) -> None:
        """Put one frame where it belongs, silence before it included."""
        shape = (frame.sample_rate, tuple(channel.name for channel in frame.layout.channels))
        if shape != self._shape:
            self._change(shape)
        seconds = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 0)
        placement = self._timeline.place(seconds, frame.samples)
        self._jumps += placement.jumped
        self._decoded += frame.samples
        self._silence(placement.silence, len(shape[1]))
        self._add(to_float32(frame)[:, placement.skip :])

    def _silence(self, samples: int, channels: int) -> None:
        """Silence a block at a time: a gap may be hours long."""
        step = BLOCK_S * self._timeline.rate
        for at in range(0, samples, step):
            self._add(np.zeros((channels, min(step, samples - at)), np.float32))

    def _add(self, samples: Samples) -> None:
        self._block.append(samples)
        self._block_samples += samples.shape[1]
        if self._block_samples >= BLOCK_S * self._timeline.rate:
            self._flush()

    def _flush(self) -> None:
        if self._block:
            self._sound.add(np.concatenate(self._block, axis=1))
            self._block, self._block_samples = [], 0

    def _change(self, shape: tuple[int, tuple[str, ...]]) -> None:
        """Another rate or layout: at the beginning, and in the middle of chained streams."""
        self._flush()
        self._shape = shape
        self._timeline.change_rate(shape[0])
        self._sound.change(*shape)

    def _refuse_announced_length(self) -> None:
        """Believe a header only as far as the file's size can hold what it announces."""
        declared, limit = self._facts.declared_s, self._job.max_duration_s
        if declared is not None and declared > limit and self._container.can_hold(declared):
            raise audio_too_long(
                self._job.name, limit, f"its header announces {declared / 3600:.1f} h"
            )

    def _nothing_decoded(self) -> AudioError:
        if self._container.damaged:
            return AudioError(
                f"Nothing in {self._job.name} can be decoded: all of its {self._facts.codec} "
                f"packets are damaged. Copy or download it again.",
                code="empty_audio",
            )
        return AudioError(
            f"{self._job.name} holds no sound: its {self._facts.container} header is valid, but "
            f"not one sample follows. Was the recording stopped at once?",
            code="empty_audio",
        )

    def _tell(self) -> None:
        """Notices about what is known only at the end."""
        name, out = self._job.name, self._sound.out_fd
        heard = Fraction(self._timeline.position, self._timeline.rate)
        declared = self._container.declared
        if declared is not None and declared - heard > MISSING_S:
            _say(
                out, messages.NOTICE, "truncated_audio",
                f"{name} ends after {float(heard):.1f} s, but its header announces "
                f"{float(declared):.1f} s: it is cut off. What is there was transcribed.",
            )  # fmt: skip
        elif declared is not None and heard - declared > MISSING_S:
            _say(
                out, messages.NOTICE, "header_lies",
                f"{name} goes on to {float(heard):.1f} s, but its header announces "
                f"{float(declared):.1f} s. All of it was transcribed.",
            )  # fmt: skip
        if self._container.broken_off:
            _say(
                out,
                messages.NOTICE,
                "truncated_audio",
                f"{name} breaks off after {float(heard):.1f} s: what follows could not be read. "
                f"Convert it first (ffmpeg -i INPUT output.flac) if there is more.",
            )
        if self._container.damaged:
            _say(
                out, messages.NOTICE, "damaged_audio",
                f"{self._container.damaged} damaged packets of {name} could not be decoded; "
                f"silence stands in their place.",
            )  # fmt: skip
        if self._jumps:
            _say(
                out, messages.NOTICE, "clock_jump",
                f"The clock of {name} jumps {self._jumps} times; times after a jump count on from "
                f"the sound before it.",
            )  # fmt: skip
        if self._facts.tracks > 1:
            _say(
                out, messages.NOTICE, "several_tracks",
                f"{name} has {self._facts.tracks} sound tracks; the main one was transcribed.",
            )  # fmt: skip


def _say(out_fd: int, kind: bytes, code: str, sentence: str) -> None:
    messages.send(out_fd, kind, json.dumps({"code": code, "sentence": sentence}).encode())
