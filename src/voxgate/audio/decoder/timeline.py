"""The container's timeline: the position of each decoded frame, counted in samples.

Later times are right only if missing sound is replaced by silence. Timestamps are believed within
limits: codecs jitter by a millisecond, and broken clocks jump by hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction

JITTER_S = Fraction(20, 1000)
"""Differences up to this are rounding (Matroska counts milliseconds, MPEG-TS 90 kHz), not gaps."""

OVERLAP_S = Fraction(1)
"""Sound that overlaps up to this much is a repetition and is dropped. Beyond this, the clock was
reset."""

CLOCK_SLACK_S = Fraction(1)
"""A timestamp further than this past the declared end is not believed."""


LONGEST_GAP_S = Fraction(600)
"""The longest gap that is believed without a declared end: in joined streams the clock jumps by
hours."""

RESTART_S = Fraction(1)
"""A clock that jumps to within this of its origin has begun anew."""


@dataclass(frozen=True, slots=True)
class Placement:
    """What to do before a frame, in samples of its own rate."""

    silence: int = 0  # to insert before it
    skip: int = 0  # to drop from its beginning
    jumped: bool = False  # the timestamp was not believed: the frame follows its predecessor


FOLLOWS = Placement()


@dataclass(frozen=True, slots=True)
class _Steps:
    """A timestamp's distance from a position, in integers: `divisor` is one sample."""

    base: Fraction  # seconds that a timestamp counts
    rate: int
    factor: int  # of a timestamp,
    offset: int  # of the origin,
    divisor: int  # and of a position
    limit: int  # up to which the distance is surely jitter: a sample less, for rounding

    @classmethod
    def of(cls, base: Fraction, origin: Fraction, rate: int) -> _Steps:
        divisor = base.denominator * origin.denominator
        return cls(
            base=base,
            rate=rate,
            factor=base.numerator * rate * origin.denominator,
            offset=origin.numerator * rate * base.denominator,
            divisor=divisor,
            limit=int((JITTER_S * rate - 1) * divisor),
        )

    def are_near(self, pts: int, position: int) -> bool:
        distance = pts * self.factor - self.offset - position * self.divisor
        return -self.limit <= distance <= self.limit


class Timeline:
    """Positions of frames in samples at `rate`, from their timestamps in seconds.

    `origin` is the timestamp of time zero. `end` is the declared duration, or None: a gap that
    leads past it is a broken clock, not silence.
    """

    def __init__(self, rate: int, origin: Fraction, end: Fraction | None) -> None:
        self.rate = rate
        self.origin = origin
        self.end = end
        self.position = 0  # samples placed so far, silence included
        self._shift = 0  # samples to add to the timestamps: the sum of all jumps and losses
        self._steps = _Steps.of(Fraction(1), origin, rate)

    def place_at(self, pts: int | None, base: Fraction, samples: int) -> Placement:
        """Place the next frame, whose timestamp counts `base` seconds: as `place`, in integers.

        Nearly all frames follow their predecessor, and fractions would take as long as their codec.
        """
        if pts is None:
            return self.place(None, samples)
        if base != self._steps.base or self.rate != self._steps.rate:
            self._steps = _Steps.of(base, self.origin, self.rate)
        if self._steps.are_near(pts, self.position - self._shift):
            self.position += samples
            return FOLLOWS
        return self.place(pts * base, samples)

    def place(self, timestamp: Fraction | None, samples: int) -> Placement:
        """Place the next frame. Without a timestamp it follows its predecessor."""
        placement = self._placement(timestamp, samples)
        self.position += placement.silence + samples - placement.skip
        return placement

    def add_lost(self, seconds: Fraction) -> None:
        """Move later frames back by lost sound that the timestamps do not account for."""
        self._shift += round(seconds * self.rate)

    def change_rate(self, rate: int) -> None:
        """Continue in samples of another rate: chained streams change it in the middle."""
        scale = Fraction(rate, self.rate)
        self.position, self._shift = round(self.position * scale), round(self._shift * scale)
        self.rate = rate

    def _placement(self, timestamp: Fraction | None, samples: int) -> Placement:
        if timestamp is None:
            return FOLLOWS
        gap = round((timestamp - self.origin) * self.rate) + self._shift - self.position
        if abs(gap) <= JITTER_S * self.rate:
            return FOLLOWS
        if gap > 0 and self._is_plausible(gap):
            return Placement(silence=gap)
        if -OVERLAP_S * self.rate <= gap < 0:
            return Placement(skip=min(-gap, samples))
        self._shift -= gap
        # A clock that begins anew is no error: another recording was appended to the first.
        return Placement(jumped=abs(timestamp - self.origin) > RESTART_S)

    def _is_plausible(self, gap: int) -> bool:
        if self.end is None:
            return gap <= LONGEST_GAP_S * self.rate
        return self.position + gap <= (self.end + CLOCK_SLACK_S) * self.rate
