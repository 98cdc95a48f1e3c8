"""What a decoder reports at a recording's end: each loss, and each header that was wrong."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from typing import TYPE_CHECKING

from voxgate.audio.decoder.tracks import describe_tracks, is_unlabelled

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.audio.decoder.container import Container
    from voxgate.audio.decoder.messages import DecoderJob

MISSING_S = Fraction(1, 2)  # a smaller difference at the end is padding and rounding


@dataclass(slots=True)
class DamagedSpan:
    """From the first damaged packet of a recording to the last one, in seconds from its start."""

    packets: int = 0
    start_s: Fraction = Fraction(0)
    end_s: Fraction = Fraction(0)

    def extend(self, packets: int, start_s: Fraction, end_s: Fraction) -> None:
        """Extend the span if there are more damaged packets than before, all in this silence."""
        if packets > self.packets:
            self.start_s = self.start_s if self.packets else start_s
            self.packets, self.end_s = packets, end_s


@dataclass(frozen=True, slots=True)
class DecodedPart:
    """A recording that was decoded to its end. Times are in seconds."""

    container: Container
    start_s: Fraction  # in the file: what the recordings before it lasted
    decoded_s: Fraction
    jumps: int  # of the clock
    damage: DamagedSpan


def part_notices(job: DecoderJob, part: DecodedPart) -> Iterator[tuple[str, str]]:
    """Yield the code and the sentence of each notice about a recording."""
    name = job.name
    container, lasts = part.container, f"{float(part.decoded_s):.1f} s"
    yield from _length_notices(name, part)
    if container.packets.incomplete:
        end = f"{float(part.start_s + part.decoded_s):.1f} s"
        yield (
            "truncated_audio",
            (
                f"{name} could not be read after {end}. If it is longer, convert it first "
                f"(ffmpeg -i INPUT output.flac)."
            ),
        )
    if container.rest_bytes:
        yield (
            "truncated_audio",
            (
                f"{name} goes on after the {lasts} that its header states: {container.rest_bytes} "
                f"bytes were not read. Give it as a file, not as a pipe."
            ),
        )
    if container.lacks_track:
        left_out = counted(container.lacks_track, "recording")
        yield (
            "truncated_audio",
            (
                f"{name} goes on with {left_out} without the sound track '{job.track}' after the "
                f"{lasts}: left out. Split the file to transcribe it by itself."
            ),
        )
    if container.encrypted_packets:
        encrypted = counted(container.encrypted_packets, "packet")
        yield (
            "damaged_audio",
            f"{encrypted} of {name} could not be decoded: a part of it is encrypted.",
        )
    if part.damage.packets:
        start, end = (
            f"{float(part.start_s + at):.1f} s" for at in (part.damage.start_s, part.damage.end_s)
        )
        where = f"at {start}" if start == end else f"between {start} and {end}"
        damaged = counted(part.damage.packets, "damaged packet")
        yield (
            "damaged_audio",
            f"{damaged} of {name} could not be decoded and became silence, {where}.",
        )
    if part.jumps:
        yield (
            "clock_jump",
            (
                f"The clock of {name} jumps {counted(part.jumps, 'time')}. Times after a jump "
                f"continue from the sound before it."
            ),
        )
    if len(container.tracks) > 1 and job.track is None:
        number = container.tracks.index(container.stream) + 1
        yield (
            "several_tracks",
            (
                f"{name} has {len(container.tracks)} sound tracks: "
                f"{describe_tracks(container.tracks)}. Number {number} was transcribed; `track` "
                f"chooses another, by number or language."
            ),
        )
    if job.track is not None and is_unlabelled(container.tracks, job.track):
        yield (
            "unlabelled_track",
            (
                f"{name} has one sound track, which states no language. It was transcribed as the "
                f"one in '{job.track}'."
            ),
        )


def counted(number: int, noun: str) -> str:
    """Return the number with its noun, which is plural unless it is one."""
    return f"{number} {noun}" if number == 1 else f"{number} {noun}s"


def _length_notices(name: str, part: DecodedPart) -> Iterator[tuple[str, str]]:
    declared_s, missing = part.container.declared_duration, part.container.missing_bytes
    difference = 0 if declared_s is None else part.decoded_s - declared_s
    lasts, states = f"{float(part.decoded_s):.1f} s", f"{float(declared_s or 0):.1f} s"
    if difference < -MISSING_S:
        yield (
            "truncated_audio",
            (
                f"{name} ends after {lasts}, but its header states {states}: it is cut off. The "
                f"part before that was transcribed."
            ),
        )
    elif missing:
        yield (
            "truncated_audio",
            (
                f"{name} is cut off: at least {missing:,} bytes that its container states "
                f"are missing. The {lasts} before that were transcribed."
            ),
        )
    elif difference > MISSING_S:
        yield (
            "header_lies",
            f"{name} lasts {lasts}, but its header states {states}. All of it was transcribed.",
        )
