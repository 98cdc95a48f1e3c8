"""The health of endpoints, from one server to the next by the ledger."""

from __future__ import annotations

import logging
import sqlite3
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

import msgspec

from tests.api.serving import SCRIPTED, serving
from voxgate.api import health_keeper
from voxgate.api.health_keeper import HealthKeeper
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.session import Session
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from pathlib import Path

    import pytest

    from voxgate.settings import Settings

SLUG = f"local/{SCRIPTED}"
SUCCESS = EndedAttempt("succeeded", 2.0, 30.0, 1.0)


async def test_a_server_goes_on_where_the_last_one_ended(tmp_path: Path) -> None:
    sessions = list[Session]()

    def start(settings: Settings) -> Session:
        sessions.append(Session(settings))
        return sessions[-1]

    async with serving(tmp_path, session=start):
        for _ in range(20):
            sessions[0].endpoints.health.record(SLUG, SUCCESS)
        sessions[0].endpoints.health.record(
            "groq/x", EndedAttempt("rate_limited", 1.0, retry_after_s=3600)
        )
    async with serving(tmp_path, session=start):
        summary = sessions[1].endpoints.health.summary(SLUG)
        assert (summary.last_1d.attempts, summary.last_1d.uptime) == (20, 100.0)
        assert summary.last_1d.latency_s is not None
        assert not sessions[1].endpoints.health.claim("groq/x")


async def test_a_book_that_did_not_change_is_not_written(tmp_path: Path) -> None:
    async with await Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        book = HealthBook()
        keeper = HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book)
        await keeper.save()
        assert await ledger.endpoint_health.load() == []
        book.record(SLUG, SUCCESS)
        await keeper.save()
        (first,) = await ledger.endpoint_health.load()
        await keeper.save()
        assert await ledger.endpoint_health.load() == [first]


async def test_what_another_version_wrote_is_left_out(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    known = HealthBook()
    known.record(SLUG, SUCCESS)
    good = msgspec.to_builtins(known.dump(), str_keys=True)
    async with await Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        await ledger.endpoint_health.save({"a/x": {"spans": 7}, "b/x": [], **good})
        book = HealthBook()
        with caplog.at_level(logging.WARNING):
            await HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book).load()
    assert [record.args for record in caplog.records] == [("a/x",), ("b/x",)]
    assert list(book.dump()) == [SLUG]


async def test_a_ledger_that_fails_is_a_warning(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    ledger = await Ledger.open(tmp_path / LEDGER_FILE)
    await ledger.aclose()
    book = HealthBook()
    keeper = HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book)
    with caplog.at_level(logging.WARNING):
        await keeper.load()
        book.record(SLUG, SUCCESS)
        await keeper.save()
    assert [record.message.partition(":")[0] for record in caplog.records] == [
        "the health of endpoints is not known",
        "the hours of endpoints are not saved",
        "the health of endpoints is not saved",
    ]


async def test_servers_of_one_ledger_add_up_their_hours(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = [datetime(2026, 11, 28, 13, 59, 30, tzinfo=UTC)]
    monkeypatch.setattr(health_keeper, "utc_now", lambda: clock[0])
    async with (
        await Ledger.open(tmp_path / LEDGER_FILE) as ledger,
        await Ledger.open(tmp_path / LEDGER_FILE) as other,
    ):
        books = HealthBook(), HealthBook()
        keepers = [
            HealthKeeper(each.endpoint_health, each.endpoint_hours, book)
            for each, book in zip((ledger, other), books, strict=True)
        ]
        for ending in ("succeeded", "failed", "timed_out", "denied", "rate_limited", "refused"):
            for book in books:
                book.record(SLUG, replace(SUCCESS, ending=ending))
        clock[0] += timedelta(seconds=30)  # 14:00: what was counted before is of the hour before
        for keeper in keepers:
            await keeper.save()
        books[0].record(SLUG, SUCCESS)
        for keeper in keepers:
            await keeper.save()
        two, one = clock[0], clock[0] - timedelta(hours=1)
        assert await ledger.endpoint_hours.find([SLUG], one) == {
            (SLUG, one): (2, 6),
            (SLUG, two): (1, 0),
        }


async def test_what_a_ledger_could_not_take_is_written_later(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime(2026, 11, 28, 14, tzinfo=UTC)
    monkeypatch.setattr(health_keeper, "utc_now", lambda: now)
    book = HealthBook()
    async with await Ledger.open(tmp_path / LEDGER_FILE) as ledger:
        with sqlite3.connect(tmp_path / LEDGER_FILE) as connection:
            connection.execute("ALTER TABLE endpoint_hours RENAME TO away")
        keeper = HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book)
        for _ in range(2):
            book.record(SLUG, SUCCESS)
            await keeper.save()
        with sqlite3.connect(tmp_path / LEDGER_FILE) as connection:
            connection.execute("ALTER TABLE away RENAME TO endpoint_hours")
        await keeper.save()
        assert await ledger.endpoint_hours.find([SLUG], now) == {(SLUG, now): (2, 0)}
