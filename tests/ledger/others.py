"""Somebody else at the same file: another process with a ledger, or sqlite3 itself."""

from __future__ import annotations

import sqlite3
import subprocess
import sys
from contextlib import closing, contextmanager
from textwrap import dedent, indent
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

DEADLINE_S = 300.0  # tells slow from never: tests/processes.py

PROGRAM = """
import asyncio, sys
from pathlib import Path
from voxgate.errors import LedgerError
from voxgate.ledger.generations import RecordedAttempt, Generation
from voxgate.ledger.ledger import Ledger

async def main():
    path, arguments = Path(sys.argv[1]), sys.argv[2:]
    print("ready", flush=True)
    input()
    async with await Ledger.open(path) as ledger:
{body}

try:
    asyncio.run(main())
except LedgerError as error:
    print(error.sentence)
    sys.exit(1)
"""


@contextmanager
def process(
    body: str, path: Path, *arguments: str, before: Callable[[], None] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Another process that has imported everything, and opens the ledger when it is told to.

    `body` may use `ledger` and `arguments`. Whatever is left of it in the end is killed.
    """
    program = PROGRAM.format(body=indent(dedent(body).strip(), " " * 8))
    started = subprocess.Popen(
        [sys.executable, "-c", program, str(path), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=before,  # noqa: PLW1509 (the tests have no threads of their own)
    )
    with started:
        try:
            assert said(started) == "ready"
            yield started
        finally:
            started.kill()


def said(started: subprocess.Popen[str]) -> str:
    """Its next line."""
    assert started.stdout
    return started.stdout.readline().strip()


def go(started: subprocess.Popen[str]) -> None:
    """Tell it to open the ledger."""
    assert started.stdin
    started.stdin.write("\n")
    started.stdin.flush()


def run(
    body: str, path: Path, *arguments: str, before: Callable[[], None] | None = None
) -> tuple[int, str]:
    """Let another process do it to its end: exit code and what it said."""
    with process(body, path, *arguments, before=before) as started:
        out, _ = started.communicate("\n", timeout=DEADLINE_S)
        return started.returncode, out.strip()


def sql(path: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement, without any of our code."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()
