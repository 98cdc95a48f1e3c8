"""The server's own wall time, processor time, memory, and highest request rate."""

from __future__ import annotations

import asyncio
import base64
import io
import json
import re
import statistics
import time
import wave
from typing import TYPE_CHECKING

import numpy as np
from tests.sounds import RATE, sample

from benchmarks.measured_server import run_module
from benchmarks.scripted_server import MODEL
from benchmarks.table import Row, median_percentiles_s

if TYPE_CHECKING:
    from pathlib import Path

    from benchmarks.measured_server import MeasuredServer

PATH = "/api/v1/audio/transcriptions"
BODIES_MB = {0.1: 20, 1: 10, 10: 5, 25: 5}  # size of the JSON -> number of requests
RATES = (10, 20, 30, 40, 50, 60, 80, 100, 120)  # requests a second
RATE_S = 5.0  # duration of each rate in a round
ROUNDS = 3  # at each rate: other programs' load is not the server's
WAITING = 50  # simultaneous requests whose memory is measured
GOAL_P99_S = 0.03
SPAN = re.compile(r"(\w+);dur=([\d.]+)")
SOUND = sample()


async def rows(folder: Path) -> list[Row]:
    """Measure all rows. Takes about two minutes."""
    async with (
        run_module("naive_server") as naive,
        run_module("scripted_server", folder, 0) as ours,
    ):
        table = [await _body_row(ours, naive, size, times) for size, times in BODIES_MB.items()]
        table.append(await _rate_row(ours))
        table.append(await _body_memory_row(ours))
    async with run_module("scripted_server", folder / "delayed", 5) as delayed:
        table.append(await _waiting_memory_row(delayed))
    return table


async def _body_row(
    ours: MeasuredServer, naive: MeasuredServer, megabytes: float, times: int
) -> Row:
    """Measure one size of body: the server's own time, its parts, and the naive peer's time."""
    spans, own, peer = list[dict[str, float]](), list[float](), list[float]()
    await post(ours, request(megabytes, 0))
    used, naive_used = ours.processor_s(), naive.processor_s()
    for number in range(1, times + 1):
        body = request(megabytes, number)
        elapsed_s, timing = await post(ours, body)
        spans.append(timing)
        own.append(elapsed_s * 1e3 - timing["work"])
        peer.append((await post(naive, body))[0] * 1e3)
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
    highest, lines, first = 0, list[str](), 0
    for rate in RATES:
        rounds = list[list[float]]()
        for _ in range(ROUNDS):
            rounds.append(await _latencies(ours, rate, first))
            first += len(rounds[-1])
        p50, p99 = median_percentiles_s(rounds)
        lines.append(f"{rate}/s: p50 {p50 * 1e3:.0f}, p99 {p99 * 1e3:.0f} ms")
        if p99 > GOAL_P99_S:
            break
        highest = rate
    return Row(
        f"rate with p99 under {GOAL_P99_S * 1e3:.0f} ms, 1 s of sound",
        f"{highest} a second\n" + "\n".join(lines),
    )


async def _latencies(ours: MeasuredServer, rate: int, first: int) -> list[float]:
    """Return latencies of requests at a steady rate, sent whether or not others have finished."""
    bodies = [request(0.0427, first + number) for number in range(int(rate * RATE_S))]
    start_s, requests = time.perf_counter(), list[asyncio.Task[tuple[float, dict[str, float]]]]()
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, start_s + number / rate - time.perf_counter()))
        requests.append(asyncio.create_task(post(ours, body)))
    return [elapsed_s for elapsed_s, _ in await asyncio.gather(*requests)]


async def _body_memory_row(ours: MeasuredServer) -> Row:
    """Measure, from outside, how much the gateway grows while it reads one large body."""
    body = request(25, 999)
    before = peak = ours.process.memory_info().rss
    posting = asyncio.create_task(post(ours, body))
    while not posting.done():
        peak = max(peak, ours.process.memory_info().rss)
        await asyncio.sleep(0.001)
    return Row(
        "gateway's growth over a 25 MB body", f"{(peak - before) / 2**20:.2f} MiB", goal="1 MB"
    )


async def _waiting_memory_row(delayed: MeasuredServer) -> Row:
    """Measure the memory of requests that wait for their provider."""
    await post(delayed, request(1, 0))
    before = delayed.process.memory_info().rss
    posting = [asyncio.create_task(post(delayed, request(1, n + 1))) for n in range(WAITING)]
    peak = before
    while not all(task.done() for task in posting):
        peak = max(peak, delayed.process.memory_info().rss)
        await asyncio.sleep(0.01)
    each = (peak - before) / WAITING / 2**10
    return Row(f"gateway's memory for each of {WAITING} requests of 1 MB", f"{each:.0f} KiB")


def request(megabytes: float, number: int) -> bytes:
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


async def post(server: MeasuredServer, body: bytes) -> tuple[float, dict[str, float]]:
    """Return the wall time in seconds, and the server's timing in milliseconds."""
    start_s = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    response = await server.client.post(PATH, content=body, headers=headers)
    elapsed_s = time.perf_counter() - start_s
    if response.status_code != 200 or "error" in response.json():
        raise RuntimeError(f"{response.status_code}: {response.text[:300]}")
    timing = response.headers.get("server-timing", "")
    return elapsed_s, {name: float(value) for name, value in SPAN.findall(timing)}
