"""The form route of this checkout beside another one's, in one run: what a change of a few ms did.

    git worktree add ../before COMMIT && python -m benchmarks.other_checkout ../before

Both servers run at once, on the same installed packages, and are asked in turns; each is the first
in every other turn. Runs one after another differ by more than such a change (docs/log.md).
"""

from __future__ import annotations

import argparse
import asyncio
import os
import statistics
import tempfile
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.form_route import DELAY_S, PATH, SOUND_S, Contestant, answer_s, make_form
from benchmarks.measured_server import run_module
from benchmarks.scripted_server import MODEL
from benchmarks.table import Row, show

HERE = Path(__file__).parents[1]
FIRST = 15  # turns that are not counted


@dataclass
class Checkout:
    """A server of a checkout, and what it added in each turn, in seconds."""

    name: str
    contestant: Contestant
    added_s: list[float] = field(default_factory=list)
    reading_s: list[float] = field(default_factory=list)  # of it

    def row(self) -> Row:
        """Return its figures: the median, and between which times half of the answers are."""
        low, median, high = (seconds * 1e3 for seconds in statistics.quantiles(self.added_s, n=4))
        return Row(
            f"form route, {SOUND_S} s of sound: {self.name}",
            f"adds {median:.1f} ms ({low:.1f} to {high:.1f}), "
            f"{statistics.median(self.reading_s) * 1e3:.1f} of it to read the sound",
        )


async def rows(other: Path, turns: int) -> list[Row]:
    """Ask both. Takes a minute for 200 turns."""
    async with AsyncExitStack() as stack:
        both = list[Checkout]()
        for name, root in (("this checkout", HERE), (str(other), other)):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            paths = {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
            server = await stack.enter_async_context(
                run_module("scripted_server", folder, DELAY_S, root=root, environment=paths)
            )
            both.append(Checkout(name, Contestant(name, server, MODEL, PATH)))
        for turn in range(FIRST + turns):
            for each in both if turn % 2 else reversed(both):
                elapsed_s, work_s = await answer_s(
                    each.contestant, make_form(each.contestant, turn)
                )
                assert work_s is not None  # each of our servers says it
                if turn >= FIRST:
                    each.added_s.append(elapsed_s - DELAY_S)
                    each.reading_s.append(work_s - DELAY_S)
        return [each.row() for each in both]


def main() -> None:
    """Print the table."""
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks.other_checkout",
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument("other", type=Path, help="the folder of the other checkout")
    parser.add_argument("--turns", type=int, default=200, help="at least 2 (default: 200)")
    arguments = parser.parse_args()
    other: Path = arguments.other.resolve()
    if not (other / "benchmarks" / "scripted_server.py").is_file():
        parser.error(f"{other} is no checkout: it has no benchmarks/scripted_server.py")
    if arguments.turns < 2:
        parser.error("--turns must be at least 2: half of the answers lie between two")
    show(asyncio.run(rows(other, arguments.turns)))


if __name__ == "__main__":
    main()
