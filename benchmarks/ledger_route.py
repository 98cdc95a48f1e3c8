"""Requests a second through the whole server, and what of their processor time is the ledger's.

    python -m benchmarks.ledger_route

The provider is scripted, and each request is a recording of its own of half a second, and of a
whole one. In turns: without a ledger (keys, beginnings and ends are left out in that server's
process alone), with SQLite, and with PostgreSQL, which this starts and ends.
"""

from __future__ import annotations

import asyncio
import os
import platform
import statistics
import tempfile
import time
from collections import defaultdict
from contextlib import AsyncExitStack
from dataclasses import dataclass
from itertools import product
from pathlib import Path
from typing import TYPE_CHECKING

from tests.ledger import postgres

from benchmarks.measured_server import run_module
from benchmarks.scripted_server import NO_LEDGER
from benchmarks.server import post, request
from benchmarks.table import Row, show

if TYPE_CHECKING:
    from collections.abc import Iterable

    from benchmarks.measured_server import MeasuredServer

CALLERS = 16
ROUND_S = 5.0
ROUNDS = 6  # of which the first warms the servers up
MOST = 5000  # requests in a round: each has a number of its own
WITHOUT = "no ledger"
SOUNDS_S = (0.5, 1.0)
MEGABYTES_PER_S = 16_000 * 2 * 4 / 3 / 1e6  # of JSON with PCM in base64
GOALS = {"SQLite": 200, "PostgreSQL": 500}  # requests a second


@dataclass(frozen=True, slots=True)
class Round:
    """What one round showed."""

    rate: float
    """Requests a second."""

    gateway_ms: float
    """Processor time of the gateway's process for a request."""

    whole_ms: float
    """The same with the decoders' processes."""


async def measure(server: MeasuredServer, sound_s: float, first: int) -> Round:
    """Send requests from several callers, each of whom waits for its answer."""
    done, end_s = 0, time.perf_counter() + ROUND_S

    async def call(number: int) -> None:
        nonlocal done
        while time.perf_counter() < end_s:
            await post(server, request(sound_s * MEGABYTES_PER_S, number))
            done += 1
            number += CALLERS

    start_s, gateway_s, whole_s = _now(server)
    await asyncio.gather(*(call(first + number) for number in range(CALLERS)))
    wall_s, gateway_s, whole_s = (
        after - before
        for after, before in zip(_now(server), (start_s, gateway_s, whole_s), strict=True)
    )
    return Round(done / wall_s, gateway_s / done * 1e3, whole_s / done * 1e3)


def _now(server: MeasuredServer) -> tuple[float, float, float]:
    return time.perf_counter(), server.processor_s(), server.whole_processor_s()


def _row(name: str, sound_s: float, rounds: Iterable[Round]) -> Row:
    rates, gateway, whole = zip(
        *((each.rate, each.gateway_ms, each.whole_ms) for each in rounds), strict=True
    )
    rate, gateway_ms, whole_ms = map(statistics.median, (rates, gateway, whole))
    return Row(
        f"{sound_s:g} s of sound, {name}",
        f"{rate:.0f} a second ({min(rates):.0f} to {max(rates):.0f}); processor "
        f"{gateway_ms:.1f} ms in the gateway, {whole_ms:.1f} in all",
        goal=f"{GOALS[name]} a second" if name in GOALS else "",
    )


async def main() -> None:
    """Start the servers, measure them in turns, and print the figures."""
    print(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    programs = postgres.binaries()
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        urls = {WITHOUT: NO_LEDGER, "SQLite": ""}
        if programs:
            address = stack.enter_context(postgres.running(programs)).create()
            urls["PostgreSQL"] = address.url.render_as_string(hide_password=False)
        servers = {
            name: await stack.enter_async_context(
                run_module("scripted_server", folder / name, 0, *([url] if url else []))
            )
            for name, url in urls.items()
        }
        found = defaultdict[tuple[float, str], list[Round]](list)
        for number in range(ROUNDS):
            for sound_s, (name, server) in product(SOUNDS_S, servers.items()):
                found[sound_s, name].append(await measure(server, sound_s, number * MOST))
    show(_row(name, sound_s, rounds[1:]) for (sound_s, name), rounds in found.items())


if __name__ == "__main__":
    asyncio.run(main())
