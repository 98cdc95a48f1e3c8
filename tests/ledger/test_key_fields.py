"""What keys are allowed: at their creation, when it is changed, and at authentication."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

import voxgate.ledger.budgets
from tests.failures import raises
from tests.ledger.statements import sent
from voxgate.errors import UsageError
from voxgate.ledger import columns
from voxgate.ledger import key as key_module
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.key import Key
from voxgate.ledger.key_usage import KeyUsage
from voxgate.ledger.ledger import Ledger

FAR = datetime(2100, 1, 1, tzinfo=UTC)
FIELDS: dict[str, Any] = {
    "expires_at": FAR,
    "allowed_models": ("openai/whisper-base", "whisper-1"),
    "requests_per_minute": 60,
    "max_recordings": 4,
    "creator": "user_1",
    "external_user": "tenant 7",
    "keep_transcripts_days": 30,
    "labels": ("team=news", "日本"),
}
LIMITS: dict[str, Any] = {
    "limit_nanodollars": 5 * 10**9,
    "limit_samples": 600 * 960_000,
    "reset": "monthly",
}


@contextmanager
def clock(moment: datetime) -> Iterator[None]:
    """Let the ledger believe that it is `moment`."""
    with pytest.MonkeyPatch.context() as patch:
        for module in (columns, key_module, voxgate.ledger.budgets, voxgate.ledger.key_usage):
            patch.setattr(module, "utc_now", lambda: moment)
        yield


async def spend(ledger: Ledger, key: Key, name: str, cost: Amount) -> None:
    await ledger.generations.begin(Generation(name, key.hash, "model"))
    outcome = Outcome(200, 1, cost=cost, audio_samples=cost.samples)
    await ledger.generations.finish(name, outcome)


async def test_a_key_has_every_field_that_it_was_created_with(ledger: Ledger) -> None:
    key, secret = await ledger.keys.create("laptop", **FIELDS, **LIMITS)
    for name, value in FIELDS.items():
        assert getattr(key, name) == value
    assert key.budget
    assert (key.budget.limit_nanodollars, key.budget.limit_samples) == (5 * 10**9, 576_000_000)
    assert key.budget.reset == "monthly"
    assert await ledger.keys.with_hash(key.hash) == key
    assert await ledger.keys.all() == [key]
    assert await ledger.budgets.find(key.hash) == key.budget
    assert await ledger.keys.authenticate(secret) == key


async def test_a_key_without_fields_may_do_everything(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    assert [getattr(key, name) or None for name in FIELDS] == [None] * len(FIELDS)
    assert (key.budget, key.management, key.disabled, key.updated_at) == (None, False, False, None)
    assert key.state == "valid"


async def test_authentication_is_one_statement_with_the_budget(sqlite_ledger: Ledger) -> None:
    _, secret = await sqlite_ledger.keys.create("laptop", **LIMITS)
    await sqlite_ledger.keys.authenticate(secret)  # its last use is written once a minute,
    await sqlite_ledger.keys.create("another")  # before the next write
    with sent() as statements:
        key = await sqlite_ledger.keys.authenticate(secret)
    assert key
    assert key.budget
    assert len(statements) == 1


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"expires_at": datetime(2020, 1, 1, tzinfo=UTC)}, "2020-01-01 00:00 UTC is past"),
        ({"requests_per_minute": 0}, "1 to 10,000 requests a minute, not 0"),
        ({"requests_per_minute": 10_001}, "requests a minute, not 10001"),
        ({"max_recordings": 0}, "1 to 10,000 recordings at once, not 0"),
        ({"allowed_models": []}, "1 to 100 models"),
        ({"allowed_models": [""]}, "1 to 100 models"),
        ({"allowed_models": ["m"] * 101}, "1 to 100 models"),
        ({"reset": "daily"}, "A period without a limit"),
        ({"management": True, "limit_samples": 1}, "A management key does not transcribe"),
        ({"management": True, "allowed_models": ["m"]}, "A management key does not transcribe"),
        ({"management": True, "max_recordings": 1}, "A management key does not transcribe"),
    ],
)
async def test_fields_that_are_refused(
    sqlite_ledger: Ledger, fields: dict[str, Any], says: str
) -> None:
    keys = sqlite_ledger.keys
    with pytest.raises(UsageError, match=says):
        await keys.create("laptop", **fields)
    assert await keys.all() == []
    changes = {name: value for name, value in fields.items() if name != "management"}
    before, _ = await keys.create("laptop", management="management" in fields)
    with pytest.raises(UsageError, match=says):
        await keys.edit("laptop", **changes)
    assert await keys.all() == [before]


async def test_a_key_that_is_disabled_or_expired_is_refused_with_the_reason(
    ledger: Ledger,
) -> None:
    soon = datetime.now(UTC) + timedelta(hours=1)
    key, secret = await ledger.keys.create("laptop", expires_at=soon)
    assert await ledger.keys.authenticate(secret)
    await ledger.keys.edit("laptop", disabled=True)
    with raises("authentication", match=f"'laptop' is disabled.*{key.hash[:12]} --enable"):
        await ledger.keys.authenticate(secret)
    await ledger.keys.edit(key.hash[:12], disabled=False)
    assert await ledger.keys.authenticate(secret)
    with (
        clock(soon),
        raises("authentication", match=f"'laptop' expired at {soon:%Y-%m-%d %H:%M:%S} UTC"),
    ):
        await ledger.keys.authenticate(secret)
    await ledger.keys.revoke("laptop")
    assert await ledger.keys.authenticate(secret) is None


async def test_only_what_is_given_is_changed(ledger: Ledger) -> None:
    key, secret = await ledger.keys.create("laptop", **FIELDS, **LIMITS)
    changes: dict[str, Any] = {
        "name": "desk",
        "expires_at": None,
        "allowed_models": None,
        "requests_per_minute": 61,
        "max_recordings": None,
        "disabled": True,
    }
    for name, value in changes.items():
        edited = await ledger.keys.edit(key.hash, **{name: value})
        assert edited.updated_at
        assert edited == replace(key, **{name: value}, updated_at=edited.updated_at)
        key = edited
    with raises("authentication"):
        await ledger.keys.authenticate(secret)


async def test_one_limit_is_changed_and_what_was_spent_stays_spent(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop", **LIMITS)
    await spend(ledger, key, "gen-1", Amount(10**9, 960_000))
    budget = (await ledger.keys.edit("laptop", limit_nanodollars=2 * 10**9)).budget
    assert budget
    assert (budget.limit_nanodollars, budget.limit_samples) == (2 * 10**9, 576_000_000)
    assert (budget.reset, budget.left.nanodollars) == ("monthly", 10**9)
    without = await ledger.keys.edit("laptop", limit_nanodollars=None, limit_samples=None)
    assert without.budget is None
    await spend(ledger, key, "gen-2", Amount(10**9, 0))
    again = (await ledger.keys.edit("laptop", limit_nanodollars=5 * 10**9)).budget
    assert again
    assert (again.reset, again.spent_nanodollars) == (None, 2 * 10**9)


async def test_a_limit_that_is_changed_in_a_new_period_begins_it(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop", limit_nanodollars=100, reset="daily")
    await spend(ledger, key, "gen-1", Amount(60, 0))
    with clock(datetime.now(UTC) + timedelta(days=1)):
        budget = (await ledger.keys.edit("laptop", limit_nanodollars=200, reset="daily")).budget
        assert budget
        assert budget.left.nanodollars == 200
        await ledger.keys.edit(key.hash, limit_nanodollars=50, limit_samples=None, reset="daily")
        found = await ledger.budgets.find(key.hash)
        assert found
        assert found.left.nanodollars == 50


async def test_a_name_that_another_key_has_is_refused(ledger: Ledger) -> None:
    await ledger.keys.create("laptop")
    desk, _ = await ledger.keys.create("desk")
    for name in ("laptop", "", "sk-vg-x"):
        with pytest.raises(UsageError):
            await ledger.keys.edit("desk", name=name)
    assert (await ledger.keys.find("desk")) == desk
    assert (await ledger.keys.edit("desk", name="desk")).name == "desk"


async def test_which_keys_are_found_and_edited(ledger: Ledger) -> None:
    first, secret = await ledger.keys.create("laptop")
    assert await ledger.keys.with_hash(first.hash) == first
    assert await ledger.keys.with_hash(first.hash + "0") is None
    for identifier in ("laptop", first.label, first.hash, first.hash[:6], secret):
        assert await ledger.keys.find(identifier) == first
    revoked = await ledger.keys.revoke("laptop")
    assert await ledger.keys.find("laptop") == revoked
    assert revoked.state == "revoked"
    for hash_ in (first.hash, first.hash + "0", first.hash[:6], "", "\0", "\ud800"):
        assert await ledger.keys.with_hash(hash_) is None
    with pytest.raises(UsageError, match="already revoked"):
        await ledger.keys.edit("laptop", disabled=True)
    second, _ = await ledger.keys.create("laptop")
    assert await ledger.keys.find("laptop") == second
    with raises("not_found", match="voxgate keys list"):
        await ledger.keys.edit("nobody", disabled=True)


async def test_usage_is_summed_by_the_periods_that_run(ledger: Ledger) -> None:
    laptop, _ = await ledger.keys.create("laptop")
    desk, _ = await ledger.keys.create("desk")
    assert await ledger.keys.usage() == {}
    ended = {  # 2026-11-29 is a Sunday
        datetime(2026, 11, 29, 23, tzinfo=UTC): 1,
        datetime(2026, 11, 30, 1, tzinfo=UTC): 10,
        datetime(2026, 12, 1, 1, tzinfo=UTC): 100,
        datetime(2026, 12, 2, 1, tzinfo=UTC): 1000,
    }
    for moment, cost in ended.items():
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(voxgate.ledger.lifecycle, "utc_now", lambda now=moment: now)
            await spend(ledger, laptop, f"gen-{cost}", Amount(cost, 2 * cost))
    with clock(max(ended)):
        used = await ledger.keys.usage()
        assert used == {
            laptop.hash: KeyUsage(
                total=Amount(1111, 2222),
                daily=Amount(1000, 2000),
                weekly=Amount(1110, 2220),
                monthly=Amount(1100, 2200),
            )
        }
        assert await ledger.keys.usage([laptop.hash]) == used
        assert await ledger.keys.usage([desk.hash]) == {}


@pytest.mark.parametrize(
    "labels",
    [[""], [" a"], ["a,b"], ["a\n"], ["x" * 51], ["a", "a"], [str(number) for number in range(11)]],
)
async def test_labels_that_are_none_are_refused(ledger: Ledger, labels: list[str]) -> None:
    with pytest.raises(UsageError, match="label"):
        await ledger.keys.create("laptop", labels=labels)


async def test_labels_are_replaced_and_removed(ledger: Ledger) -> None:
    key, secret = await ledger.keys.create("laptop", labels=["a", "b"])
    assert key.labels == ("a", "b")
    assert (await ledger.keys.edit("laptop", labels=["c"])).labels == ("c",)
    assert (await ledger.keys.edit("laptop", name="desk")).labels == ("c",)
    assert (await ledger.keys.edit("desk", labels=[])).labels == ()
    found = await ledger.keys.authenticate(secret)
    assert found
    assert found.labels == ()
