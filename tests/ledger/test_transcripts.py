"""Transcripts are stored as their generations end, and removed in time, in both databases."""

from __future__ import annotations

from datetime import timedelta
from typing import TYPE_CHECKING

import pytest

from tests.failures import raises
from tests.ledger.clock import clock
from tests.ledger.other_process import sql
from voxgate.configuration.file import ConfigFile
from voxgate.errors import LedgerError, UsageError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.key import hash_of
from voxgate.ledger.key_tables import KeyList
from voxgate.ledger.retention import Retention
from voxgate.ledger.transcripts import KeptTranscript

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.ledger.key import Key
    from voxgate.ledger.ledger import Ledger

DAY = timedelta(days=1)
SEALED = bytes(range(256)) * 20  # more than a page of SQLite's


async def keeper(ledger: Ledger, name: str = "one", days: int | None = 30) -> Key:
    key, _ = await ledger.keys.create(name, keep_transcripts_days=days)
    return key


async def end(ledger: Ledger, name: str, key: Key | None, sealed: bytes | None = SEALED) -> None:
    await ledger.generations.begin(Generation(name, key.hash if key else None, "a/one"))
    await ledger.generations.finish(name, Outcome(200, 5, transcript=sealed))


async def found(ledger: Ledger, name: str, key: Key) -> bytes | None:
    kept = await ledger.transcripts.find(name, key.hash)
    return kept.sealed if kept else None


async def test_it_is_kept_for_its_days_and_its_key_alone(ledger: Ledger) -> None:
    key, other = await keeper(ledger), await keeper(ledger, "other")
    await end(ledger, "gen-1", key)
    generation = await ledger.generations.find("gen-1", key.hash)
    assert generation
    assert generation.finished_at
    until = generation.finished_at + 30 * DAY
    assert await ledger.transcripts.find("gen-1", key.hash) == KeptTranscript(until, SEALED)
    assert await ledger.transcripts.find("gen-1", other.hash) is None
    for near in ("gen-", "gen-11", "GEN-1", "%", ""):
        assert await ledger.transcripts.find(near, key.hash) is None
    await end(ledger, "g" * 256, key)
    assert await found(ledger, "g" * 256, key)
    assert await found(ledger, "g" * 257, key) is None


async def test_nothing_is_kept_of_what_has_no_text_or_whose_key_keeps_none(ledger: Ledger) -> None:
    key, plain = await keeper(ledger), await keeper(ledger, "plain", None)
    await end(ledger, "textless", key, None)
    await end(ledger, "plain", plain)
    await end(ledger, "keyless", None)
    assert await ledger.transcripts.find("textless", key.hash) is None
    assert await ledger.transcripts.find("plain", plain.hash) is None
    await end(ledger, "empty", key, b"")
    assert await found(ledger, "empty", key) == b""


async def test_an_expired_one_is_gone_before_it_is_removed(ledger: Ledger) -> None:
    key = await keeper(ledger)
    await end(ledger, "older", key)
    with clock(utc_now() + 10 * DAY):
        await end(ledger, "younger", key)
    with clock(utc_now() + 30 * DAY):
        kept = await ledger.transcripts.find("older", key.hash)
        assert kept
        assert kept.sealed is None
        assert await ledger.transcripts.remove_expired(10) == 1
        assert await ledger.transcripts.remove_expired(10) == 0
        assert await ledger.transcripts.find("older", key.hash) == kept
        assert await found(ledger, "younger", key) == SEALED
    assert await found(ledger, "older", key) is None


