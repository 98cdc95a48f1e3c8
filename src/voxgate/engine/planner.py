"""Whose step is next, where windows share a model. Plain data: no clock, thread, tensor.

A window begins with its opening (encode and prefill: half a layer of a window a step), then takes a
token at a time together with all others that are that far. Openings come first, for the more
windows decode together the less each token costs; but after `PREFILL_STEPS` steps of an opening all
others get their next token, so that nobody's text stands still.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from voxgate.engine.queue import Lane

PREFILL_STEPS = 16
"""Steps of an opening between two tokens of the others: eight layers.

Mini has 62 layers before its first token: eight tokens of all others in that time. Fluent speech
has about 100 tokens in 30 s, so that a dozen windows can be decoding while the next is opened; with
one layer a token it would be one or two, and sharing would gain nothing.
"""
STEPS_BESIDE_LIVE = 2  # of a batch window's opening, where somebody waits for live text
RESERVED = 1  # slots that only live windows get, where there is more than one


class Laned(Protocol):
    """Whatever is planned here."""

    @property
    def lane(self) -> Lane:
        """Whose window it is."""


S = TypeVar("S", bound=Laned)


@dataclass(frozen=True, slots=True)
class PrefillStep(Generic[S]):
    """Take the next step of this one's opening."""

    sequence: S


@dataclass(frozen=True, slots=True)
class DecodeStep(Generic[S]):
    """Take one token for each of these, in one pass."""

    sequences: tuple[S, ...]


class StepPlanner(Generic[S]):
    """Who is opening, who is decoding, and what is next.

    For each window: `admits`, `begin`, `decode`, `end`; in between, `next` as often as there is
    something to do.
    """

    def __init__(self, slots: int) -> None:
        self.slots = slots
        self.opening: list[S] = []
        self.decoding: list[S] = []
        self._steps = 0  # since the last token

    @property
    def all(self) -> list[S]:
        """Everyone in work."""
        return [*self.opening, *self.decoding]

    def admits(self, lane: Lane) -> bool:
        """Whether another one of this lane may begin.

        One is opened after another, for two at once would only be late both; a live one does not
        wait for a batch one's end. Batch windows leave `RESERVED` slots to live ones.
        """
        ahead = {one.lane for one in self.opening}
        if lane == "live":
            return "live" not in ahead and len(self.all) < self.slots
        share = max(1, self.slots - RESERVED)
        mine = sum(one.lane == "batch" for one in self.all)
        return not ahead and mine < share and len(self.all) < self.slots

    def begin(self, sequence: S) -> None:
        """Take in one whose lane is admitted."""
        self.opening.append(sequence)

    def next(self) -> PrefillStep[S] | DecodeStep[S] | None:
        """What to do now; None when nobody is here."""
        opening = min(self.opening, key=lambda one: one.lane != "live", default=None)
        if opening is None or (self.decoding and self._steps >= self._most(opening)):
            self._steps = 0
            return DecodeStep(tuple(self.decoding)) if self.decoding else None
        self._steps += 1
        return PrefillStep(opening)

    def decode(self, sequence: S) -> None:
        """Its opening is done: it has its first token, and takes part in the next ones."""
        self.opening.remove(sequence)
        self.decoding.append(sequence)

    def end(self, sequence: S) -> None:
        """Let it go, wherever it is."""
        (self.opening if sequence in self.opening else self.decoding).remove(sequence)

    def _most(self, opening: S) -> int:
        live = any(one.lane == "live" for one in self.decoding)
        return STEPS_BESIDE_LIVE if live and opening.lane == "batch" else PREFILL_STEPS
