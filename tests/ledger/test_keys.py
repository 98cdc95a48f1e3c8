import asyncio
import re
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from pathlib import Path

import pytest

from tests.failures import raises
from tests.ledger.other_process import sql
from voxgate.errors import UsageError
from voxgate.ledger.ledger import Ledger

LAST_USED = "SELECT last_used_at FROM keys"
INSERT = "INSERT INTO keys (hash, name, label, created_at) VALUES (?, ?, 'label', ?)"


async def test_only_the_hash_of_a_key_is_stored(sqlite_ledger: Ledger, path: Path) -> None:
    before = datetime.now(UTC)
    key, secret = await sqlite_ledger.keys.create("laptop")
    assert re.fullmatch(r"sk-vg-[A-Za-z0-9_-]{43}", secret)
    assert key.hash == sha256(secret.encode()).hexdigest()
    assert key.label == f"{secret[:9]}...{secret[-4:]}"
    assert (key.name, key.last_used_at, key.revoked_at) == ("laptop", None, None)
    assert before <= key.created_at <= datetime.now(UTC)
    assert await sqlite_ledger.keys.all() == [key]
    files = b"".join(file.read_bytes() for file in path.parent.iterdir())
    assert key.hash.encode() in files
    assert secret[9:-4].encode() not in files


async def test_every_key_is_different(ledger: Ledger) -> None:
    created = [await ledger.keys.create(f"key {number}") for number in range(20)]
    assert len({secret[6:12] for _, secret in created}) == 20


async def test_only_the_exact_secret_authenticates(ledger: Ledger) -> None:
    key, secret = await ledger.keys.create("laptop")
    assert await ledger.keys.authenticate(secret) == key
    swapped = secret[:-1] + ("A" if secret[-1] != "A" else "B")
    hostile = ("", "sk-vg-", swapped, secret + "x", secret.upper(), key.hash, key.label)
    for other in (*hostile, "\0", "\ud800", "x" * 10_000_000):
        assert await ledger.keys.authenticate(other) is None


async def test_any_counts_revoked_keys(ledger: Ledger) -> None:
    assert await ledger.keys.any() is False
    await ledger.keys.create("laptop")
    assert await ledger.keys.any() is True
    await ledger.keys.revoke("laptop")
    assert await ledger.keys.any() is True


@pytest.mark.parametrize("name", ["a", "x" * 100, "Zoë's 📱", "a 'quoted' %name_", "c0ffee"])
async def test_valid_names(ledger: Ledger, name: str) -> None:
    key, _ = await ledger.keys.create(name)
    assert key.name == name
    assert await ledger.keys.all() == [key]
    assert (await ledger.keys.revoke(name)).hash == key.hash


@pytest.mark.parametrize(
    "name", ["", " ", " a", "a ", "x" * 101, "a\nb", "a\tb", "\0", "\ud800", "\x1b[31m"]
)
async def test_invalid_names(ledger: Ledger, name: str) -> None:
    with pytest.raises(UsageError, match="1 to 100 printable characters"):
        await ledger.keys.create(name)
    assert await ledger.keys.all() == []


async def test_a_secret_given_as_a_name_is_not_repeated(sqlite_ledger: Ledger, path: Path) -> None:
    _, secret = await sqlite_ledger.keys.create("laptop")
    with pytest.raises(UsageError, match="looks like a key") as caught:
        await sqlite_ledger.keys.create(secret)
    assert secret not in caught.value.sentence


async def test_one_valid_key_has_a_name(ledger: Ledger) -> None:
    first, _ = await ledger.keys.create("laptop")
    with pytest.raises(UsageError, match="named 'laptop' already"):
        await ledger.keys.create("laptop")
    await ledger.keys.revoke("laptop")
    second, secret = await ledger.keys.create("laptop")
    assert [key.hash for key in await ledger.keys.all()] == [first.hash, second.hash]
    assert (await ledger.keys.revoke("laptop")).hash == second.hash
    assert await ledger.keys.authenticate(secret) is None


async def test_concurrent_creations_of_one_name_give_one_key(ledger: Ledger) -> None:
    creations = (ledger.keys.create("laptop") for _ in range(10))
    results = await asyncio.gather(*creations, return_exceptions=True)
    assert sum(isinstance(result, UsageError) for result in results) == 9
    assert len(await ledger.keys.all()) == 1


@pytest.mark.parametrize("by", ["name", "label", "hash", "beginning", "upper", "key"])
async def test_identifiers_of_a_key(ledger: Ledger, by: str) -> None:
    key, secret = await ledger.keys.create("laptop")
    _, other = await ledger.keys.create("desktop")
    identifiers = {"name": key.name, "label": key.label, "hash": key.hash, "key": secret}
    identifiers |= {"beginning": key.hash[:6], "upper": key.hash[:12].upper()}
    revoked = await ledger.keys.revoke(identifiers[by])
    assert revoked.name == "laptop"
    assert revoked.revoked_at is not None
    assert await ledger.keys.authenticate(secret) is None
    assert await ledger.keys.authenticate(other)
    assert revoked in await ledger.keys.all()


