"""`voxgate usage`: the same sums as a table, divided by tabs, as JSON and as CSV."""

import asyncio
import csv
import json
import os
import pty
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from io import StringIO

import pytest

from tests.cli.command import CliRunner, isolated_cli
from tests.ledger.clock import clock
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import AnsweredBy, Generation, Outcome
from voxgate.ledger.ledger import Ledger

LEAP_DAY = datetime(2028, 2, 29, 23, tzinfo=UTC)
HOSTILE_APP = "\x1b[2J\tNo\n\x9b"
RANGE = ("--since", "2028-02-01", "--until", "2028-03-01")


@pytest.fixture(scope="module")
def cli(tmp_path_factory: pytest.TempPathFactory) -> Iterator[CliRunner]:
    """With a ledger of two days, two keys and two models, which no test changes."""
    with isolated_cli(tmp_path_factory.mktemp("usage"), installed=False) as runner:
        asyncio.run(fill(runner))
        yield runner


async def fill(cli: CliRunner) -> None:
    async with await Ledger.open(cli.folder / "home" / LEDGER_FILE) as ledger:
        for number, name in enumerate(("laptop", "=desk")):
            key, _ = await ledger.keys.create(name)
            with clock(LEAP_DAY + timedelta(hours=number)):
                model = ("openai/whisper-base", "acme/tiny")[number]
                await ledger.generations.begin(
                    Generation(name, key.hash, model, app_title=HOSTILE_APP)
                )
                outcome = Outcome(
                    200,
                    2000,
                    generation_time_ms=1800,
                    audio_samples=3600 * 16_000,
                    cost=Amount(6_000_000),
                    answered_by=AnsweredBy("Local", model),
                )
                await ledger.generations.finish(name, outcome)


def test_a_pipe_gets_columns_divided_by_tabs(cli: CliRunner) -> None:
    done = cli.run("usage", *RANGE)
    assert (done.returncode, done.stderr) == (0, "")
    heading, *rows = (line.split("\t") for line in done.stdout.splitlines())
    assert heading == ["day", "requests", "failed", "sound h", "dollars", "p50 s", "p99 s"]
    assert [row[:5] for row in rows] == [
        ["2028-02-29", "1", "0", "1.00", "0.0060"],
        ["2028-03-01", "1", "0", "1.00", "0.0060"],
    ]
    assert float(rows[0][5]) == pytest.approx(2, rel=0.05)


def test_a_callers_control_characters_are_escaped(cli: CliRunner) -> None:
    (heading, row) = cli.run("usage", "--by", "app", *RANGE).stdout.splitlines()
    assert len(row.split("\t")) == len(heading.split("\t"))
    assert row.split("\t")[0] == r"\x1b[2J\tNo\n\x9b"


@pytest.mark.parametrize("by", ["model", "key", "app"])
def test_a_terminal_gets_a_table_of_80_columns(cli: CliRunner, by: str) -> None:
    ours, theirs = pty.openpty()
    with os.fdopen(ours, "rb", buffering=0) as screen:
        done = cli.run("usage", "--by", by, *RANGE, stdout=theirs, COLUMNS="80")
        os.close(theirs)
        lines = screen.read(1 << 16).decode().splitlines()
    assert done.returncode == 0
    assert any("──" in line for line in lines)
    assert max(map(len, lines)) <= 80
    assert all(line.isprintable() for line in lines)
    assert ("all" in "".join(lines)) == (by != "app")  # one row is its own sum


def test_programs_get_json(cli: CliRunner) -> None:
    rows = json.loads(cli.run("usage", "--by", "key,model", "--json", *RANGE).stdout)
    assert [(row["key"], row["model"], row["audio_seconds"]) for row in rows] == sorted(
        [("laptop", "openai/whisper-base", 3600.0), ("=desk", "acme/tiny", 3600.0)],
        key=lambda row: next(each["api_key_hash"] for each in rows if each["key"] == row[0]),
    )
    assert rows[0]["real_time_factor"]["p50"] == pytest.approx(0.0005, rel=0.05)


def test_spreadsheets_get_csv(cli: CliRunner) -> None:
    text = cli.run("usage", "--by", "key", "--csv", *RANGE).stdout
    rows = list(csv.DictReader(StringIO(text, newline="")))
    assert {row["key"] for row in rows} == {"laptop", "'=desk"}
    assert {row["requests"] for row in rows} == {"1"}


def test_no_output_has_a_callers_control_characters(cli: CliRunner) -> None:
    by_app = ("usage", "--by", "app", *RANGE)
    text = cli.run(*by_app, "--csv").stdout
    assert all(line.isprintable() for line in text.splitlines())
    (row,) = csv.DictReader(StringIO(text, newline=""))
    assert row["app"] == r"\x1b[2J\tNo\n\x9b"
    text = cli.run(*by_app, "--json").stdout
    assert all(line.isprintable() for line in text.split("\n"))
    assert [each["app"] for each in json.loads(text)] == [HOSTILE_APP]  # as the caller has it


def test_nothing_was_used(cli: CliRunner) -> None:
    done = cli.run("usage", "--since", "2020-01-01", "--until", "2020-12-31")
    assert (done.returncode, len(done.stdout.splitlines())) == (0, 1)


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--by", "hour"), "more than 14 days"),
        (("--by", "minute"), "not by 'minute'"),
        (("--since", "29.11.2026"), "must be a day as 2026-11-29"),
        (("--since", "2026-11-29", "--until", "2026-11-28"), "Swap them"),
        (("--json", "--csv"), "exclude each other"),
    ],
)
def test_what_goes_wrong(cli: CliRunner, arguments: tuple[str, ...], says: str) -> None:
    done = cli.run("usage", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert says in done.stderr
