"""Keys that a file lists: applied to the ledger, changed by the file alone, revoked with it."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import pytest

from tests.ledger.other_process import DEADLINE_S, open_ledger, process
from voxgate.configuration.file import ConfigFile
from voxgate.errors import SettingsError, UsageError, VoxgateError
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.key import hash_of
from voxgate.ledger.key_reconciliation import AppliedKeys
from voxgate.ledger.key_tables import KeyList

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger

MINUTE = 960_000  # samples
FULL = """
limit = 5.00
limit_minutes = "600"
limit_reset = "monthly"
expires_at = 2100-01-01
allowed_models = ["openai/whisper-base", "whisper-1"]
requests_per_minute = 60
max_recordings = 4
keep_transcripts_days = 30
labels = ["team=news"]
external_user = "tenant 7"
"""


def table(name: str, rest: str = "", key: str | None = None) -> str:
    return f"[[keys]]\nname = '{name}'\nhash = '{hash_of(key or name)}'\n{rest}\n"


def listed(folder: Path, *tables: str, name: str = "voxgate.toml") -> KeyList:
    path = folder / name
    path.write_text("".join(tables))
    keys, faults = KeyList.read(ConfigFile.read(path))
    assert faults == []
    return keys


async def test_a_key_of_the_file_works_with_all_that_its_table_says(
    ledger: Ledger, tmp_path: Path
) -> None:
    keys = listed(
        tmp_path,
        table("newsroom", FULL + "label = 'sk-vg-new...room'"),
        table("boss", "management = true"),
        table("old", "disabled = true"),
    )
    applied = await ledger.listed_keys.apply(keys)
    assert applied == AppliedKeys(added=["newsroom", "boss", "old"])
    key = await ledger.keys.authenticate("newsroom")
    assert key
    assert key.budget
    found = (key.budget.limit_nanodollars, key.budget.limit_samples, key.budget.reset)
    assert found == (5_000_000_000, 600 * MINUTE, "monthly")
    assert key.expires_at == datetime(2100, 1, 1, tzinfo=UTC)
    assert key.allowed_models == ("openai/whisper-base", "whisper-1")
    assert (key.requests_per_minute, key.max_recordings) == (60, 4)
    assert (key.label, key.external_user) == ("sk-vg-new...room", "tenant 7")
    assert key.file == str(tmp_path / "voxgate.toml")
    boss = await ledger.keys.authenticate("boss")
    assert boss
    assert (boss.management, boss.budget) == (True, None)
    assert boss.label == f"hash {hash_of('boss')[:12]}"
    with pytest.raises(VoxgateError, match=r"'old' is disabled. The server's voxgate.toml lists"):
        await ledger.keys.authenticate("old")


async def test_what_does_not_differ_is_not_written(ledger: Ledger, tmp_path: Path) -> None:
    keys = listed(tmp_path, table("newsroom", FULL), table("desk"))
    await ledger.listed_keys.apply(keys)
    before = await ledger.keys.all()
    assert await ledger.listed_keys.apply(keys) == AppliedKeys()
    assert await ledger.keys.all() == before


async def test_a_change_of_the_file_changes_the_key_and_not_what_it_spent(
    ledger: Ledger, tmp_path: Path
) -> None:
    await ledger.listed_keys.apply(listed(tmp_path, table("newsroom", FULL)))
    key = await ledger.keys.find("newsroom")
    await ledger.generations.begin(Generation("gen-1", key.hash, "model"))
    cost = Amount(750_000_000, 20 * MINUTE)
    await ledger.generations.finish("gen-1", Outcome(200, 1, cost=cost, audio_samples=cost.samples))
    changed = table("desk", "limit = 7.5\nlimit_reset = 'monthly'", key="newsroom")
    applied = await ledger.listed_keys.apply(listed(tmp_path, changed))
    assert applied == AppliedKeys(changed=["desk"])
    desk = await ledger.keys.find("desk")
    assert desk.budget
    assert (desk.budget.limit_nanodollars, desk.budget.limit_samples) == (7_500_000_000, None)
    assert desk.budget.spent_nanodollars == 750_000_000
    assert (desk.requests_per_minute, desk.allowed_models, desk.expires_at) == (None, None, None)
    assert desk.updated_at
    applied = await ledger.listed_keys.apply(listed(tmp_path, table("desk", key="newsroom")))
    assert applied == AppliedKeys(changed=["desk"])
    assert (await ledger.keys.find("desk")).budget is None
    await ledger.listed_keys.apply(listed(tmp_path, table("desk", "limit = 1", key="newsroom")))
    again = (await ledger.keys.find("desk")).budget
    assert again
    assert (again.spent_nanodollars, again.reset) == (750_000_000, None)


async def test_a_key_that_is_no_longer_listed_is_revoked_until_it_is_again(
    ledger: Ledger, tmp_path: Path
) -> None:
    own, secret = await ledger.keys.create("own")
    both = (table("newsroom", FULL), table("desk"))
    await ledger.listed_keys.apply(listed(tmp_path, *both))
    applied = await ledger.listed_keys.apply(listed(tmp_path, both[0]))
    assert applied == AppliedKeys(revoked=["desk"])
    assert await ledger.keys.authenticate("desk") is None
    for text in ("", "port = 1\n"):  # as an editor leaves it for a moment
        applied = await ledger.listed_keys.apply(listed(tmp_path, text))
        assert applied == AppliedKeys(go_on=["newsroom"])
        assert await ledger.keys.authenticate("newsroom")
    applied = await ledger.listed_keys.apply(listed(tmp_path, "keys = []\n"))
    assert applied == AppliedKeys(revoked=["newsroom"])
    assert await ledger.keys.authenticate(secret) == replace(own, last_used_at=None)
    applied = await ledger.listed_keys.apply(listed(tmp_path, *both))
    assert applied == AppliedKeys(changed=["newsroom", "desk"])
    assert await ledger.keys.authenticate("desk")


async def test_another_file_and_no_file_leave_the_keys_alone(
    ledger: Ledger, tmp_path: Path
) -> None:
    await ledger.listed_keys.apply(listed(tmp_path, table("newsroom")))
    other = listed(tmp_path, table("desk"), name="other.toml")
    assert await ledger.listed_keys.apply(other) == AppliedKeys(added=["desk"])
    none = KeyList(ConfigFile(tmp_path / "voxgate.toml"))
    assert await ledger.listed_keys.apply(none) == AppliedKeys()
    assert {key.state for key in await ledger.keys.all()} == {"valid"}
    moved = listed(tmp_path, table("newsroom"), name="moved.toml")
    assert await ledger.listed_keys.apply(moved) == AppliedKeys(changed=["newsroom"])
    assert await ledger.listed_keys.apply(listed(tmp_path, "")) == AppliedKeys()
    assert (await ledger.keys.find("newsroom")).file == str(tmp_path / "moved.toml")


async def test_a_file_that_cannot_be_read_revokes_nothing(ledger: Ledger, tmp_path: Path) -> None:
    await ledger.listed_keys.apply(listed(tmp_path, table("newsroom")))
    path = tmp_path / "voxgate.toml"
    path.write_text("[[keys]\n")
    keys, _ = KeyList.read(ConfigFile.read(path))
    with pytest.raises(SettingsError, match="this is not TOML"):
        await ledger.listed_keys.apply(keys)
    assert await ledger.keys.authenticate("newsroom")


async def test_keys_may_exchange_names_and_a_new_hash_may_have_the_name_of_an_old_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    await ledger.listed_keys.apply(listed(tmp_path, table("a"), table("b")))
    swapped = (table("b", key="a"), table("a", key="b"))
    applied = await ledger.listed_keys.apply(listed(tmp_path, *swapped))
    assert applied == AppliedKeys(changed=["b", "a"])
    assert (await ledger.keys.find("a")).hash == hash_of("b")
    applied = await ledger.listed_keys.apply(listed(tmp_path, table("a", key="new")))
    assert sorted(applied.revoked) == ["a", "b"]
    assert (applied.added, (await ledger.keys.find("a")).hash) == (["a"], hash_of("new"))


async def test_the_file_takes_over_a_key_that_it_lists(ledger: Ledger, tmp_path: Path) -> None:
    key, secret = await ledger.keys.create("laptop", limit_nanodollars=1, creator="us")
    applied = await ledger.listed_keys.apply(listed(tmp_path, table("desk", key=secret)))
    assert applied == AppliedKeys(changed=["desk"])
    taken = await ledger.keys.find("desk")
    assert (taken.hash, taken.label, taken.budget) == (key.hash, key.label, None)
    assert taken.file == str(tmp_path / "voxgate.toml")


async def test_the_name_of_another_key_is_refused_and_nothing_is_changed(
    ledger: Ledger, tmp_path: Path
) -> None:
    other, _ = await ledger.keys.create("desk")
    keys = listed(tmp_path, table("newsroom"), table("desk"))
    with pytest.raises(UsageError) as raised:
        await ledger.listed_keys.apply(keys)
    assert raised.value.sentence.startswith(f"{tmp_path / 'voxgate.toml'}:5:1: the ledger has ")
    assert f"`voxgate keys revoke {other.hash[:12]}`" in raised.value.sentence
    assert [key.name for key in await ledger.keys.all()] == ["desk"]
    await ledger.keys.revoke("desk")
    assert (await ledger.listed_keys.apply(keys)).added == ["newsroom", "desk"]


async def test_only_the_file_changes_its_keys_but_anybody_may_revoke_one(
    ledger: Ledger, tmp_path: Path
) -> None:
    keys = listed(tmp_path, table("newsroom"), table("desk"))
    await ledger.listed_keys.apply(keys)
    says = rf"'newsroom' \(hash .*\) is listed in {tmp_path}/voxgate.toml, and changed there"
    with pytest.raises(UsageError, match=says):
        await ledger.keys.edit("newsroom", disabled=True)
    revoked = await ledger.keys.revoke("newsroom")
    assert revoked == await ledger.keys.find("newsroom")
    for _ in range(2):
        applied = await ledger.listed_keys.apply(keys)
        assert [each.table.name for each in applied.stay_revoked] == ["newsroom"]
        assert await ledger.keys.authenticate("newsroom") is None
        assert await ledger.keys.authenticate("desk")
    own, _ = await ledger.keys.create("newsroom")  # the name is free again
    assert (await ledger.listed_keys.apply(keys)).stay_revoked
    assert await ledger.keys.find("newsroom") == own
    with pytest.raises(UsageError, match="A creator that begins with 'file:'"):
        await ledger.keys.create("own", creator=keys.mark)


async def test_a_key_whose_day_has_come_has_expired_and_stops_no_server(
    ledger: Ledger, tmp_path: Path
) -> None:
    applied = await ledger.listed_keys.apply(
        listed(tmp_path, table("past", "expires_at = 2020-01-01T01:00:00+01:00"))
    )
    assert applied.added == ["past"]
    with pytest.raises(VoxgateError, match=r"expired at 2020-01-01 00:00:00 UTC\. The server's"):
        await ledger.keys.authenticate("past")


async def test_two_servers_at_once_apply_one_file(
    ledger: Ledger, address: Address, tmp_path: Path
) -> None:
    names = [f"key {number}" for number in range(40)]
    await ledger.listed_keys.apply(listed(tmp_path, table("removed")))
    keys = listed(tmp_path, *(table(name, "limit = 1") for name in names))
    body = """
        from voxgate.configuration.file import ConfigFile
        from voxgate.ledger.key_tables import KeyList
        keys, _ = KeyList.read(ConfigFile.read(Path(arguments[0])))
        for _ in range(3):
            await ledger.listed_keys.apply(keys)
        """
    where: Any = address.url.render_as_string(False) if address.path is None else address.path
    with ExitStack() as stack:
        path = str(keys.file.path)
        children = [stack.enter_context(process(body, where, path)) for _ in range(2)]
        for child in children:
            open_ledger(child)
        for child in children:
            out, _ = child.communicate(timeout=DEADLINE_S)
            assert (child.returncode, out) == (0, "")
    found = {key.name: key.state for key in await ledger.keys.all()}
    assert found == {**dict.fromkeys(names, "valid"), "removed": "revoked"}


@pytest.mark.parametrize(
    ("rest", "says"),
    [
        ("limit = -1", ":4:1: 'limit' should be at least 0, and is -1."),
        ("limit = 'x'", ":4:1: 'limit' must be a number, as 5, 0.5 or \"0.5\", and is 'x'."),
        ("limit_reset = 'hourly'\nlimit = 1", ":4:1: 'limit_reset' should be 'daily', 'weekly' or"),
        ("limit_reset = 'daily'", ":4:1: A period without a limit limits nothing."),
        ("expires_at = 'soon'", ":4:1: 'expires_at' must be a day or a time of UTC"),
        ("expires_at = 12:00:00", ":4:1: 'expires_at' must be a day or a time of UTC"),
        ("allowed_models = []", ":4:1: 'allowed_models' should have at least 1 item"),
        ("allowed_models = ['a',\n2]", ":5:1: 'allowed_models' should be a text, and is 2."),
        ("requests_per_minute = 1.5", ":4:1: 'requests_per_minute' should be a whole number"),
        ("max_recordings = 0", ":4:1: 'max_recordings' should be at least 1, and is 0."),
        ("management = 1", ":4:1: 'management' should be true or false, and is 1."),
        ("management = true\nlimit = 1", ":1:1: A management key does not transcribe"),
        ("limit_reset = 'daily'\nlimit = -1", ":5:1: 'limit' should be at least 0, and is -1."),
        ("log_level = 'debug'", ":4:1: [[keys]] has no 'log_level'. 'log_level' is a setting, and"),
        ("reset = 'daily'", ":4:1: [[keys]] has no 'reset'. Nearest: limit_reset."),
        ("models = ['a']", ":4:1: [[keys]] has no 'models'. Nearest: allowed_models."),
        ("creator = 'us'", ":4:1: [[keys]] has no 'creator'. It has name, hash, label,"),
    ],
)
def test_a_table_that_is_wrong_is_named_with_its_place(
    rest: str, says: str, tmp_path: Path
) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_text(table("a", rest))
    keys, (fault,) = KeyList.read(ConfigFile.read(path))
    assert fault.sentence.removeprefix(str(path)).startswith(says)
    assert keys.keys == ()


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[[keys]]\nname = 'a'\n", [":1:1: this [[keys]] has no 'hash'. Add it."]),
        ("[keys]\nname = 'a'\n", ["'keys' must be tables. Begin each with a line [[keys]]"]),
        (table(" a"), [":2:1: A key's name has 1 to 100 printable characters"]),
        (table("a") + table("b", key="a"), [":7:1: the key at ", "has the hash"]),
        (table("a") + table("a", key="b"), [":6:1: the key at ", "has the name 'a', too."]),
        ("[[keys]]\nname = 'a'\nhash = 'xyz'\n", [":3:1: 'hash' must be the SHA-256 of a key"]),
        (f"[[keys]]\nname = 'a'\nhash = '{'A' * 64}'\n", ["in lower case"]),
    ],
)
def test_what_a_table_must_have(text: str, says: list[str], tmp_path: Path) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_text(text)
    _, (fault,) = KeyList.read(ConfigFile.read(path))
    for part in says:
        assert part in fault.sentence


def test_a_key_in_the_place_of_its_hash_is_not_repeated(tmp_path: Path) -> None:
    path = tmp_path / "voxgate.toml"
    path.write_text("[[keys]]\nname = 'a'\nhash = 'sk-vg-secret'\n")
    _, (fault,) = KeyList.read(ConfigFile.read(path))
    assert "sk-vg-secret" not in fault.sentence
    assert hash_of("sk-vg-secret") in fault.sentence