@pytest.mark.parametrize("name", ["", "lap", "LAPTOP", "laptop\0", "laptop\ud800", "laptop" * 20])
async def test_identifiers_of_no_key(ledger: Ledger, name: str) -> None:
    key, secret = await ledger.keys.create("laptop")
    for identifier in (name, key.hash[:5], key.hash + "0", key.label[:-1], secret[:-1]):
        with raises("not_found", match="voxgate keys list"):
            await ledger.keys.revoke(identifier)
    assert await ledger.keys.authenticate(secret)


async def test_a_mistyped_secret_is_not_repeated(ledger: Ledger) -> None:
    _, secret = await ledger.keys.create("laptop")
    with raises("not_found") as caught:
        await ledger.keys.revoke(secret[:-1])
    assert secret[:12] not in caught.value.sentence


async def test_an_ambiguous_identifier_lists_the_keys(sqlite_ledger: Ledger, path: Path) -> None:
    created_at = "2026-11-22 12:00:00.000000"
    for end, name in (("0", "laptop"), ("1", "desktop"), ("2", "c0ffee")):
        sql(path, INSERT, "c0ffee" + end * 58, name, created_at)
    with pytest.raises(UsageError, match=r"c0ffee0000000000.*c0ffee1111111111.*c0ffee2222222222"):
        await sqlite_ledger.keys.revoke("c0ffee")
    assert not any(key.revoked_at for key in await sqlite_ledger.keys.all())
    assert (await sqlite_ledger.keys.revoke("c0ffee0")).name == "laptop"


async def test_a_whole_hash_is_one_keys_whatever_others_are_named(
    sqlite_ledger: Ledger, path: Path
) -> None:
    """As older versions let them be named."""
    key, _ = await sqlite_ledger.keys.create("laptop")
    sql(path, INSERT, "d" * 64, key.hash, "2026-11-22 12:00:00.000000")
    assert await sqlite_ledger.keys.find(key.hash.upper()) == key
    assert (await sqlite_ledger.keys.edit(key.hash, name="desktop")).hash == key.hash
    assert (await sqlite_ledger.keys.revoke(key.hash)).hash == key.hash
    (left,) = [each for each in await sqlite_ledger.keys.all() if each.revoked_at is None]
    assert (left.hash, left.name) == ("d" * 64, key.hash)


async def test_no_key_is_named_as_a_hash(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    for name in (key.hash, key.hash.upper(), "0" * 64):
        with pytest.raises(UsageError, match="looks like a key's hash"):
            await ledger.keys.create(name)
        with pytest.raises(UsageError, match="looks like a key's hash"):
            await ledger.keys.edit("laptop", name=name)
    await ledger.keys.create("c0ffee")


async def test_a_key_is_revoked_once(ledger: Ledger) -> None:
    _, secret = await ledger.keys.create("laptop")
    first = await ledger.keys.revoke("laptop")
    for identifier in ("laptop", first.hash, secret):
        with pytest.raises(UsageError, match=f"already revoked, since {first.revoked_at:%Y-%m-%d}"):
            await ledger.keys.revoke(identifier)
    assert await ledger.keys.all() == [first]


async def test_the_last_use_is_written_once_a_minute(path: Path) -> None:
    before = datetime.now(UTC)
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        await asyncio.gather(*(ledger.keys.authenticate(secret) for _ in range(20)))
    async with await Ledger.open(path) as ledger:
        (key,) = await ledger.keys.all()
        assert key.last_used_at
        assert before <= key.last_used_at <= datetime.now(UTC)
        await ledger.keys.authenticate(secret)  # too soon to be written again
    async with await Ledger.open(path) as ledger:
        assert await ledger.keys.all() == [key]


@pytest.mark.parametrize("offset_s", [-61, 3600])  # in the past; or a clock that was set back
async def test_the_next_use_is_written_after_a_minute(path: Path, offset_s: int) -> None:
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
    last_use = datetime.now(UTC).replace(tzinfo=None) + timedelta(seconds=offset_s)
    sql(path, "UPDATE keys SET last_used_at = ?", last_use.isoformat(" ", "microseconds"))
    ((before,),) = sql(path, LAST_USED)
    async with await Ledger.open(path) as ledger:
        await ledger.keys.authenticate(secret)
    ((after,),) = sql(path, LAST_USED)
    assert abs(datetime.fromisoformat(after) - datetime.now(UTC).replace(tzinfo=None)) < timedelta(
        seconds=50
    )
    assert after != before


async def test_authentication_does_not_wait_for_the_last_use_to_be_written(path: Path) -> None:
    """If it waited, the other writer's lock would block it until the busy timeout."""
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        with closing(sqlite3.connect(path)) as other:
            other.execute("BEGIN IMMEDIATE")
            assert await ledger.keys.authenticate(secret)
            assert other.execute(LAST_USED).fetchall() == [(None,)]
            other.rollback()
    assert sql(path, LAST_USED) != [(None,)]


async def test_a_last_use_that_cannot_be_written_is_logged_once(
    path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with await Ledger.open(path) as ledger:
        _, secret = await ledger.keys.create("laptop")
        sql(path, "CREATE TRIGGER no BEFORE UPDATE ON keys BEGIN SELECT RAISE(FAIL, 'no'); END")
        for _ in range(3):
            assert await ledger.keys.authenticate(secret)
    (record,) = caplog.records
    assert (record.name, record.levelname) == ("voxgate.ledger.database", "WARNING")
    assert f"{path} cannot be used: no." in record.getMessage()
