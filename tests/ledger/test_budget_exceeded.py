"""What is said of a budget of which too little is left."""

import re

import pytest

from voxgate.ledger.budget import Amount, Budget
from voxgate.ledger.budget_exceeded import budget_exceeded, is_used_up
from voxgate.ledger.periods import Reset

HASH = "c0ffee" + "0" * 58
DOLLAR, MINUTE = 10**9, 960_000
MONEY = Budget(HASH, limit_nanodollars=5 * DOLLAR, spent_nanodollars=4 * DOLLAR)
SOUND = Budget(HASH, limit_samples=10 * MINUTE, spent_samples=10 * MINUTE)


@pytest.mark.parametrize(
    ("budget", "used_up"),
    [
        (MONEY, False),
        (SOUND, True),
        (Budget(HASH, limit_samples=0), True),
        (Budget(HASH, limit_nanodollars=1), False),
        (Budget(HASH, limit_nanodollars=1, spent_nanodollars=2, limit_samples=1), True),
        (Budget(HASH, limit_nanodollars=1, limit_samples=1, reserved_samples=1), True),
    ],
)
def test_a_budget_is_used_up_where_nothing_is_left_of_a_limit(
    budget: Budget, used_up: bool
) -> None:
    assert is_used_up(budget) == used_up


def test_the_limit_what_is_left_and_what_is_wanted_are_named() -> None:
    error = budget_exceeded(MONEY, Amount(2 * DOLLAR, MINUTE))
    assert (error.code, error.status, error.retryable) == ("budget_exceeded", 402, False)
    assert error.sentence == (
        "The recording may cost $2.00: $1.00 of this key's limit of $5.00 in all is left, with "
        "$4.00 used. The limit never resets. `voxgate keys edit c0ffee000000 --limit DOLLARS` "
        "on the server raises the limit."
    )


def test_what_is_reserved_for_the_recording_itself_is_not_wanted_again() -> None:
    error = budget_exceeded(MONEY, Amount(2 * DOLLAR, MINUTE), rest=True)
    assert error.sentence.startswith("The rest of the recording may cost $2.00: $1.00 of this key")


def test_minutes_and_what_is_reserved_are_named() -> None:
    budget = Budget(
        HASH, "weekly", limit_samples=10 * MINUTE, spent_samples=MINUTE, reserved_samples=9 * MINUTE
    )
    sentence = budget_exceeded(budget).sentence
    assert sentence.startswith(
        "No minutes are left: 0 min of this key's limit of 10 min a week is left, with 1 min used "
        "and 9 min reserved for recordings under way. The limit resets at "
    )
    assert "--limit-minutes" in sentence


@pytest.mark.parametrize("reset", ["daily", "weekly", "monthly"])
def test_the_next_period_is_named(reset: Reset) -> None:
    sentence = budget_exceeded(Budget(HASH, reset, limit_nanodollars=0)).sentence
    assert re.search(r"The limit resets at \d{4}-\d\d-\d\d 00:00 UTC\.", sentence)


def test_the_limit_that_is_short_is_named_where_there_are_two() -> None:
    both = Budget(HASH, limit_nanodollars=5 * DOLLAR, limit_samples=10 * MINUTE)
    assert "10 min in all" in budget_exceeded(both, Amount(DOLLAR, 11 * MINUTE)).sentence
    assert "$5.00 in all" in budget_exceeded(both, Amount(6 * DOLLAR, MINUTE)).sentence
    freed_meanwhile = budget_exceeded(SOUND, Amount(0, 0)).sentence
    assert "10 min in all" in freed_meanwhile


def test_more_than_is_left_reads_as_more() -> None:
    budget = Budget(HASH, limit_samples=10 * MINUTE, spent_samples=9 * MINUTE)
    sentence = budget_exceeded(budget, Amount(0, MINUTE + 1)).sentence
    assert sentence.startswith("The recording may have 1.01 min: 1 min of this key's limit")
    budget = Budget(HASH, limit_samples=MINUTE, spent_samples=MINUTE // 2)
    sentence = budget_exceeded(budget, Amount(0, MINUTE // 2 + 1)).sentence
    assert sentence.startswith("The recording may have 30.01 s: 30 s of this key's limit of 1 min")


@pytest.mark.parametrize("wanted", [None, Amount(), Amount(DOLLAR, MINUTE)])
def test_a_limit_that_was_removed_meanwhile_has_a_sentence_too(wanted: Amount | None) -> None:
    error = budget_exceeded(Budget(HASH, spent_nanodollars=DOLLAR, spent_samples=MINUTE), wanted)
    assert (error.code, error.status) == ("budget_exceeded", 402)
    assert error.sentence.endswith("was removed meanwhile. Send the recording again.")
