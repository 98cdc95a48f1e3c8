"""How many tokens of drafts one pass checks: by its cost, and by how right the drafts were."""

import pytest

from voxgate.engine.decode_batch import checked_counts
from voxgate.voxtral.draft_trial import PassCosts

CHEAP = PassCosts({1: 1.0, 4: 1.1, 8: 1.3, 16: 2.0})
DEAR = PassCosts({1: 1.0, 2: 2.0, 16: 16.0})


def test_a_draft_that_was_right_is_checked_far_and_a_wrong_one_is_not() -> None:
    assert checked_counts([0.99], [15], CHEAP) == [15]
    assert 2 <= checked_counts([0.7], [15], CHEAP)[0] <= 7
    assert checked_counts([0.02], [15], CHEAP) == [0]
    assert checked_counts([0.0], [0], CHEAP) == [0]


def test_nothing_is_checked_where_a_row_costs_as_much_as_a_pass() -> None:
    assert checked_counts([0.99], [15], DEAR) == [0]
    assert checked_counts([0.99, 0.8], [15, 15], DEAR) == [0, 0]


def test_no_more_is_checked_than_was_proposed() -> None:
    assert checked_counts([0.99, 0.99], [3, 0], CHEAP) == [3, 0]


def test_windows_share_the_rows_by_how_right_their_drafts_were() -> None:
    free = PassCosts({1: 1.0, 16: 1.0})
    assert checked_counts([0.9] * 4, [15] * 4, free) == [3] * 4
    right, wrong, none = checked_counts([0.9, 0.5, 0.0], [15, 15, 0], free)
    assert (right + wrong, none) == (13, 0)
    assert right > 3 * wrong > 0


@pytest.mark.parametrize("windows", [16, 17, 40])
def test_as_many_windows_as_rows_check_nothing(windows: int) -> None:
    assert checked_counts([0.9] * windows, [15] * windows, CHEAP) == [0] * windows
