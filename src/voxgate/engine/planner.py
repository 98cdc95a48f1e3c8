"""Which step comes next when windows share a model. Plain data: no clock, no thread, no tensor.

A window begins with its prefill (encoder and prompt, half a layer of one window per step). Then it
decodes one token at a time, together with all other windows that are decoding. A prefill comes
first, because a token costs less the more windows decode together. After `PREFILL_STEPS` prefill
steps the decoding windows get their next token, so that their text does not stop.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Generic, TypeVar

PREFILL_STEPS = 16
"""Prefill steps between two decode steps: eight layers.

Mini has 62 layers before its first token, so that the other windows get eight tokens in that time.
Fluent speech has about 100 tokens in 30 s. A dozen windows can therefore decode while the next one
is prefilled. With one layer per token it would be one or two, and sharing would gain nothing.
"""

S = TypeVar("S")


@dataclass(frozen=True, slots=True)
class PrefillStep(Generic[S]):
    """Take the next step of this sequence's prefill."""

    sequence: S


@dataclass(frozen=True, slots=True)
class DecodeStep(Generic[S]):
    """Decode one token of each of these sequences, in one pass."""

    sequences: tuple[S, ...]


class StepPlanner(Generic[S]):
    """The sequence that is prefilled, the sequences that decode, and the next step.

    For each sequence call `admit` (when `can_admit`), `start_decoding` and `remove`. In between,
    call `next_step` as long as it returns a step.
    """

    def __init__(self, slots: int) -> None:
        self._slots = slots
        self._prefilling: S | None = None
        self._decoding: list[S] = []
        self._prefill_steps = 0  # since the last decode step

    @property
    def active(self) -> list[S]:
        """All admitted sequences, the prefilled one first."""
        prefilling = [] if self._prefilling is None else [self._prefilling]
        return [*prefilling, *self._decoding]

    @property
    def can_admit(self) -> bool:
        """Whether another sequence may begin.

        Only one sequence is prefilled at a time: two at once would both get their text later.
        """
        return self._prefilling is None and len(self._decoding) < self._slots

    def admit(self, sequence: S) -> None:
        """Begin a sequence's prefill. Call it only when `can_admit`."""
        self._prefilling = sequence

    def next_step(self) -> PrefillStep[S] | DecodeStep[S] | None:
        """Return the step to compute now, or None when no sequence is active."""
        if self._prefilling is None or (self._decoding and self._prefill_steps >= PREFILL_STEPS):
            self._prefill_steps = 0
            return DecodeStep(tuple(self._decoding)) if self._decoding else None
        self._prefill_steps += 1
        return PrefillStep(self._prefilling)

    def start_decoding(self, sequence: S) -> None:
        """Move the prefilled sequence, which has its first token, to the decoding ones."""
        self._prefilling = None
        self._decoding.append(sequence)

    def remove(self, sequence: S) -> None:
        """Remove an active sequence."""
        if sequence is self._prefilling:
            self._prefilling = None
        else:
            self._decoding.remove(sequence)
