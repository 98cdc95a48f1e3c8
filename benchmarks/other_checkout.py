"""The form route of this checkout beside another one's, in one run: what a change of a few ms did.

    git worktree add ../before COMMIT && python -m benchmarks.other_checkout ../before [TURNS]

Both servers run at once, on the same installed packages, and are asked in turns; each is the first
in every other turn. Runs one after another differ by more than such a change (docs/log.md).
"""

from __future__ import annotations

import asyncio
import os
import statistics
import sys
import tempfile
from contextlib import AsyncExitStack
from pathlib import Path

from benchmarks.form_route import DELAY_S, SOUND_S, Contestant, answer_s, make_form
from benchmarks.measured_server import run_module
from benchmarks.scripted_server import MODEL
from benchmarks.table import Row, show

HERE = Path(__file__).parents[1]
TURNS = 200
FIRST = 15  # that are not counted


async def rows(other: Path, turns: int) -> list[Row]:
    """Ask both. Takes a minute for 200 turns."""
    async with AsyncExitStack() as stack:
        both = list[Contestant]()
        for name, root in (("this checkout", HERE), (str(other), other)):
            folder = stack.enter_context(tempfile.TemporaryDirectory())
            paths = {"PYTHONPATH": f"{root / 'src'}{os.pathsep}{root}"}
            server = await stack.enter_async_context(
                run_module("scripted_server", folder, DELAY_S, root=root, environment=paths)
            )
            both.append(Contestant(name, server, MODEL, "/api/v1/audio/transcriptions"))
        for turn in range(FIRST + turns):
            for each in both if turn % 2 else reversed(both):
                elapsed_s, work_s = await answer_s(each, make_form(each, turn))
                if turn >= FIRST and work_s is not None:
                    each.alone_s.append([elapsed_s - DELAY_S])
                    each.work_s.append(work_s - DELAY_S)
        return [_row(each) for each in both]


def _row(contestant: Contestant) -> Row:
    added = [elapsed_s for (elapsed_s,) in contestant.alone_s]
    low, median, high = (seconds * 1e3 for seconds in statistics.quantiles(added, n=4))
    return Row(
        f"form route, {SOUND_S} s of sound: {contestant.name}",
        f"adds {median:.1f} ms ({low:.1f} to {high:.1f}), "
        f"{statistics.median(contestant.work_s) * 1e3:.1f} of it to read the sound",
    )


def main() -> None:
    """Print the table."""
    if len(sys.argv) < 2 or not (Path(sys.argv[1]) / "benchmarks").is_dir():
        sys.exit(__doc__)
    turns = int(sys.argv[2]) if len(sys.argv) > 2 else TURNS
    show(asyncio.run(rows(Path(sys.argv[1]).resolve(), turns)))


if __name__ == "__main__":
    main()
