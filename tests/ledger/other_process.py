"""Other users of a ledger's file: another process with a `Ledger`, or sqlite3 itself."""

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

    from voxgate.ledger.address import Address

DEADLINE_S = 300.0  # long enough to tell slow from stuck: see tests/processes.py

PROGRAM = """
import asyncio, sys
from pathlib import Path
from voxgate.errors import LedgerError
from voxgate.ledger.address import Address
from voxgate.ledger.budget import Amount
from voxgate.ledger.generation import Generation, Outcome, RecordedAttempt
from voxgate.ledger.ledger import Ledger

async def main():
    where, arguments = sys.argv[1], sys.argv[2:]
    address = Address.of_server(where) if "://" in where else Path(where)
    print("ready", flush=True)
    input()
    async with await Ledger.open(address) as ledger:
{body}

try:
    asyncio.run(main())
except LedgerError as error:
    print(error.sentence)
    sys.exit(1)
"""


@contextmanager
def process(
    body: str, where: Path | Address, *arguments: str, preexec: Callable[[], None] | None = None
) -> Iterator[subprocess.Popen[str]]:
    """Start another process that has imported everything and waits for `open_ledger`.

    `body` may use `ledger` and `arguments`. The process is killed at the end if it still runs.
    """
    program = PROGRAM.format(body=indent(dedent(body).strip(), " " * 8))
    child = subprocess.Popen(
        [sys.executable, "-c", program, str(where), *arguments],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        preexec_fn=preexec,  # noqa: PLW1509 (these tests start no threads)
    )
    with child:
        try:
            assert read_line(child) == "ready"
            yield child
        finally:
            child.kill()


def read_line(child: subprocess.Popen[str]) -> str:
    """Return the next line of its output."""
    assert child.stdout
    return child.stdout.readline().strip()


def open_ledger(child: subprocess.Popen[str]) -> None:
    """Let the process open its ledger."""
    assert child.stdin
    child.stdin.write("\n")
    child.stdin.flush()


def run(
    body: str, where: Path | Address, *arguments: str, preexec: Callable[[], None] | None = None
) -> tuple[int, str]:
    """Run `body` in another process; return its exit code and its output."""
    with process(body, where, *arguments, preexec=preexec) as child:
        out, _ = child.communicate("\n", timeout=DEADLINE_S)
        return child.returncode, out.strip()


def sql(path: Path, statement: str, *parameters: object) -> list[tuple[Any, ...]]:
    """Run one statement with sqlite3 alone."""
    with closing(sqlite3.connect(path)) as connection, connection:
        return connection.execute(statement, parameters).fetchall()
