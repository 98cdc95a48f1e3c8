"""Keys as their callers read them."""

from voxgate.api.keys.objects import current_key_object
from voxgate.ledger.budget import Budget
from voxgate.ledger.columns import utc_now
from voxgate.ledger.key import Key
from voxgate.ledger.key_usage import KeyUsage


def test_of_a_limit_below_what_is_spent_nothing_remains() -> None:
    budget = Budget("c0ffee", limit_nanodollars=10**9, spent_nanodollars=4 * 10**9)
    key = Key("c0ffee", "lowered", "sk-vg-...", utc_now(), budget=budget)
    current = current_key_object(key, KeyUsage(), manages=False)
    (entry,) = current["budgets"]
    assert (entry["limit_usd"], entry["spend_usd"], entry["remaining_usd"]) == (1, 4, 0)
    assert current["limit_remaining"] == 0
