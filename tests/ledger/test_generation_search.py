"""Lists of generations: the newest first, page by page, of one key or of all."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from voxgate.ledger.generation import Generation, Outcome
from voxgate.ledger.generation_search import Selection

if TYPE_CHECKING:
    from voxgate.ledger.ledger import Ledger

NOON = datetime(2026, 11, 30, 12, tzinfo=UTC)


async def begin(ledger: Ledger, number: int, key: str | None, **fields: Any) -> None:
    """Begin a generation at noon of one of three days; two of a day begin at once."""
    at = NOON - timedelta(days=number // 2)
    generation = Generation(f"gen-stt-{number}", key, "a/b", created_at=at)
    await ledger.generations.begin(replace(generation, **fields))


async def ids(ledger: Ledger, most: int = 10, **selected: Any) -> list[str]:
    found = await ledger.generations.newest(Selection(**selected), most)
    return [each.id.removeprefix("gen-stt-") for each in found]


@pytest.fixture
async def filled(ledger: Ledger) -> Ledger:
    own, _ = await ledger.keys.create("own")
    other, _ = await ledger.keys.create("other")
    for number in range(6):
        key = (own.hash, other.hash, None)[number % 3]
        await begin(ledger, number, key, model="c/d" if number == 5 else "a/b")
    await ledger.generations.finish("gen-stt-0", Outcome(200, 1))
    await ledger.generations.finish("gen-stt-1", Outcome(400, 1, error_code="invalid_audio"))
    return ledger


async def test_pages_follow_each_other_also_where_two_began_at_once(filled: Ledger) -> None:
    assert await ids(filled) == ["1", "0", "3", "2", "5", "4"]
    shown: list[str] = []
    while page := await ids(filled, most=2, before=f"gen-stt-{shown[-1]}" if shown else None):
        shown += page
    assert shown == await ids(filled)
    with raises("invalid_request", "Begin with the newest"):
        await ids(filled, before="gen-stt-9")


async def test_a_selection_has_all_that_fits_and_nothing_else(filled: Ledger) -> None:
    own, other = (key.hash for key in await filled.keys.all())
    assert await ids(filled, key_hash=own) == ["0", "3"]
    assert await ids(filled, key_hash="") == ["2", "5"]
    assert await ids(filled, model="c/d") == ["5"]
    assert await ids(filled, day=date(2026, 11, 29)) == ["3", "2"]
    assert await ids(filled, ending="succeeded") == ["0"]
    assert await ids(filled, ending="failed") == ["1"]
    assert await ids(filled, ending="running", key_hash=other) == ["4"]
    with raises(
        "invalid_request", "Begin with the newest"
    ):  # another key's is no place to go on from
        await ids(filled, key_hash=own, before="gen-stt-1")


async def test_a_generation_of_any_key_is_found_by_its_id_alone(filled: Ledger) -> None:
    found = await filled.generations.get("gen-stt-4")
    assert found is not None
    assert found.id == "gen-stt-4"
    assert await filled.generations.get("gen-stt-") is None
    long = "gen-stt-4" + "0" * 300
    assert await filled.generations.get(long) is None
