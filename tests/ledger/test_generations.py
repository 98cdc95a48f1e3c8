from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.failures import raises
from tests.ledger.others import sql
from voxgate.errors import LedgerError
from voxgate.ledger.columns import TextColumn
from voxgate.ledger.generations import Generation, RecordedAttempt
from voxgate.ledger.keys import Key
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.schema import generations_table, keys_table

TEXTS = [
    column.name
    for column in generations_table.c
    if isinstance(column.type, TextColumn) and column.name not in ("id", "key_hash")
]


def a_generation(**given: Any) -> Generation:
    return replace(Generation("gen-stt-1", None, "cmusphinx/en-us"), **given)


async def end(ledger: Ledger, **given: Any) -> None:
    enough: dict[str, Any] = {"status": 200, "latency_ms": 1, "generation_time_ms": 1}
    await ledger.generations.finish("gen-stt-1", **enough, **given)


def test_the_values_have_the_columns_of_their_tables() -> None:
    assert [field.name for field in fields(Generation)] == list(generations_table.c.keys())
    assert [field.name for field in fields(Key)] == list(keys_table.c.keys())


async def test_nothing_that_could_hold_speech_has_a_column(ledger: Ledger, path: Path) -> None:
    columns = {name for (name,) in sql(path, "SELECT name FROM pragma_table_info('generations')")}
    assert columns.isdisjoint({"text", "transcript", "audio", "file", "filename", "prompt", "name"})


async def test_a_generation_from_its_beginning_to_its_end(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    begun = a_generation(
        key_hash=key.hash,
        user_agent="curl/8",
        http_referer="https://example.org/",
        app_title="Notes",
        session_id="s-1",
        external_user="u-1",
    )
    await ledger.generations.begin(begun)
    assert await ledger.generations.find(begun.id, key.hash) == begun
    attempts = (
        RecordedAttempt("remote", 503, 812, "overloaded"),
        RecordedAttempt("local", 200, 1200),
    )
    before = datetime.now(UTC)
    await ledger.generations.finish(
        begun.id,
        status=200,
        audio_seconds=12.3456789,
        cost_nanodollars=2**62,
        latency_ms=2100,
        generation_time_ms=2012,
        provider="local",
        attempts=attempts,
    )
    found = await ledger.generations.find(begun.id, key.hash)
    assert found
    assert found.finished_at
    assert before <= found.finished_at <= datetime.now(UTC)
    assert found == replace(
        begun,
        finished_at=found.finished_at,
        status=200,
        audio_seconds=12.3456789,
        cost_nanodollars=2**62,
        latency_ms=2100,
        generation_time_ms=2012,
        provider="local",
        attempts=attempts,
    )


async def test_one_that_failed(ledger: Ledger) -> None:
    await ledger.generations.begin(a_generation(provider="local"))
    await ledger.generations.finish(
        "gen-stt-1",
        status=503,
        error_code="engine_died",
        error_message="The engine's process ended.",
        latency_ms=5,
        generation_time_ms=None,
        cancelled=True,
    )
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert (found.status, found.error_code, found.cancelled) == (503, "engine_died", True)
    assert found.error_message == "The engine's process ended."
    assert (found.audio_seconds, found.cost_nanodollars, found.attempts) == (None, 0, ())
    assert found.provider == "local"


async def test_the_first_end_counts(ledger: Ledger) -> None:
    await ledger.generations.begin(a_generation())
    await end(ledger, cost_nanodollars=5)
    with raises("not_found", match="'gen-stt-1' is under way"):
        await end(ledger, cost_nanodollars=9)
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert found.cost_nanodollars == 5


async def test_an_end_without_a_beginning(ledger: Ledger) -> None:
    with raises("not_found"):
        await end(ledger)


async def test_everybody_finds_only_their_own(ledger: Ledger) -> None:
    mine, _ = await ledger.keys.create("mine")
    theirs, _ = await ledger.keys.create("theirs")
    await ledger.generations.begin(a_generation(id="gen-mine", key_hash=mine.hash))
    await ledger.generations.begin(a_generation(id="gen-nobodys"))
    assert await ledger.generations.find("gen-mine", mine.hash)
    assert await ledger.generations.find("gen-mine", theirs.hash) is None
    assert await ledger.generations.find("gen-mine", None) is None
    assert await ledger.generations.find("gen-nobodys", None)
    assert await ledger.generations.find("gen-nobodys", mine.hash) is None


@pytest.mark.parametrize(
    "name",
    ["", "gen-", "\0", "\ud800", "%", pytest.param("x" * 10_000_000, id="long")],
)
async def test_no_id_finds_what_it_does_not_name(ledger: Ledger, name: str) -> None:
    await ledger.generations.begin(a_generation(id="x" * 256))
    await ledger.generations.begin(a_generation(id="\ufffd"))
    assert await ledger.generations.find(name, None) is None
    assert await ledger.generations.find("x" * 256, None)


async def test_an_id_is_given_once(ledger: Ledger) -> None:
    await ledger.generations.begin(a_generation())
    with pytest.raises(LedgerError, match=r"generations\.id\. A generation needs an id of its own"):
        await ledger.generations.begin(a_generation())


async def test_a_key_that_was_never_made_has_no_generations(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"FOREIGN KEY.* a key that was made here"):
        await ledger.generations.begin(a_generation(key_hash="0" * 64))


async def test_a_number_that_no_column_takes(ledger: Ledger) -> None:
    await ledger.generations.begin(a_generation())
    with pytest.raises(LedgerError):
        await end(ledger, cost_nanodollars=2**63)
    await end(ledger)


@pytest.mark.parametrize("name", TEXTS)
@pytest.mark.parametrize(
    "text",
    [
        "a\0b",
        "\ud83d",
        "'; DROP TABLE keys; --",
        "\x1b",
        pytest.param("\udcff" * 3000, id="bytes"),
        pytest.param("é" * 10_000_000, id="long"),
    ],
)
async def test_no_strangers_text_breaks_a_write(ledger: Ledger, name: str, text: str) -> None:
    await ledger.generations.begin(a_generation(**{name: text}))
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    kept = getattr(found, name)
    assert 0 < len(kept) <= generations_table.c[name].type.length  # type: ignore[attr-defined]
    assert kept == text[: len(kept)].replace("\0", "\ufffd").replace("\ud83d", "\ufffd").replace(
        "\udcff", "\ufffd"
    )


async def test_nor_does_an_ends_text(ledger: Ledger) -> None:
    hostile = "\0\ud800" + "x" * 10_000_000
    await ledger.generations.begin(a_generation())
    await end(
        ledger,
        error_code=hostile,
        error_message=hostile,
        provider=hostile,
        attempts=[RecordedAttempt(hostile, 500, 1, hostile)],
    )
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    (attempt,) = found.attempts
    for kept in (found.error_code, found.error_message, found.provider, attempt.error):
        assert kept
        assert kept.startswith("\ufffd\ufffdxx")
        assert len(kept) <= 2048
