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
from voxgate.audio.decoder.container import Container
from voxgate.audio.decoder.file import PipeFile, RegularFile
from voxgate.audio.decoder.frame import to_float32
from voxgate.audio.decoder.sink import MixSink, Sink, SplitSink, audio_too_long
from voxgate.audio.decoder.timeline import Timeline
from voxgate.audio.decoder.tracks import describe_tracks
from voxgate.audio.spool import SAMPLE_RATE
from voxgate.errors import AudioError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from av.audio.frame import AudioFrame

    from voxgate.audio.decoder.messages import DecoderJob
    from voxgate.audio.decoder.resample import Samples
    from voxgate.audio.decoder.silero import SileroVad

BLOCK_S = 1  # sound that is mixed, resampled and sent at once: bounds messages and memory
MISSING_S = Fraction(1, 2)  # a smaller difference at the end is padding and rounding


def decode_file(
    job: DecoderJob, vads: Sequence[SileroVad], source_fd: int, scratch_fd: int, out_fd: int
) -> None:
    """Decode the job's file. Send the sound, the notices, and the end or error to `out_fd`.

    `vads` are detectors that nothing has used: one, and `MAX_CHANNELS` for the channels.
    """
    try:
        file = (
            PipeFile(source_fd, scratch_fd, job.max_source_bytes, job.name)
            if job.size is None
            else RegularFile(source_fd, job.offset, job.size)
        )
        container = Container(file, job.name, job.pcm, track=job.track, language=job.language)
        sink = (SplitSink if job.split else MixSink)(vads, out_fd, job)
        FileDecoder(job, container, sink).run()
        messages.send(out_fd, messages.FINISHED)
    except (AudioError, UsageError) as error:
        _send_sentence(out_fd, messages.ERROR, error.code, error.sentence)
    except MemoryError:  # av.error.MemoryError is a subclass
        died = AudioError(
            f"Decoding {job.name} takes more than {job.memory_bytes >> 20} MB of memory, which an "
            f"ordinary recording does not. Raise VOXGATE_DECODER_MEMORY_BYTES if you trust the "
            f"file.",
            code="decoder_died",
        )
        _send_sentence(out_fd, messages.ERROR, died.code, died.sentence)
    except OSError as error:  # FFmpeg's errors are subclasses
        unreadable = AudioError(
            f"{job.name} could not be read: {error}. Try again, or copy it first.",
            code="unreadable_audio",
        )
        _send_sentence(out_fd, messages.ERROR, unreadable.code, unreadable.sentence)


class FileDecoder:
    """Puts frames onto the timeline, and passes them on in blocks of one rate and layout."""

    def __init__(self, job: DecoderJob, container: Container, sink: Sink) -> None:
        self._job, self._container, self._sink = job, container, sink
        self._facts = container.facts
        self._timeline = Timeline(
            self._facts.rate or SAMPLE_RATE, container.origin, container.declared_duration
        )
        self._block: list[Samples] = []
        self._block_samples = 0
        self._format: tuple[int, tuple[str, ...]] | None = None  # rate, channel names
        self._jumps = 0
        self._decoded = 0  # samples

    def run(self) -> None:
        """Decode the whole file. Raise `AudioError` if it is too long or has no sound."""
        self._check_declared_duration()
        messages.send(self._sink.out_fd, messages.FACTS, json.dumps(asdict(self._facts)).encode())
        for frame in self._container.frames(self._timeline.add_lost):
            self._add_frame(frame)
        self._flush()
        self._sink.finish()
        if not self._decoded:
            raise self._no_sound_error()
        self._send_notices()

    def _add_frame(self, frame: AudioFrame) -> None:
        """Add one frame at its position, after the silence before it."""
        frame_format = (frame.sample_rate, self._container.channel_names.of(frame))
        if frame_format != self._format:
            self._change_format(frame_format)
        seconds = None if frame.pts is None else frame.pts * Fraction(frame.time_base or 0)
        placement = self._timeline.place(seconds, frame.samples)
        self._jumps += placement.jumped
        self._decoded += frame.samples
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

    def _check_declared_duration(self) -> None:
        """Refuse a header's duration above the limit, if the file is large enough for it."""
        declared, limit = self._facts.declared_s, self._job.max_duration_s
        if declared is not None and declared > limit and self._container.can_hold(declared):
            raise audio_too_long(
                self._job.name, limit, f"its header states {declared / 3600:.1f} h"
            )

    def _no_sound_error(self) -> AudioError:
        if self._container.damaged_packets:
            return AudioError(
                f"Nothing in {self._job.name} can be decoded: all of its {self._facts.codec} "
                f"packets are damaged. Copy or download it again.",
                code="empty_audio",
            )
        return AudioError(
            f"{self._job.name} contains no sound: its {self._facts.container} header is valid, but "
            f"no samples follow it. Was the recording stopped immediately?",
            code="empty_audio",
        )

    def _send_notices(self) -> None:
        """Send the notices about what is known only at the end."""
        name = self._job.name
        decoded_s = Fraction(self._timeline.position, self._timeline.rate)
        declared_s = self._container.declared_duration
        if declared_s is not None and declared_s - decoded_s > MISSING_S:
            self._send_notice(
                "truncated_audio",
                f"{name} ends after {float(decoded_s):.1f} s, but its header states "
                f"{float(declared_s):.1f} s: it is cut off. The part before that was transcribed.",
            )
        elif declared_s is not None and decoded_s - declared_s > MISSING_S:
            self._send_notice(
                "header_lies",
                f"{name} lasts {float(decoded_s):.1f} s, but its header states "
                f"{float(declared_s):.1f} s. All of it was transcribed.",
            )
        if self._container.incomplete:
            self._send_notice(
                "truncated_audio",
                f"{name} could not be read after {float(decoded_s):.1f} s. If it is longer, "
                f"convert it first (ffmpeg -i INPUT output.flac).",
            )
        if self._container.damaged_packets:
            self._send_notice(
                "damaged_audio",
                f"{self._container.damaged_packets} damaged packets of {name} could not be "
                f"decoded. They were replaced by silence.",
            )
        if self._jumps:
            self._send_notice(
                "clock_jump",
                f"The clock of {name} jumps {self._jumps} times. Times after a jump continue from "
                f"the sound before it.",
            )
        if self._facts.tracks > 1 and self._job.track is None:
            tracks = self._container.tracks
            number = tracks.index(self._container.stream) + 1
            self._send_notice(
                "several_tracks",
                f"{name} has {len(tracks)} sound tracks: {describe_tracks(tracks)}. Number "
                f"{number} was transcribed; `track` chooses another, by number or language.",
            )

    def _send_notice(self, code: str, sentence: str) -> None:
        _send_sentence(self._sink.out_fd, messages.NOTICE, code, sentence)


def _send_sentence(out_fd: int, kind: bytes, code: str, sentence: str) -> None:
    messages.send(out_fd, kind, json.dumps({"code": code, "sentence": sentence}).encode())
