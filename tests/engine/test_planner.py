"""The order of steps, counted and not timed."""

from __future__ import annotations

import itertools
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pytest

from voxgate.engine.planner import (
    PREFILL_STEPS,
    DecodeStep,
    PrefillStep,
    StepPlanner,
)

if TYPE_CHECKING:
    from voxgate.engine.queue import Kind

PREFILL, TOKENS = 124, 100  # steps of a window of 30 s of fluent speech in Mini


@dataclass(eq=False)
class Window:
    """Counts its steps and tokens."""

    name: str
    steps: int = 0
    tokens: int = 0


class Simulation:
    """A planner with waiting windows. `log` has the window's name, or names, of each step."""

    def __init__(self, slots: int) -> None:
        self.planner: StepPlanner[Window] = StepPlanner({"window": slots})
        self.waiting: list[Window] = []
        self.log: list[str | tuple[str, ...]] = []

    def step(self) -> None:
        for window in list(self.waiting):
            if self.planner.can_admit("window"):
                self.waiting.remove(window)
                self.planner.admit(window, "window")
        step = self.planner.next_step()
        if isinstance(step, PrefillStep):
            self._prefill(step.sequence)
        elif isinstance(step, DecodeStep):
            self._decode(step)

    def _prefill(self, window: Window) -> None:
        self.log.append(window.name)
        window.steps += 1
        if window.steps == PREFILL:
            self.planner.start_decoding(window)

    def _decode(self, step: DecodeStep[Window]) -> None:
        self.log.append(tuple(window.name for window in step.sequences))
        for window in step.sequences:
            window.tokens += 1
            if window.tokens == TOKENS:
                self.planner.remove(window)

    def run(self) -> None:
        while self.waiting or self.planner.active:
            self.step()

    def until(self, window: Window, steps: int) -> None:
        while window.steps < steps:
            self.step()


def longest_wait(log: list[str | tuple[str, ...]], name: str) -> int:
    """Return the most steps of other windows between two tokens of this one."""
    tokens = [isinstance(names, tuple) and name in names for names in log]
    indices = [index for index, token in enumerate(tokens) if token]
    return max(second - first - 1 for first, second in itertools.pairwise(indices))


def test_one_alone_is_prefilled_and_then_decoded() -> None:
    one = Simulation(slots=1)
    one.waiting = [Window("a")]
    one.run()
    assert one.log == ["a"] * PREFILL + [("a",)] * TOKENS
    assert one.planner.next_step() is None


def test_windows_are_prefilled_one_after_another_in_order() -> None:
    many = Simulation(slots=9)
    many.waiting = [Window(str(number)) for number in range(20)]
    many.run()
    steps = [what for what in many.log if isinstance(what, str)]
    assert steps == [str(number) for number in range(20) for _ in range(PREFILL)]


def test_no_text_stops_while_others_are_prefilled() -> None:
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
    assert max(map(len, passes)) == 9


def test_no_more_windows_are_active_than_there_are_slots() -> None:
    full = Simulation(slots=3)
    full.waiting = [Window(str(number)) for number in range(5)]
    full.until(full.waiting[2], PREFILL)
    full.step()
    assert len(full.planner.active) == 3
    assert not full.planner.can_admit("window")


def test_a_second_window_waits_for_the_first_ones_prefill() -> None:
    planner: StepPlanner[Window] = StepPlanner({"window": 4})
    first = Window("first")
    can_admit = [planner.can_admit("window")]
    planner.admit(first, "window")
    can_admit.append(planner.can_admit("window"))
    planner.start_decoding(first)
    can_admit.append(planner.can_admit("window"))
    assert can_admit == [True, False, True]


@pytest.mark.parametrize("phase", ["prefill", "decoding"])
def test_a_removed_window_is_planned_no_more(phase: str) -> None:
    planner: StepPlanner[Window] = StepPlanner({"window": 2})
    other, removed = Window("other"), Window("removed")
    planner.admit(other, "window")
    planner.start_decoding(other)
    planner.admit(removed, "window")
    if phase == "decoding":
        planner.start_decoding(removed)
    planner.remove(removed)
    assert planner.active == [other]
    assert planner.next_step() == DecodeStep((other,))
    planner.remove(other)
    assert planner.next_step() is None


def prefill_order(planner: StepPlanner[Window], steps: int) -> list[str]:
    """Take prefill steps and decode steps, and return whose they were."""
    order = []
    for _ in range(steps):
        step = planner.next_step()
        if isinstance(step, PrefillStep):
            order.append(step.sequence.name)
        elif isinstance(step, DecodeStep):
            order.append("+".join(window.name for window in step.sequences))
    return order


def test_a_window_and_a_question_are_prefilled_in_turns() -> None:
    planner: StepPlanner[Window] = StepPlanner({"window": 2, "question": 1})
    planner.admit(Window("question"), "question")
    assert prefill_order(planner, 3) == ["question"] * 3
    window = Window("window")
    assert planner.can_admit("window")
    planner.admit(window, "window")
    assert prefill_order(planner, 4) == ["question", "window", "question", "window"]
    planner.start_decoding(window)
    assert (
        prefill_order(planner, 30)
        == ["question"] * 9 + ["window"] + ["question"] * 16 + ["window"] + ["question"] * 3
    )


def test_a_token_is_decoded_of_windows_and_answers_together() -> None:
    planner: StepPlanner[Window] = StepPlanner({"window": 2, "question": 1})
    kinds: tuple[Kind, ...] = ("question", "window", "window")
    for kind in kinds:
        sequence = Window(kind)
        planner.admit(sequence, kind)
        planner.start_decoding(sequence)
    assert prefill_order(planner, 2) == ["window+window+question"] * 2
    assert [planner.can_admit("window"), planner.can_admit("question")] == [False, False]
    planner.remove(planner.active[0])
    assert [planner.can_admit("window"), planner.can_admit("question")] == [True, False]
