"""Whose step is next: everything is counted, and nothing is timed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from voxgate.engine.planner import (
    PREFILL_STEPS,
    RESERVED,
    STEPS_BESIDE_LIVE,
    DecodeStep,
    PrefillStep,
    StepPlanner,
)

if TYPE_CHECKING:
    from voxgate.engine.queue import Lane

OPENING, TOKENS = 124, 100  # steps of a window of 30 s of fluent speech in Mini


@dataclass(eq=False)
class Window:
    """Counts what it was given."""

    name: str
    lane: Lane = "batch"
    steps: int = 0
    tokens: int = 0


class Simulation:
    """Rounds with windows that wait for them; `log` has a window's name for each step."""

    def __init__(self, slots: int) -> None:
        self.rounds: StepPlanner[Window] = StepPlanner(slots)
        self.waiting: list[Window] = []
        self.log: list[str | tuple[str, ...]] = []

    def step(self) -> None:
        for window in list(self.waiting):
            if self.rounds.admits(window.lane):
                self.waiting.remove(window)
                self.rounds.begin(window)
        planned = self.rounds.next()
        if isinstance(planned, PrefillStep):
            self._step(planned.sequence)
        elif isinstance(planned, DecodeStep):
            self._token(planned)

    def _step(self, window: Window) -> None:
        self.log.append(window.name)
        window.steps += 1
        if window.steps == OPENING:
            self.rounds.decode(window)

    def _token(self, planned: DecodeStep[Window]) -> None:
        self.log.append(tuple(window.name for window in planned.sequences))
        for window in planned.sequences:
            window.tokens += 1
            if window.tokens == TOKENS:
                self.rounds.end(window)

    def run(self) -> None:
        while self.waiting or self.rounds.all:
            self.step()

    def until(self, window: Window, steps: int) -> None:
        while window.steps < steps:
            self.step()


def longest_wait(log: list[str | tuple[str, ...]], name: str) -> int:
    """The most steps of others between two tokens of this one."""
    tokens = [isinstance(what, tuple) and name in what for what in log]
    places = [place for place, token in enumerate(tokens) if token]
    return max(second - first - 1 for first, second in itertools.pairwise(places))


def test_one_alone_is_opened_and_then_decoded() -> None:
    one = Simulation(slots=1)
    one.waiting = [Window("a")]
    one.run()
    assert one.log == ["a"] * OPENING + [("a",)] * TOKENS
    assert one.rounds.next() is None


def test_windows_are_opened_one_after_another_in_the_order_they_came() -> None:
    many = Simulation(slots=9)
    many.waiting = [Window(str(number)) for number in range(20)]
    many.run()
    steps = [what for what in many.log if isinstance(what, str)]
    assert steps == [str(number) for number in range(20) for _ in range(OPENING)]


def test_nobodys_text_stands_still_while_others_are_opened() -> None:
    many = Simulation(slots=9)
    many.waiting = [Window(str(number)) for number in range(20)]
    many.run()
    assert max(longest_wait(many.log, str(number)) for number in range(20)) == PREFILL_STEPS


def test_a_long_recording_fills_the_slots() -> None:
    """What batching is for: twenty windows take few passes through the decoder."""
    many = Simulation(slots=9)
    many.waiting = [Window(str(number)) for number in range(20)]
    many.run()
    passes = [what for what in many.log if isinstance(what, tuple)]
    assert sum(map(len, passes)) == 20 * TOKENS
    assert len(passes) <= 20 * TOKENS / 5
    assert max(map(len, passes)) == 9 - RESERVED


def test_batch_windows_leave_a_slot_to_live_ones() -> None:
    full = Simulation(slots=3)
    full.waiting = [Window(str(number)) for number in range(5)]
    full.until(full.waiting[1], OPENING)
    full.step()
    assert len(full.rounds.all) == 2
    assert not full.rounds.admits("batch")
    assert full.rounds.admits("live")


def test_a_single_slot_is_everybodys() -> None:
    single: StepPlanner[Window] = StepPlanner(1)
    assert single.admits("batch")
    assert single.admits("live")
    single.begin(Window("a"))
    assert not single.admits("live")


def test_a_live_window_passes_a_batch_window_that_is_being_opened() -> None:
    mixed = Simulation(slots=4)
    batch, live = Window("batch"), Window("live", "live")
    mixed.waiting = [batch, Window("next")]
    mixed.until(batch, 10)
    mixed.waiting.append(live)
    mixed.until(live, OPENING)
    assert mixed.log == ["batch"] * 10 + ["live"] * OPENING
    mixed.run()
    assert batch.tokens == live.tokens == TOKENS


def test_live_text_waits_for_one_layer_of_a_batch_window_at_most() -> None:
    mixed = Simulation(slots=4)
    live = Window("live", "live")
    mixed.waiting = [live]
    mixed.until(live, OPENING)
    mixed.waiting = [Window("a"), Window("b")]
    mixed.run()
    assert longest_wait(mixed.log, "live") == STEPS_BESIDE_LIVE


def test_a_second_live_window_waits_for_the_first_ones_opening() -> None:
    rounds: StepPlanner[Window] = StepPlanner(4)
    first = Window("first", "live")
    rounds.begin(first)
    assert not rounds.admits("live")
    rounds.decode(first)
    assert rounds.admits("live")


@pytest.mark.parametrize("phase", ["opening", "decoding"])
def test_whoever_ends_is_planned_no_more(phase: str) -> None:
    rounds: StepPlanner[Window] = StepPlanner(2)
    gone, other = Window("gone", "live"), Window("other")
    for window in (other, gone):
        rounds.begin(window)
    if phase == "decoding":
        rounds.decode(gone)
    rounds.end(gone)
    assert rounds.all == [other]
    assert rounds.next() == PrefillStep(other)
    rounds.end(other)
    assert rounds.next() is None
