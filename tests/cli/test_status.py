"""`voxgate status`: what a server saved of its endpoints, as a table and as JSON."""

from __future__ import annotations

import asyncio
import json
from dataclasses import replace
from datetime import timedelta
from typing import TYPE_CHECKING, Any

import pytest

from tests.cli.command import CliRunner, isolated_cli
from voxgate.api.health_keeper import HealthKeeper
from voxgate.canaries.rule import SILENT_IN_A_ROW
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.canary_results import CanaryResult
from voxgate.ledger.columns import utc_now
from voxgate.ledger.ledger import Ledger
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "local/openai/whisper-base"
SILENT = CanaryResult(
    endpoint=LOCAL,
    measured_at=utc_now(),
    model="openai/whisper-base",
    revision="c0ffee",
    profile="fast",
    digest="",
    recordings=1,
    failed=0,
    spoken=1,
    without_text=1,
    errors=32,
    reference=32,
    audio_seconds=10.0,
    processing_seconds=1.0,
    cost_nanodollars=None,
)


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliRunner]:
    """With what a server saved of two endpoints, which no test changes."""
    with isolated_cli(tmp_path_factory.mktemp("status"), installed=False) as runner:
        asyncio.run(fill(runner))
        yield runner


async def fill(cli: CliRunner) -> None:
    async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
        book = HealthBook()
        for _ in range(9):
            book.record(LOCAL, EndedAttempt("succeeded", 2.0, 30.0))
        book.record(LOCAL, EndedAttempt("failed", 60.0, 30.0))
        book.record("groq/whisper", EndedAttempt("rate_limited", 0.1, 30.0, retry_after_s=3600))
        await HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book).save()
        for number in range(SILENT_IN_A_ROW):
            moment = utc_now() - timedelta(seconds=number)
            await ledger.canaries.add(replace(SILENT, measured_at=moment))


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    done = cli.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    heading, groq, local = (line.split("\t") for line in done.stdout.splitlines())
    assert heading[:3] == ["endpoint", "state", "uptime 5m"]
    assert groq[0] == "groq/whisper"
    assert groq[1].startswith("rests, asked too often, for 3")
    assert groq[2:9] == ["", "", "", "", "", "", "0"]
    assert local[:5] == [LOCAL, "degraded", "90", "90", "90"]
    assert local[8:10] == ["10", "100.0%"]
    assert local[10].endswith(" s ago")
    assert {len(row) for row in (heading, groq, local)} == {11}


def test_json_has_the_figures_of_the_api(cli: CliRunner) -> None:
    groq, local = json.loads(cli.run("status", "--json").stdout)
    assert (groq["state"], local["state"]) == ("rate_limited", "degraded")
    assert 3000 < groq["rests_s"] <= 3600
    assert local["uptime_last_30m"] == 90
    assert local["latency_last_30m"] is None  # of nine attempts that succeeded


def test_what_regressed_is_said_where_canaries_are_sent(cli: CliRunner) -> None:
    def found(every_s: str) -> dict[str, Any]:
        done = cli.run("status", "--json", VOXGATE_CANARY_EVERY_S=every_s)
        groq, local = json.loads(done.stdout)
        assert groq["canary"] is None
        canary: dict[str, Any] = local["canary"]
        return canary

    canary = found("3600")
    assert (canary["regressed"], found("0")["regressed"]) == (True, False)
    assert canary["regression"] == "it has no words for speech, 2 times in a row"
    assert (canary["word_error_rate"], canary["coverage"]) == (1, 0)
    (checkpoint,) = canary["checkpoints"]
    assert (checkpoint["revision"], checkpoint["profile"]) == ("c0ffee", "fast")
    row = cli.run("status", VOXGATE_CANARY_EVERY_S="3600").stdout.splitlines()[2].split("\t")
    assert row[1] == "degraded, regressed"


def test_without_any_there_are_headings_alone(empty_cli: CliRunner) -> None:
    done = empty_cli.run("status")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert json.loads(empty_cli.run("status", "--json").stdout) == []
