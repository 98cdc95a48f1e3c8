from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from tests.transcript.strategies import patient
from voxgate.models.capabilities import Capabilities
from voxgate.pipeline.budget import OptionBudget, draw_seed, window_seed
from voxgate.transcript.merge import truncate_segments
from voxgate.transcript.values import Options, Segment

DRAWS = Capabilities(30.0, ("en",), "none", options=frozenset({"temperature", "seed"}))


def said(*texts: str) -> list[Segment]:
    return [Segment(text, 0.0, 1.0) for text in texts]


def test_a_windows_seed_is_its_own_and_always_the_same() -> None:
    """The derivation is fixed: a seed gives the same text in every version."""
    assert window_seed(7, 0) == 8862997118719747769
    assert len({window_seed(seed, index) for seed in (7, -7, 2**70) for index in range(50)}) == 150
    assert all(0 <= window_seed(7, index) < 2**63 for index in range(100))


def test_sampling_without_a_seed_draws_one_once() -> None:
    drawn = draw_seed(Options(temperature=1.0), DRAWS)
    assert drawn.seed is not None
    assert drawn.without("seed") == Options(temperature=1.0)
    assert draw_seed(Options(temperature=1.0), DRAWS) != drawn
    for settled in (Options(), Options(temperature=1.0, seed=3)):
        assert draw_seed(settled, DRAWS) == settled
    blind = Capabilities(30.0, ("en",), "none", options=frozenset({"temperature"}))
    assert draw_seed(Options(temperature=1.0), blind) == Options(temperature=1.0)


def test_a_window_gets_its_own_options() -> None:
    budget = OptionBudget(Options("en", 0.5, seed=7, max_tokens=9, stop=("end",)), tokens=4)
    assert budget.window(3) == Options("en", 0.5, seed=window_seed(7, 3), max_tokens=5)
    assert OptionBudget(Options("en")).window(3) == Options("en")


def test_only_options_of_the_joined_text_need_an_order() -> None:
    assert not OptionBudget(Options(temperature=1.0, seed=7)).ordered
    assert OptionBudget(Options(max_tokens=1)).ordered
    assert OptionBudget(Options(stop=("end",))).ordered


def test_tokens_are_spent_window_by_window() -> None:
    budget = OptionBudget(Options(max_tokens=5))
    first = budget.after(said("one two three"), 3)
    assert not first.spent
    assert first.window(1).max_tokens == 2
    assert first.after(said("four five"), 2).spent


def test_a_stop_ends_the_joined_text_wherever_it_stands() -> None:
    budget = OptionBudget(Options(stop=("three four", "nine")))
    first = budget.after(said("one", "two three"), 0)
    assert not first.spent
    second = first.after(said("four five", "six"), 0)
    assert second.spent
    assert second.end == len("one two ")
    assert not first.after(said("five four"), 0).spent


def test_the_stop_that_is_complete_first_counts() -> None:
    budget = OptionBudget(Options(stop=("five", "one two three four", "two")))
    assert budget.after(said("one two three"), 0).end == len("one ")
    assert budget.after([], 0).after(said("five"), 0).end == 0


def test_a_border_does_not_decide_which_stop_counts() -> None:
    budget = OptionBudget(Options(stop=("a", " a ")))
    together = budget.after(said("b", "a", "a"), 0)
    divided = budget.after(said("b", "a"), 0)
    assert together.end == divided.end == len("b ")


@given(
    st.lists(st.lists(st.text("ab ", min_size=1, max_size=4), max_size=3), max_size=5),
    st.lists(st.text("ab ", min_size=1, max_size=4), min_size=1, max_size=3).map(tuple),
)
@patient
def test_the_text_never_holds_a_stop(windows: list[list[str]], stop: tuple[str, ...]) -> None:
    """For every division into windows, as if it were searched in the whole text."""
    budget, segments = OptionBudget(Options(stop=stop)), list[Segment]()
    for texts in windows:
        placed = said(*(text.strip() for text in texts if text.strip()))
        if not budget.spent:
            budget = budget.after(placed, 1)
        segments += placed
    whole = " ".join(segment.text for segment in segments)
    ends = [(whole.index(one) + len(one), whole.index(one)) for one in stop if one in whole]
    assert budget.end == (min(ends)[1] if ends else None)
    if budget.end is not None:
        kept = truncate_segments(segments, budget.end)
        assert " ".join(segment.text for segment in kept) == whole[: budget.end].rstrip()
