import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tests.failures import raises
from tests.ledger.others import sql
from voxgate.errors import UsageError
from voxgate.ledger.ledger import Ledger

LAST_USED = "SELECT last_used_at FROM keys"
INSERT = "INSERT INTO keys (hash, name, label, created_at) VALUES (?, ?, 'label', ?)"


async def test_a_key_is_shown_once_and_only_its_hash_is_kept(ledger: Ledger, path: Path) -> None:
    before = datetime.now(UTC)
    key, secret = await ledger.keys.create("laptop")
    assert re.fullmatch(r"sk-vg-[A-Za-z0-9_-]{43}", secret)
    assert key.hash == sha256(secret.encode()).hexdigest()
    assert key.label == f"{secret[:9]}...{secret[-4:]}"
    assert (key.name, key.last_used_at, key.revoked_at) == ("laptop", None, None)
    assert before <= key.created_at <= datetime.now(UTC)
    assert await ledger.keys.all() == [key]
    files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert key.hash.encode() in files
    assert secret[9:-4].encode() not in files


async def test_keys_are_never_the_same(ledger: Ledger) -> None:
    made = [await ledger.keys.create(f"key {number}") for number in range(20)]
    assert len({secret[6:12] for _, secret in made}) == 20


async def test_only_the_very_key_has_a_holder(ledger: Ledger) -> None:
    key, secret = await ledger.keys.create("laptop")
    assert await ledger.keys.holder(secret) == key
    swapped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    hostile = ("", "sk-vg-", swapped, secret + "x", secret.upper(), key.hash, key.label)
    for other in (*hostile, "\0", "\ud800", "x" * 10_000_000):
        assert await ledger.keys.holder(other) is None


async def test_whether_any_was_ever_made(ledger: Ledger) -> None:
    assert await ledger.keys.any() is False
    await ledger.keys.create("laptop")
    assert await ledger.keys.any() is True
    await ledger.keys.revoke("laptop")
    assert await ledger.keys.any() is True


@pytest.mark.parametrize("name", ["a", "x" * 100, "Zoë's 📱", "a 'quoted' %name_", "c0ffee"])
async def test_names(ledger: Ledger, name: str) -> None:
    key, _ = await ledger.keys.create(name)
    assert key.name == name
    assert await ledger.keys.all() == [key]
    assert (await ledger.keys.revoke(name)).hash == key.hash


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "x" * 101, "a\nb", "a\tb", "\0", "\ud800", "\x1b[31m"]
)
async def test_no_names(ledger: Ledger, name: str) -> None:
    with pytest.raises(UsageError, match="1 to 100 printable characters"):
        await ledger.keys.create(name)
    assert await ledger.keys.all() == []


async def test_a_key_given_for_a_name_is_not_written_down(ledger: Ledger, path: Path) -> None:
    _, secret = await ledger.keys.create("laptop")
    with pytest.raises(UsageError, match="looks like a key") as caught:
        await ledger.keys.create(secret)
    assert secret not in caught.value.sentence


async def test_a_name_belongs_to_one_valid_key(ledger: Ledger) -> None:
    first, _ = await ledger.keys.create("laptop")
    with pytest.raises(UsageError, match="called 'laptop' already"):
        await ledger.keys.create("laptop")
    await ledger.keys.revoke("laptop")
    second, secret = await ledger.keys.create("laptop")
    assert [key.hash for key in await ledger.keys.all()] == [first.hash, second.hash]
    assert (await ledger.keys.revoke("laptop")).hash == second.hash
    assert await ledger.keys.holder(secret) is None


async def test_of_many_that_want_a_name_at_once_one_gets_it(ledger: Ledger) -> None:
    tries = (ledger.keys.create("laptop") for _ in range(10))
    ends = await asyncio.gather(*tries, return_exceptions=True)
    assert sum(isinstance(end, UsageError) for end in ends) == 9
    assert len(await ledger.keys.all()) == 1