async def test_many_are_removed_in_batches(ledger: Ledger, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("voxgate.ledger.retention.BATCH", 2)
    key = await keeper(ledger, days=1)
    for number in range(5):
        await end(ledger, f"gen-{number}", key)
    with clock(utc_now() + DAY):
        assert await Retention(ledger, float("inf")).sweep() == 0  # generations
        assert await ledger.transcripts.remove_expired(10) == 0
    assert [await found(ledger, f"gen-{number}", key) for number in range(5)] == [None] * 5


async def test_the_bytes_of_a_removed_one_are_not_in_the_file(
    sqlite_ledger: Ledger, path: Path
) -> None:
    ledger, key = sqlite_ledger, await keeper(sqlite_ledger)
    await end(ledger, "gen-1", key)
    with clock(utc_now() + 30 * DAY):
        await ledger.transcripts.remove_expired(10)
    await ledger.aclose()  # the last connection writes the log into the file
    assert SEALED[:256] not in path.read_bytes()


async def test_a_revoked_key_takes_its_own_along(ledger: Ledger) -> None:
    key, other = await keeper(ledger), await keeper(ledger, "other")
    await end(ledger, "gen-1", key)
    await end(ledger, "gen-2", other)
    await ledger.generations.begin(Generation("under way", key.hash, "a/one"))
    await ledger.keys.revoke(key.hash)
    await ledger.generations.finish("under way", Outcome(200, 5, transcript=SEALED))
    assert await ledger.transcripts.find("gen-1", key.hash) is None
    assert await ledger.transcripts.find("under way", key.hash) is None
    assert await found(ledger, "gen-2", other) == SEALED


@pytest.mark.parametrize("change", ["revoked_at = '2026-01-02'", "keep_transcripts_days = NULL"])
async def test_what_a_key_has_that_keeps_none_is_swept(
    sqlite_ledger: Ledger, path: Path, change: str
) -> None:
    """As where an older server, which knows no transcripts, revoked it, or it changed meanwhile."""
    key, other = await keeper(sqlite_ledger), await keeper(sqlite_ledger, "other")
    await end(sqlite_ledger, "gen-1", key)
    await end(sqlite_ledger, "gen-2", other)
    sql(path, f"UPDATE keys SET {change} WHERE hash = ?", key.hash)  # noqa: S608
    await Retention(sqlite_ledger, float("inf")).sweep()
    assert sql(path, "SELECT generation FROM transcripts") == [("gen-2",)]


async def test_a_key_that_its_file_lists_no_more_has_a_day(ledger: Ledger, tmp_path: Path) -> None:
    """The file may be half written: when it lists the key again, its transcripts are there."""
    path = tmp_path / "voxgate.toml"
    table = f"[[keys]]\nname = 'one'\nhash = '{hash_of('one')}'\nkeep_transcripts_days = 30\n"

    async def apply(text: str) -> None:
        path.write_text(text)
        await ledger.listed_keys.apply(KeyList.read(ConfigFile.read(path))[0])

    await apply(table)
    key = await ledger.keys.find("one")
    await end(ledger, "gen-1", key)
    await apply("keys = []\n")
    assert await found(ledger, "gen-1", key) is None
    with clock(utc_now() + DAY / 2):
        assert await ledger.transcripts.remove_expired(10) == 0
    await apply(table)
    assert await found(ledger, "gen-1", key) == SEALED
    await apply("keys = []\n")
    with clock(utc_now() + 2 * DAY):
        assert await ledger.transcripts.remove_expired(10) == 1
        assert await ledger.transcripts.remove_expired(10) == 0


async def test_many_of_a_revoked_key_are_removed_in_batches(ledger: Ledger) -> None:
    key, other = await keeper(ledger), await keeper(ledger, "other")
    for number in range(5):
        await end(ledger, f"gen-{number}", key)
    await end(ledger, "gen-other", other)
    await ledger.keys.revoke(key.hash)
    assert [await ledger.transcripts.remove_expired(2) for _ in range(4)] == [2, 2, 1, 0]
    assert await found(ledger, "gen-other", other) == SEALED


async def test_it_is_deleted_with_its_generation(ledger: Ledger) -> None:
    key = await keeper(ledger)
    await end(ledger, "gen-1", key)
    assert await ledger.generations.remove_before(utc_now(), 10) == 1
    assert await ledger.transcripts.find("gen-1", key.hash) is None


async def test_fewer_days_count_for_those_that_are_kept(ledger: Ledger) -> None:
    key, other = await keeper(ledger), await keeper(ledger, "other")
    for name, owner in (("gen-1", key), ("gen-2", other)):
        await end(ledger, name, owner)
    await ledger.keys.edit("one", keep_transcripts_days=60)
    kept = await ledger.transcripts.find("gen-1", key.hash)
    assert kept
    assert kept.expires_at < utc_now() + 30 * DAY
    await ledger.keys.edit("one", name="renamed", keep_transcripts_days=2)
    assert await found(ledger, "gen-1", key) == SEALED
    with clock(utc_now() + 2 * DAY):
        assert await found(ledger, "gen-1", key) is None
        assert await found(ledger, "gen-2", other) == SEALED
    await ledger.keys.edit("other", keep_transcripts_days=None)
    assert await ledger.transcripts.find("gen-2", other.hash) is None
    await end(ledger, "gen-3", other)
    assert await ledger.transcripts.find("gen-3", other.hash) is None


async def test_it_is_stored_with_its_generations_end_or_neither_is(
    sqlite_ledger: Ledger, path: Path
) -> None:
    key = await keeper(sqlite_ledger)
    await sqlite_ledger.generations.begin(Generation("gen-1", key.hash, "a/one"))
    sql(
        path,
        "CREATE TRIGGER full BEFORE INSERT ON transcripts BEGIN SELECT RAISE(ABORT, 'full'); END",
    )
    with pytest.raises(LedgerError):
        await sqlite_ledger.generations.finish("gen-1", Outcome(200, 5, transcript=SEALED))
    generation = await sqlite_ledger.generations.find("gen-1", key.hash)
    assert generation
    assert generation.finished_at is None
    sql(path, "DROP TRIGGER full")
    await sqlite_ledger.generations.finish("gen-1", Outcome(200, 5, transcript=SEALED))
    assert await found(sqlite_ledger, "gen-1", key) == SEALED
    with raises("not_found"):
        await sqlite_ledger.generations.finish("gen-1", Outcome(200, 5, transcript=SEALED))


@pytest.mark.parametrize("days", [0, -1, 3651])
async def test_days_out_of_range_are_refused(ledger: Ledger, days: int) -> None:
    with pytest.raises(UsageError, match=r"for 1 to 3,650 days, not "):
        await keeper(ledger, days=days)


async def test_a_management_key_keeps_none(ledger: Ledger) -> None:
    with pytest.raises(UsageError, match="management key does not transcribe"):
        await ledger.keys.create("manager", management=True, keep_transcripts_days=3)
