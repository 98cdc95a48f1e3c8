from dataclasses import fields, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.failures import raises
from tests.ledger.other_process import sql
from voxgate.errors import LedgerError
from voxgate.ledger.budget import Amount
from voxgate.ledger.columns import TextColumn
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome, RecordedAttempt
from voxgate.ledger.key import Key
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.schema import generations_table, keys_table

TEXTS = [
    column.name
    for column in generations_table.c
    if isinstance(column.type, TextColumn) and column.name not in ("id", "key_hash")
]


def generation(**changes: Any) -> Generation:
    return replace(Generation("gen-stt-1", None, "Systran/faster-whisper-base"), **changes)


async def finish(ledger: Ledger, **outcome: Any) -> None:
    required: dict[str, Any] = {"status": 200, "latency_ms": 1, "generation_time_ms": 1}
    await ledger.generations.finish("gen-stt-1", Outcome(**required, **outcome))


def test_fields_match_the_columns_of_their_tables() -> None:
    assert [field.name for field in fields(Generation)] == list(generations_table.c.keys())
    assert [field.name for field in fields(Key)] == [*keys_table.c.keys(), "budget"]


async def test_no_column_could_hold_speech(sqlite_ledger: Ledger, path: Path) -> None:
    columns = {name for (name,) in sql(path, "SELECT name FROM pragma_table_info('generations')")}
    assert columns.isdisjoint({"text", "transcript", "audio", "file", "filename", "prompt", "name"})


async def test_a_generation_is_begun_and_finished(ledger: Ledger) -> None:
    key, _ = await ledger.keys.create("laptop")
    first = generation(
        key_hash=key.hash,
        user_agent="curl/8",
        http_referer="https://example.org/",
        app_title="Notes",
        session_id="s-1",
        external_user="u-1",
    )
    await ledger.generations.begin(first)
    begun = await ledger.generations.find(first.id, key.hash)
    assert begun
    assert begun.lease_until
    assert begun == replace(first, lease_until=begun.lease_until)
    attempts = (
        RecordedAttempt("remote", 503, 812, "overloaded"),
        RecordedAttempt("local", 200, 1200),
    )
    before = datetime.now(UTC)
    await ledger.generations.finish(
        first.id,
        Outcome(
            status=200,
            audio_samples=197_531,
            tokens=31,
            first_text_ms=700,
            cost=Amount(2**62, 197_531),
            latency_ms=2100,
            generation_time_ms=2012,
            answered_by=AnsweredBy("groq", "acme/other", "r2", None),
            attempts=attempts,
        ),
    )
    found = await ledger.generations.find(first.id, key.hash)
    assert found
    assert found.finished_at
    assert before <= found.finished_at <= datetime.now(UTC)
    assert found == replace(
        first,
        finished_at=found.finished_at,
        status=200,
        audio_seconds=12.3456875,
        audio_samples=197_531,
        tokens=31,
        first_text_ms=700,
        cost_nanodollars=2**62,
        latency_ms=2100,
        generation_time_ms=2012,
        provider="groq",
        model="acme/other",
        revision="r2",
        profile=None,
        attempts=attempts,
    )


async def test_a_generation_that_failed(ledger: Ledger) -> None:
    await ledger.generations.begin(generation(provider="local"))
    await ledger.generations.finish(
        "gen-stt-1",
        Outcome(
            status=503,
            error_code="engine_died",
            error_message="The engine's process ended.",
            latency_ms=5,
            cancelled=True,
        ),
    )
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert (found.status, found.error_code, found.cancelled) == (503, "engine_died", True)
    assert found.error_message == "The engine's process ended."
    assert (found.audio_seconds, found.cost_nanodollars, found.attempts) == (None, 0, ())
    assert found.provider == "local"


async def test_a_generation_is_finished_once(ledger: Ledger) -> None:
    await ledger.generations.begin(generation())
    await finish(ledger, cost=Amount(5))
    with raises("not_found", match="'gen-stt-1' is in progress"):
        await finish(ledger, cost=Amount(9))
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    assert found.cost_nanodollars == 5


async def test_a_generation_that_was_not_begun_is_not_finished(ledger: Ledger) -> None:
    with raises("not_found"):
        await finish(ledger)


async def test_a_key_finds_only_its_own_generations(ledger: Ledger) -> None:
    mine, _ = await ledger.keys.create("mine")
    other, _ = await ledger.keys.create("other")
    await ledger.generations.begin(generation(id="gen-mine", key_hash=mine.hash))
    await ledger.generations.begin(generation(id="gen-no-key"))
    assert await ledger.generations.find("gen-mine", mine.hash)
    assert await ledger.generations.find("gen-mine", other.hash) is None
    assert await ledger.generations.find("gen-mine", None) is None
    assert await ledger.generations.find("gen-no-key", None)
    assert await ledger.generations.find("gen-no-key", mine.hash) is None


@pytest.mark.parametrize(
    "name",
    ["", "gen-", "\0", "\ud800", "%", pytest.param("x" * 10_000_000, id="long")],
)
async def test_a_hostile_id_finds_no_other_generation(ledger: Ledger, name: str) -> None:
    await ledger.generations.begin(generation(id="x" * 256))
    await ledger.generations.begin(generation(id="\ufffd"))
    assert await ledger.generations.find(name, None) is None
    assert await ledger.generations.find("x" * 256, None)


async def test_an_id_is_used_once(ledger: Ledger) -> None:
    await ledger.generations.begin(generation())
    with pytest.raises(
        LedgerError, match=r"generations(\.id|_pkey).*\. A generation needs an id that is new"
    ):
        await ledger.generations.begin(generation())


async def test_an_unknown_key_has_no_generations(ledger: Ledger) -> None:
    with pytest.raises(LedgerError, match=r"(?i)foreign key.* a key that is in this ledger"):
        await ledger.generations.begin(generation(key_hash="0" * 64))


async def test_a_number_too_large_for_its_column(ledger: Ledger) -> None:
    await ledger.generations.begin(generation())
    with pytest.raises(LedgerError):
        await finish(ledger, cost=Amount(2**63))
    await finish(ledger)


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
async def test_untrusted_text_is_stored(ledger: Ledger, text: str) -> None:
    await ledger.generations.begin(generation(**dict.fromkeys(TEXTS, text)))
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    for name in TEXTS:
        stored = getattr(found, name)
        assert 0 < len(stored) <= generations_table.c[name].type.length  # type: ignore[attr-defined]
        assert stored == text[: len(stored)].replace("\0", "\ufffd").replace(
            "\ud83d", "\ufffd"
        ).replace("\udcff", "\ufffd")


async def test_untrusted_text_of_an_outcome_is_stored(ledger: Ledger) -> None:
    hostile = "\0\ud800" + "x" * 10_000_000
    await ledger.generations.begin(generation())
    await finish(
        ledger,
        error_code=hostile,
        error_message=hostile,
        answered_by=AnsweredBy(hostile, hostile),
        attempts=[RecordedAttempt(hostile, 500, 1, hostile)],
    )
    found = await ledger.generations.find("gen-stt-1", None)
    assert found
    (attempt,) = found.attempts
    for stored in (
        found.error_code,
        found.error_message,
        found.provider,
        found.model,
        attempt.error,
    ):
        assert stored
        assert stored.startswith("\ufffd\ufffdxx")
        assert len(stored) <= 2048
