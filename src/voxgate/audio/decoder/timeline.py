"""The container's timeline, kept: where each decoded frame lies, counted in samples.

Later times are only right when sound that is missing leaves silence behind. Timestamps are trusted
within reason: codecs jitter by a millisecond, and broken clocks jump by hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

JITTER_S = Fraction(20, 1000)
"""Differences up to this are rounding (Matroska counts milliseconds, MPEG-TS 90 kHz), not gaps."""

OVERLAP_S = Fraction(1)
"""Up to this far back, sound is heard twice and dropped once; further back, the clock was reset."""

CLOCK_SLACK_S = Fraction(1)
"""How far past the announced end a timestamp may lie before the clock is not believed."""


LONGEST_GAP_S = Fraction(600)
"""The longest gap that is believed where no end is announced: joined streams jump by hours."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What comes before a frame, in samples of its own rate."""

    silence: int = 0  # to insert before it
    skip: int = 0  # to drop from its beginning
    jumped: bool = False  # the clock was not believed here; the frame follows its predecessor


class Timeline:
    """Positions of frames in samples at `rate`, from their timestamps in seconds.

    `origin` is the timestamp of time zero. `end` is the announced duration, if there is one: a gap
    that leads past it is a broken clock, not silence.
    """

    def __init__(self, rate: int, origin: Fraction, end: Fraction | None) -> None:
        self.rate = rate
        self.origin = origin
        self.end = end
        self.position = 0  # samples placed so far, silence included
        self._shift = 0  # samples that a disbelieved clock is off by

    def place(self, timestamp: Fraction | None, samples: int) -> Placement:
        """Place the next frame; without a timestamp it follows its predecessor."""
        placement = self._judge(timestamp, samples)
        self.position += placement.silence + samples - placement.skip
        return placement

    def lose(self, seconds: Fraction) -> None:
        """Note sound that the timestamps do not know is lost; later frames move back by it."""
        self._shift += round(seconds * self.rate)

    def change_rate(self, rate: int) -> None:
        """Go on in samples of another rate: chained streams change it in the middle."""
        scale = Fraction(rate, self.rate)
        self.position, self._shift = round(self.position * scale), round(self._shift * scale)
        self.rate = rate

    def _judge(self, timestamp: Fraction | None, samples: int) -> Placement:
        if timestamp is None:
            return Placement()
        gap = round((timestamp - self.origin) * self.rate) + self._shift - self.position
        if abs(gap) <= JITTER_S * self.rate:
            return Placement()
        if gap > 0 and self._plausible(gap):
            return Placement(silence=gap)
        if -OVERLAP_S * self.rate <= gap < 0:
            return Placement(skip=min(-gap, samples))
        self._shift -= gap
        return Placement(jumped=True)

    def _plausible(self, gap: int) -> bool:
        if self.end is None:
            return gap <= LONGEST_GAP_S * self.rate
        return self.position + gap <= (self.end + CLOCK_SLACK_S) * self.rate
