"""What models made of recordings: `Recognition`, and `ModelRun` with one for each recording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from voxgate.errors import VoxgateError
    from voxgate.prices import Price
    from voxgate.transcript.values import Transcript


@dataclass(frozen=True, slots=True)
class Recognition:
    """The text that a model has for a recording."""

    text: str
    audio_s: float  # of decoded sound
    processing_s: float  # from the file to its text, without the start of the model
    language: str | None = None  # ISO 639-1, of the speech, where the model says it
    nanodollars: int | None = None  # by the configured price; None where there is none

    @classmethod
    def of(cls, transcript: Transcript, elapsed_s: float, price: Price | None) -> Recognition:
        """Return what a transcript is, that took so many seconds, at a price."""
        samples = round(transcript.duration * SAMPLES_PER_S)
        return cls(
            transcript.text,
            transcript.duration,
            elapsed_s,
            transcript.language,
            price.nanodollars(samples, transcript.tokens) if price else None,
        )


@dataclass(slots=True)
class ModelRun:
    """One model and all recordings. One that was not begun has no attempt."""

    model: str  # its own name
    attempts: dict[str, Recognition | VoxgateError] = field(default_factory=dict)
    """By the names of recordings: the recognition, or why there is none."""

    @property
    def recognitions(self) -> dict[str, Recognition]:
        """Those of the recordings that did not fail, by their names."""
        return {
            name: attempt
            for name, attempt in self.attempts.items()
            if isinstance(attempt, Recognition)
        }