@pytest.mark.parametrize("by", ["name", "label", "hash", "beginning", "upper", "key"])
async def test_ways_to_say_which_key(ledger: Ledger, by: str) -> None:
    key, secret = await ledger.keys.create("laptop")
    _, other = await ledger.keys.create("desk")
    ways = {"name": key.name, "label": key.label, "hash": key.hash, "key": secret}
    ways |= {"beginning": key.hash[:6], "upper": key.hash[:12].upper()}
    revoked = await ledger.keys.revoke(ways[by])
    assert revoked.name == "laptop"
    assert revoked.revoked_at is not None
    assert await ledger.keys.holder(secret) is None
    assert await ledger.keys.holder(other)
    assert revoked in await ledger.keys.all()


@pytest.mark.parametrize("what", ["", "lap", "LAPTOP", "laptop\0", "laptop\ud800", "laptop" * 20])
async def test_ways_to_say_none(ledger: Ledger, what: str) -> None:
    key, secret = await ledger.keys.create("laptop")
    for none in (what, key.hash[:5], key.hash + "0", key.label[:-1], secret[:-1]):
        with raises("not_found", match="voxgate keys list"):
            await ledger.keys.revoke(none)
    assert await ledger.keys.holder(secret)


async def test_a_mistyped_key_is_not_repeated(ledger: Ledger) -> None:
    _, secret = await ledger.keys.create("laptop")
    with raises("not_found") as caught:
        await ledger.keys.revoke(secret[:-1])
    assert secret[:12] not in caught.value.sentence


async def test_who_may_mean_several_keys_is_shown_them(ledger: Ledger, path: Path) -> None:
    moment = "2026-11-22 12:00:00.000000"
    for end, name in (("0", "laptop"), ("1", "desk"), ("2", "c0ffee")):
        sql(path, INSERT, "c0ffee" + end * 58, name, moment)
    with pytest.raises(UsageError, match=r"c0ffee0000000000.*c0ffee1111111111.*c0ffee2222222222"):
        await ledger.keys.revoke("c0ffee")
    assert not any(key.revoked_at for key in await ledger.keys.all())
    assert (await ledger.keys.revoke("c0ffee0")).name == "laptop"


async def test_a_key_is_revoked_once(ledger: Ledger) -> None:
    _, secret = await ledger.keys.create("laptop")
    first = await ledger.keys.revoke("laptop")
    for again in ("laptop", first.hash, secret):
        with pytest.raises(UsageError, match=f"revoked already, since {first.revoked_at:%Y-%m-%d}"):
            await ledger.keys.revoke(again)
    assert await ledger.keys.all() == [first]


async def test_the_last_use_is_written_within_the_minute(path: Path) -> None:
    before = datetime.now(UTC)
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        await asyncio.gather(*(ledger.keys.holder(secret) for _ in range(20)))
    async with await Ledger.open(path) as ledger:
        (key,) = await ledger.keys.all()
        assert key.last_used_at
        assert before <= key.last_used_at <= datetime.now(UTC)
        await ledger.keys.holder(secret)  # is no news
    async with await Ledger.open(path) as ledger:
        assert await ledger.keys.all() == [key]


@pytest.mark.parametrize("away_s", [-61, 3600])  # a while ago; or a clock that has been set back
async def test_the_next_use_is_written_after_a_minute(path: Path, away_s: int) -> None:
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
    away = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=away_s)
    sql(path, "UPDATE keys SET last_used_at = ?", away.isoformat(" ", "microseconds"))
    ((before,),) = sql(path, LAST_USED)
    async with await Ledger.open(path) as ledger:
        await ledger.keys.holder(secret)
    ((after,),) = sql(path, LAST_USED)
    assert abs(datetime.fromisoformat(after) - datetime.now(UTC).replace(tzinfo=None)) < timedelta(
        seconds=50
    )
    assert after != before


async def test_nobody_waits_for_the_last_use_to_be_written(path: Path) -> None:
    """Whoever waited would meet the other writer's lock until it is given up on."""
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await ledger.keys.holder(secret)
            assert other.execute(LAST_USED).fetchall() == [(None,)]
            other.rollback()
    assert sql(path, LAST_USED) != [(None,)]


async def test_a_last_use_that_cannot_be_written_harms_nobody(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        sql(path, "CREATE TRIGGER no BEFORE UPDATE ON keys BEGIN SELECT RAISE(FAIL, 'no'); END")
        for _ in range(3):
            assert await ledger.keys.holder(secret)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("voxgate.ledger.database", "WARNING")
    assert f"{path} cannot be used: no." in record.getMessage()
