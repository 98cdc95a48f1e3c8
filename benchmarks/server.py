"""What the server costs by itself: wall time, processor time, memory, and the rate it holds."""

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
BODIES_MB = {0.1: 20, 1: 10, 10: 5, 25: 5}  # size of the JSON -> how often
RATES = (10, 20, 30, 40, 50, 60, 80, 100, 120)  # requests a second
RATE_S = 5.0  # how long each is held
HELD = 50  # requests at once, for their memory
GOAL_P99_S = 0.05
SPAN = re.compile(r"(\w+);dur=([\d.]+)")
SOUND = sample()


@dataclass(frozen=True)
class Subject:
    """A server in a process of its own."""

    process: psutil.Process
    client: httpx2.AsyncClient

    def processor_s(self) -> float:
        """What the gateway's process has used, its children apart."""
        used = self.process.cpu_times()
        return float(used.user + used.system)


async def rows(folder: Path) -> list[Row]:
    """All rows, about two minutes long."""
    async with _subject("naive_server") as naive, _subject("scripted_server", folder, 0) as ours:
        found = [await _body(ours, naive, size, times) for size, times in BODIES_MB.items()]
        found.append(await _rate(ours))
        found.append(await _reading(ours))
    async with _subject("scripted_server", folder / "holding", 5) as holding:
        found.append(await _memory(holding))
    return found


async def _body(ours: Subject, naive: Subject, megabytes: float, times: int) -> Row:
    """One size of body: our own time, its parts, and the naive peer's whole time."""
    spans, own, peer = list[dict[str, float]](), list[float](), list[float]()
    await _post(ours, _request(megabytes, 0))
    used, naive_used = ours.processor_s(), naive.processor_s()
    for number in range(1, times + 1):
        body = _request(megabytes, number)
        took, timing = await _post(ours, body)
        spans.append(timing)
        own.append(took * 1e3 - timing["work"])
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


async def _rate(ours: Subject) -> Row:
    """The highest rate whose 99th percentile stays under the goal, up to the first that fails."""
    held, seen = 0, list[str]()
    for rate in RATES:
        took = await _at(ours, rate)
        p99 = statistics.quantiles(took, n=100)[98]
        seen.append(f"{rate}/s: p50 {statistics.median(took) * 1e3:.0f}, p99 {p99 * 1e3:.0f} ms")
        if p99 > GOAL_P99_S:
            break
        held = rate
    return Row("rate with p99 under 50 ms, 1 s of sound", f"{held} a second\n" + "\n".join(seen))


async def _at(ours: Subject, rate: int) -> list[float]:
    """Latencies of requests that are sent at a steady rate, whether or not others are answered."""
    bodies = [_request(0.0427, rate * 100 + number) for number in range(int(rate * RATE_S))]
    began, sent = time.perf_counter(), list[asyncio.Task[tuple[float, dict[str, float]]]]()
    for number, body in enumerate(bodies):
        await asyncio.sleep(max(0.0, began + number / rate - time.perf_counter()))
        sent.append(asyncio.create_task(_post(ours, body)))
    return [took for took, _ in await asyncio.gather(*sent)]


async def _reading(ours: Subject) -> Row:
    """How much the gateway grows while one large body is read, seen from outside."""
    body = _request(25, 999)
    before = most = ours.process.memory_info().rss
    posting = asyncio.create_task(_post(ours, body))
    while not posting.done():
        most = max(most, ours.process.memory_info().rss)
        await asyncio.sleep(0.001)
    return Row(
        "gateway's growth over a 25 MB body", f"{(most - before) / 2**20:.2f} MiB", goal="1 MB"
    )


async def _memory(holding: Subject) -> Row:
    """Memory of requests that wait for their provider."""
    await _post(holding, _request(1, 0))
    before = holding.process.memory_info().rss
    posting = [asyncio.create_task(_post(holding, _request(1, n + 1))) for n in range(HELD)]
    most = before
    while not all(task.done() for task in posting):
        most = max(most, holding.process.memory_info().rss)
        await asyncio.sleep(0.01)
    each = (most - before) / HELD / 2**10
    return Row(f"gateway's memory for each of {HELD} requests of 1 MB", f"{each:.0f} KiB")


def _request(megabytes: float, number: int) -> bytes:
    """JSON of about this size; the number makes it a request of its own."""
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


async def _post(subject: Subject, body: bytes) -> tuple[float, dict[str, float]]:
    """Wall time in seconds, and the request's own spans in milliseconds."""
    began = time.perf_counter()
    headers = {"Content-Type": "application/json"}
    answer = await subject.client.post(PATH, content=body, headers=headers)
    took = time.perf_counter() - began
    if answer.status_code != 200 or "error" in answer.json():
        raise RuntimeError(f"{answer.status_code}: {answer.text[:300]}")
    timing = answer.headers.get("server-timing", "")
    return took, {name: float(value) for name, value in SPAN.findall(timing)}


@asynccontextmanager
async def _subject(module: str, *arguments: object) -> AsyncIterator[Subject]:
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
            transport=httpx2.AsyncHTTPTransport(retries=5),  # it may not listen quite yet
        ) as client:
            yield Subject(psutil.Process(process.pid), client)
    finally:
        process.terminate()
        await process.wait()
