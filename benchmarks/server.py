"""The server's own wall time, processor time, memory, and highest request rate."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import statistics
import sys
import time
import wave
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import httpx2
import numpy as np
import psutil
from tests.sounds import RATE, sample

from benchmarks.scripted_server import MODEL
from benchmarks.table import Row

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

PATH = "/api/v1/audio/transcriptions"
BODIES_MB = {0.1: 20, 1: 10, 10: 5, 25: 5}  # size of the JSON -> number of requests
RATES = (10, 20, 30, 40, 50, 60, 80, 100, 120)  # requests a second
RATE_S = 5.0  # duration of each rate
WAITING = 50  # simultaneous requests whose memory is measured
GOAL_P99_S = 0.05
SPAN = re.compile(r"(\w+);dur=([\d.]+)")
SOUND = sample()


@dataclass(frozen=True)
class MeasuredServer:
    """A server in its own process."""

    process: psutil.Process
    client: httpx2.AsyncClient

    def processor_s(self) -> float:
        """Return the processor time of the gateway's process, without its children."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


async def rows(folder: Path) -> list[Row]:
    """Measure all rows. Takes about two minutes."""
    async with (
        _run_server("naive_server") as naive,
        _run_server("scripted_server", folder, 0) as ours,
    ):
        table = [await _body_row(ours, naive, size, times) for size, times in BODIES_MB.items()]
        table.append(await _rate_row(ours))
        table.append(await _body_memory_row(ours))
    async with _run_server("scripted_server", folder / "delayed", 5) as delayed:
        table.append(await _waiting_memory_row(delayed))
    return table


async def _body_row(
    ours: MeasuredServer, naive: MeasuredServer, megabytes: float, times: int
) -> Row:
    """Measure one size of body: the server's own time, its parts, and the naive peer's time."""
    spans, own, peer = list[dict[str, float]](), list[float](), list[float]()
    await _post(ours, _request(megabytes, 0))
    used, naive_used = ours.processor_s(), naive.processor_s()
    for number in range(1, times + 1):
        body = _request(megabytes, number)
        elapsed_s, timing = await _post(ours, body)
        spans.append(timing)
        own.append(elapsed_s * 1e3 - timing["work"])
        peer.append((await _post(naive, body))[0] * 1e3)
    parts = {name: statistics.median(span[name] for span in spans) for name in spans[0]}
    shown = ", ".join(f"{name} {milliseconds:.1f}" for name, milliseconds in parts.items())
    spent = (ours.processor_s() - used) / times * 1e3
    naive_spent = (naive.processor_s() - naive_used) / times * 1e3
    return Row(
        f"server's own time, {megabytes:g} MB of JSON",
        f"{statistics.median(own):.1f} ms; processor {spent:.1f} ms\n({shown})",
        f"json.loads + b64decode, no sound: {statistics.median(peer):.1f} ms; "
        f"processor {naive_spent:.1f} ms",
    )


async def _rate_row(ours: MeasuredServer) -> Row:
    """Find the highest rate whose 99th percentile is under the goal. Stops at the first failure."""
    highest, lines = 0, list[str]()
    for rate in RATES:
        elapsed_s = await _latencies(ours, rate)
        p99 = statistics.quantiles(elapsed_s, n=100)[98]
        lines.append(
            f"{rate}/s: p50 {statistics.median(elapsed_s) * 1e3:.0f}, p99 {p99 * 1e3:.0f} ms"
        )
        if p99 > GOAL_P99_S:
            break
        highest = rate
    return Row(
        "rate with p99 under 50 ms, 1 s of sound", f"{highest} a second\n" + "\n".join(lines)
    )


async def _latencies(ours: MeasuredServer, rate: int) -> list[float]:
    """Return latencies of requests at a steady rate, sent whether or not others have finished."""
    bodies = [_request(0.0427, rate * 100 + number) for number in range(int(rate * RATE_S))]
    start_s, requests = time.perf_counter(), list[asyncio.Task[tuple[float, dict[str, float]]]]()
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, start_s + number / rate - time.perf_counter()))
        requests.append(asyncio.create_task(_post(ours, body)))
    return [elapsed_s for elapsed_s, _ in await asyncio.gather(*requests)]


async def _body_memory_row(ours: MeasuredServer) -> Row:
    """Measure, from outside, how much the gateway grows while it reads one large body."""
    body = _request(25, 999)
    before = peak = ours.process.memory_info().rss
    posting = asyncio.create_task(_post(ours, body))
    while not posting.done():
        peak = max(peak, ours.process.memory_info().rss)
        await asyncio.sleep(0.001)
    return Row(
        "gateway's growth over a 25 MB body", f"{(peak - before) / 2**20:.2f} MiB", goal="1 MB"
    )


async def _waiting_memory_row(delayed: MeasuredServer) -> Row:
    """Measure the memory of requests that wait for their provider."""
    await _post(delayed, _request(1, 0))
    before = delayed.process.memory_info().rss
    posting = [asyncio.create_task(_post(delayed, _request(1, n + 1))) for n in range(WAITING)]
    peak = before
    while not all(task.done() for task in posting):
        peak = max(peak, delayed.process.memory_info().rss)
        await asyncio.sleep(0.01)
    each = (peak - before) / WAITING / 2**10
    return Row(f"gateway's memory for each of {WAITING} requests of 1 MB", f"{each:.0f} KiB")


def _request(megabytes: float, number: int) -> bytes:
    """Return JSON of about this size. The number makes the request different from others."""
    sound = np.resize(SOUND, int(megabytes * 1e6 * 3 / 4 / 2))
    sound[0] = number % 2**15
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(RATE)
        wav.writeframes(sound.tobytes())
    data = base64.b64encode(file.getvalue()).decode()
    return json.dumps({"model": MODEL, "input_audio": {"data": data, "format": "wav"}}).encode()


async def _post(server: MeasuredServer, body: bytes) -> tuple[float, dict[str, float]]:
    """Return the wall time in seconds, and the server's timing in milliseconds."""
    start_s = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    response = await server.client.post(PATH, content=body, headers=headers)
    elapsed_s = time.perf_counter() - start_s
    if response.status_code != 200 or "error" in response.json():
        raise RuntimeError(f"{response.status_code}: {response.text[:300]}")
    timing = response.headers.get("server-timing", "")
    return elapsed_s, {name: float(value) for name, value in SPAN.findall(timing)}


@asynccontextmanager
async def _run_server(module: str, *arguments: object) -> AsyncIterator[MeasuredServer]:
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", f"benchmarks.{module}", *map(str, arguments)),
        stdout=asyncio.subprocess.PIPE,
    )
    try:
        assert process.stdout is not None
        url, key = (await process.stdout.readline()).decode().split()
        headers = {"Authorization": f"Bearer {key}"}
        async with httpx2.AsyncClient(
            base_url=url,
            headers=headers,
            timeout=120,
            limits=httpx2.Limits(max_connections=200, max_keepalive_connections=200),
            transport=httpx2.AsyncHTTPTransport(retries=5),  # it may not listen yet
        ) as client:
            yield MeasuredServer(psutil.Process(process.pid), client)
    finally:
        process.terminate()
        await process.wait()
