"""Which step comes next when requests share a model. Plain data: no clock, no thread, no tensor.

A request begins with its prefill (encoder and prompt, half a layer of one request per step). Then
it decodes one token at a time, together with all others that are decoding. A prefill comes first,
because a token costs less the more requests decode together. After `PREFILL_STEPS` prefill steps
the decoding ones get their next token, so that their text does not stop.

Windows and questions have slots of their own. One of each kind is prefilled at a time, in turns: a
question of thousands of positions does not hold up the windows that come after it.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, TypeVar

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.engine.queue import Kind

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
    """The sequences that are prefilled, the sequences that decode, and the next step.

    For each sequence call `admit` (when `can_admit`), `start_decoding` and `remove`. In between,
    call `next_step` as long as it returns a step.
    """

    def __init__(self, slots: Mapping[Kind, int]) -> None:
        """Take the number of slots of each kind."""
        self._slots = slots
        self._prefilling: dict[Kind, S] = {}  # the first one is the next
        self._decoding: dict[Kind, list[S]] = {kind: [] for kind in slots}
        self._prefill_steps = 0  # since the last decode step

    @property
    def active(self) -> list[S]:
        """All admitted sequences, those that are prefilled first."""
        return [*self._prefilling.values(), *self._all_decoding]

    @property
    def _all_decoding(self) -> tuple[S, ...]:
        return tuple(sequence for each in self._decoding.values() for sequence in each)

    def can_admit(self, kind: Kind) -> bool:
        """Whether another sequence of a kind may begin.

        Only one of each kind is prefilled at a time: two at once would both get their text later.
        """
        return kind not in self._prefilling and len(self._decoding[kind]) < self._slots[kind]

    def admit(self, sequence: S, kind: Kind) -> None:
        """Begin a sequence's prefill. Call it only when `can_admit`."""
        self._prefilling[kind] = sequence

    def next_step(self) -> PrefillStep[S] | DecodeStep[S] | None:
        """Return the step to compute now, or None when no sequence is active."""
        decoding = self._all_decoding
        if not self._prefilling or (decoding and self._prefill_steps >= PREFILL_STEPS):
            self._prefill_steps = 0
            return DecodeStep(decoding) if decoding else None
        self._prefill_steps += 1
        kind = next(iter(self._prefilling))
        sequence = self._prefilling[kind] = self._prefilling.pop(kind)  # the last one from now on
        return PrefillStep(sequence)

    def start_decoding(self, sequence: S) -> None:
        """Move a prefilled sequence, which has its first token, to the decoding ones."""
        kind = next(kind for kind, each in self._prefilling.items() if each is sequence)
        del self._prefilling[kind]
        self._decoding[kind].append(sequence)

    def remove(self, sequence: S) -> None:
        """Remove an active sequence."""
        for kind, decoding in self._decoding.items():
            if self._prefilling.get(kind) is sequence:
                del self._prefilling[kind]
            elif sequence in decoding:
                decoding.remove(sequence)
