"""`voxgate status`: what a server saved of its endpoints, as a table and as JSON."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest

from tests.cli.command import CliRunner, isolated_cli
from voxgate.api.health_keeper import HealthKeeper
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from collections.abc import Iterator

LOCAL = "local/openai/whisper-base"


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
        await HealthKeeper(ledger.endpoint_health, book).save()


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    done = cli.run("status")
    assert (done.returncode, done.stderr) == (0, "")
    heading, groq, local = (line.split("\t") for line in done.stdout.splitlines())
    assert heading[:3] == ["endpoint", "state", "uptime 5m"]
    assert groq[0] == "groq/whisper"
    assert groq[1].startswith("rests, asked too often, for 3")
    assert groq[2:9] == ["", "", "", "", "", "", "0"]
    assert local[:5] == [LOCAL, "degraded", "90", "90", "90"]
    assert local[8] == "10"
    assert local[9].endswith(" s ago")
    assert {len(row) for row in (heading, groq, local)} == {10}


def test_json_has_the_figures_of_the_api(cli: CliRunner) -> None:
    groq, local = json.loads(cli.run("status", "--json").stdout)
    assert (groq["state"], local["state"]) == ("rate_limited", "degraded")
    assert 3000 < groq["rests_s"] <= 3600
    assert local["uptime_last_30m"] == 90
    assert local["latency_last_30m"] is None  # of nine attempts that succeeded


def test_without_any_there_are_headings_alone(empty_cli: CliRunner) -> None:
    done = empty_cli.run("status")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)
    assert json.loads(empty_cli.run("status", "--json").stdout) == []
