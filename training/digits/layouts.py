"""Layouts of clips. A batch has one, because a crop is as long as its longest row."""

from __future__ import annotations

from typing import TYPE_CHECKING

from training.digits.mixture import Layout

if TYPE_CHECKING:
    from numpy.random import Generator

LONGEST_LEAD_S = 28.0


def crop(random: Generator, fewest: int, most: int, spread: float) -> tuple[Layout, int]:
    """Draw a layout, and the digits of its longest row. `spread` is the share with long pauses."""
    longest = int(random.integers(min(most, fewest + 2), most + 1))
    shortest = max(fewest, longest - 3)
    if random.random() >= spread:
        return Layout(shortest, longest, pause_s=0.5 if longest <= 8 else 0.3), longest
    lead_s = random.uniform(0.05, random.choice([0.6, 3.0, 8.0]))
    tail_s = random.uniform(0.05, random.choice([0.5, 2.0, 6.0]))
    return (
        Layout(
            shortest,
            longest,
            lead_s=(lead_s, lead_s + 0.5),
            pause_s=float(random.choice([0.5, 1.0, 2.0, 3.5])),
            tail_s=(tail_s, tail_s + 0.3),
        ),
        longest,
    )


def window(random: Generator, fewest: int, most: int, spread: float) -> Layout:
    """Draw a layout of a full window: as Voxgate cuts it, or spread out with long pauses."""
    if random.random() >= spread:
        return Layout(fewest, most, lead_s=(0.05, 0.5), window=True)
    lead_s = float(random.choice([0.6, 5.0, LONGEST_LEAD_S]))
    tail_s = float(random.choice([0.5, 3.0, 30.0]))
    pause_s = float(random.choice([0.5, 1.0, 2.0, 3.5]))
    return Layout(fewest, most, (0.05, lead_s), pause_s, (0.05, tail_s), window=True)
