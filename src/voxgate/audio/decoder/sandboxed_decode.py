"""What runs in the sandbox: decode one file to its last sample and send it to the caller.

`decode_file` is the decoder's whole task. `FileDecoder` puts the frames onto the timeline, in
blocks of channels. A `Sink` turns these blocks into PCM16 at 16 kHz and probabilities of speech.
"""

from __future__ import annotations

import json
from dataclasses import asdict
from fractions import Fraction
from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.decoder import messages
from voxgate.audio.decoder.chain import recordings
from voxgate.audio.decoder.file import RegularFile
from voxgate.audio.decoder.frame import to_float32
from voxgate.audio.decoder.messages import MessageWriter
from voxgate.audio.decoder.notices import DamagedSpan, DecodedPart, part_notices
from voxgate.audio.decoder.refusal import no_sound_error
from voxgate.audio.decoder.sink import MixSink, Sink, SplitSink, audio_too_long
from voxgate.audio.decoder.streamed_file import GrowingFile, PipeFile
from voxgate.audio.decoder.timeline import Timeline
from voxgate.audio.spool import SAMPLE_RATE
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from av.audio.frame import AudioFrame

    from voxgate.audio.decoder.container import Container
    from voxgate.audio.decoder.messages import DecoderJob
    from voxgate.audio.decoder.resample import Samples

NO_TIME = Fraction(0)
BLOCK_S = 1  # sound that is mixed, resampled and heard at once: bounds memory


def decode_file(
    job: DecoderJob,
    source_fd: int,
    stream_fd: int,
    out_fd: int,
    *,
    goes_on: Callable[[], bool],
) -> bool:
    """Decode the job's file. Send the sound, the notices, and the end or error to `out_fd`.

    `stream_fd` is a pipe's scratch file, or the pipe of a file that grows; -1 for other sources.
    Return whether the process can take another file: nothing was irregular, and `goes_on` says so.
    """
    # Not of a file that somebody fills, who may pause: its sound must not wait here.
    writer = MessageWriter(out_fd, together=job.size is not None)
    try:
        file = _open_file(job, source_fd, stream_fd)
        notices = FileDecoder(job, writer).run(recordings(file, job))
        takes_another = notices == 0 and goes_on()
        writer.send(messages.FINISHED, bytes([takes_another]))
    except (AudioError, UsageError) as error:
        writer.send(messages.ERROR, _sentence(error.code, error.sentence))
    except MemoryError:  # av.error.MemoryError is a subclass
        died = AudioError(
            f"Decoding {job.name} takes more than {job.memory_bytes >> 20} MB of memory, which an "
            f"ordinary recording does not. Raise VOXGATE_DECODER_MEMORY_BYTES if you trust the "
            f"file.",
            code="decoder_died",
        )
        writer.send(messages.ERROR, _sentence(died.code, died.sentence))
    except OSError as error:  # FFmpeg's errors are subclasses
        unreadable = AudioError(
            f"{job.name} could not be read: {error}. Try again, or copy it first.",
            code="unreadable_audio",
        )
        writer.send(messages.ERROR, _sentence(unreadable.code, unreadable.sentence))
    else:
        return takes_another
    return False


def _open_file(
    job: DecoderJob, source_fd: int, stream_fd: int
) -> RegularFile | PipeFile | GrowingFile:
    if job.size is not None:
        return RegularFile(source_fd, job.offset, job.size)
    kind = GrowingFile if job.grows else PipeFile
    return kind(source_fd, stream_fd, job.max_source_bytes, job.name)


class FileDecoder:
    """Puts frames onto the timeline, and passes them on in blocks of one rate and layout."""

    def __init__(self, job: DecoderJob, writer: MessageWriter) -> None:
        self._job, self._writer = job, writer
        self._sink: Sink = (SplitSink if job.split else MixSink)(writer, job)
        self._timeline = Timeline(SAMPLE_RATE, Fraction(0), None)
        self._block: list[Samples] = []
        self._block_samples = 0
        self._format: tuple[int, tuple[str, ...]] | None = None  # rate, channel names
        self._jumps = 0
        self._damage = DamagedSpan()
        self._decoded = 0  # samples

    def run(self, containers: Iterator[Container]) -> int:
        """Decode the file's recordings, and return the number of notices that were sent.

        Raise `AudioError` if it is too long or has no sound.
        """
        parts: list[DecodedPart] = []
        start_s = Fraction(0)
        for container in containers:
            if not parts:
                facts = json.dumps(asdict(container.facts)).encode()
                self._check_declared_duration(container)
                self._writer.add((messages.FACTS, facts))
            parts.append(self._decode(container, start_s))
            start_s += parts[-1].decoded_s
        self._sink.finish()
        if not self._decoded:
            raise no_sound_error(parts[0].container)
        notices = [notice for part in parts for notice in part_notices(self._job, part)]
        for code, sentence in notices:
            self._writer.add((messages.NOTICE, _sentence(code, sentence)))
        return len(notices)

    def _decode(self, container: Container, start_s: Fraction) -> DecodedPart:
        """Decode one recording, which begins `start_s` after the file's beginning."""
        self._timeline = timeline = Timeline(
            container.facts.rate or SAMPLE_RATE, container.origin, container.declared_duration
        )
        self._format, self._jumps, self._damage = None, 0, DamagedSpan()
        for frame in container.frames(timeline.add_lost):
            self._add_frame(frame, container)
        self._flush()
        decoded_s = Fraction(timeline.position, timeline.rate)
        self._damage.extend(container.damaged_packets, decoded_s, decoded_s)
        return DecodedPart(container, start_s, decoded_s, self._jumps, self._damage)

    def _add_frame(self, frame: AudioFrame, container: Container) -> None:
        """Add one frame at its position, after the silence before it."""
        frame_format = (frame.sample_rate, container.channel_names.of(frame))
        if frame_format != self._format:
            self._change_format(frame_format)
        before = self._timeline.position
        placement = self._timeline.place_at(frame.pts, frame.time_base or NO_TIME, frame.samples)
        if placement.silence and before:
            container.count_gap()
        if container.damaged_packets > self._damage.packets:
            rate, after = self._timeline.rate, before + placement.silence
            self._damage.extend(
                container.damaged_packets, Fraction(before, rate), Fraction(after, rate)
            )
        self._jumps += placement.jumped
        self._decoded += frame.samples
        if placement.silence:
            self._add_silence(placement.silence, len(frame_format[1]))
        self._add(to_float32(frame)[:, placement.skip :])

    def _add_silence(self, samples: int, channels: int) -> None:
        """Add silence, one block at a time: a gap may be hours long."""
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
            self._sink.add(np.concatenate(self._block, axis=1))
            self._block, self._block_samples = [], 0

    def _change_format(self, frame_format: tuple[int, tuple[str, ...]]) -> None:
        """Set the rate and layout: at the beginning, and in the middle of chained streams."""
        self._flush()
        self._format = frame_format
        self._timeline.change_rate(frame_format[0])
        self._sink.set_format(*frame_format)

    def _check_declared_duration(self, container: Container) -> None:
        """Refuse a header's duration above the limit, if the file is large enough for it."""
        declared, limit = container.facts.declared_s, self._job.max_duration_s
        if declared is not None and declared > limit and container.can_hold(declared):
            raise audio_too_long(
                self._job.name, limit, f"its header states {declared / 3600:.1f} h"
            )


def _sentence(code: str, sentence: str) -> bytes:
    return json.dumps({"code": code, "sentence": sentence}).encode()
