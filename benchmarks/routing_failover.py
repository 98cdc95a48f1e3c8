"""What routing costs a request, and how many answers are right where upstreams fail.

    make peers && python -m benchmarks.routing_failover

Four proxies stand before one scripted upstream, which answers after a fixed time. One request in
five has a fault, by a script that is the same for every contestant. Our server and LiteLLM's proxy,
each in a process of its own, have the four as endpoints of one model, and are measured in turn.
Ours reads the sound; LiteLLM's forwards it unread.
"""

from __future__ import annotations

import asyncio
import io
import os
import random
import statistics
import sys
import tempfile
import time
import wave
from collections import Counter
from contextlib import AsyncExitStack
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING

from tests.scripted import Scripted
from tests.sounds import RATE, sample
from tests.upstreams import faults
from tests.upstreams.proxy import FaultProxy, fault_proxy

from benchmarks.measured_server import MeasuredServer, free_port, run_module, run_program
from benchmarks.table import Row, show
from voxgate.pipeline.dispatch import Dispatcher
from voxgate.pipeline.endpoints import Endpoints
from voxgate.pipeline.route import Route, SharedProvider
from voxgate.prices import Price
from voxgate.routing.candidate import Candidate
from voxgate.routing.preferences import Preferences
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, Upstream

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from contextlib import AbstractAsyncContextManager
    from typing import TypeAlias

    import httpx2
    from tests.upstreams.proxy import Fault, Script

    Server: TypeAlias = AbstractAsyncContextManager[MeasuredServer]

PEERS = Path(__file__).parents[1] / ".venv" / "peers"
KEY = "sk-routing-failover"
MODEL = "somebody/whisper"
NAMES = ("alpha", "beta", "gamma", "delta")
DELAY_S = 0.1  # of every answer of the upstream
REQUESTS, AT_ONCE = 400, 8
FAULT_SHARE = 0.2
DISPATCHES = 5000
ALONE = 100  # requests one at a time

BY_STATUS: tuple[Fault, ...] = (faults.PAGE_WITH_502, faults.UNAVAILABLE, faults.GATEWAY_TIMEOUT)
BY_CONNECTION: tuple[Fault, ...] = (faults.reset, faults.half_a_body)
IN_A_SUCCESS: tuple[Fault, ...] = (faults.PAGE_WITH_200, faults.ERROR_WITH_200, faults.cut_json)
KINDS: dict[str, Sequence[Fault]] = {
    "no faults": (),
    "502, 503 and 504": BY_STATUS,
    "broken connections": BY_CONNECTION,
    "a page, an error and cut JSON with 200": IN_A_SUCCESS,
    "speech without a word": (faults.NO_WORDS,),
}

LITELLM_HEAD = "model_list:\n"
LITELLM_ENDPOINT = """\
  - model_name: {model}
    litellm_params: {{model: openai/whisper-1, api_base: "{url}/v1", api_key: none}}
    model_info: {{mode: audio_transcription}}
"""
LITELLM_END = f"""\
router_settings: {{num_retries: 3, routing_strategy: simple-shuffle, cooldown_time: 5}}
general_settings: {{master_key: {KEY}}}
"""
OURS_ENDPOINT = """\
[[providers]]
name = "{name}"
kind = "compatible"
url = "{url}/v1"

[[endpoints]]
model = "{model}"
provider = "{name}"
upstream_model = "whisper-1"
times = "none"
"""


async def cost_rows() -> list[Row]:
    """Measure the choice and the dispatch of one window, without any window."""
    endpoints = Endpoints(Settings())
    four = {each: _candidate(each) for each in map(_shared, NAMES)}

    async def attempt(_: SharedProvider, on_turn: Callable[[], None]) -> None:
        on_turn()
        await asyncio.sleep(0)

    async def routed() -> None:
        await Dispatcher(endpoints.choose(Preferences(), four)).dispatch(attempt)

    one = Route.to(Scripted())

    async def alone() -> None:
        await Dispatcher(one).dispatch(attempt)

    async def hedged() -> None:
        await Dispatcher(endpoints.choose(Preferences(hedge=True), four)).dispatch(attempt)

    cases = {"route of one": alone, "choice of four": routed, "choice of four, hedged": hedged}
    rows = []
    for name, function in cases.items():
        spent_us = list[float]()
        for _ in range(DISPATCHES):
            start = time.perf_counter()
            await function()
            spent_us.append((time.perf_counter() - start) * 1e6)
        parts = statistics.quantiles(spent_us, n=100)
        rows.append(Row(f"dispatch, {name}", f"{parts[49]:.0f} µs, p99 {parts[98]:.0f} µs"))
    return rows


def _shared(name: str) -> SharedProvider:
    upstream = Upstream(name, "compatible", f"http://{name}.example/v1")
    return SharedProvider.of(Scripted(), Endpoint(MODEL, upstream, "whisper-1"))


def _candidate(shared: SharedProvider) -> Candidate:
    price = Price(Decimal("0.006"), "minute")
    return Candidate(shared.slug, shared.upstream, MODEL, price)


async def failover_rows(folder: Path) -> list[Row]:
    """Measure both servers under each kind of fault."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(run_module("scripted_upstream", DELAY_S))
        target = str(upstream.client.base_url).rstrip("/")
        proxies = [await stack.enter_async_context(fault_proxy(target)) for _ in NAMES]
        ours = await stack.enter_async_context(_ours(folder, proxies))
        litellm = await stack.enter_async_context(_litellm(folder, proxies))
        rows = []
        for name, kinds in KINDS.items():
            figures = []
            for server, path in ((ours, "/api/v1"), (litellm, "/v1")):
                for number, proxy in enumerate(proxies):
                    proxy.script = _script(number, kinds)
                    proxy.faults.clear()
                figures.append(await _figure(server, f"{path}/audio/transcriptions"))
            rows.append(
                Row(f"{name}, of one request in five", figures[0], f"LiteLLM: {figures[1]}")
            )
        return [*rows, await _dead_row(ours, proxies)]


async def _dead_row(ours: MeasuredServer, proxies: Sequence[FaultProxy]) -> Row:
    """Measure requests one at a time with all upstreams, then with one that is dead."""
    for proxy in proxies:
        proxy.script = faults.always(None)
    await _medians(ours, ALONE)  # what rested before is asked again
    alive = await _medians(ours, ALONE)
    proxies[0].script = faults.always(faults.reset)
    await _medians(ours, ALONE)  # until its breaker is open
    dead = await _medians(ours, ALONE)
    return Row(
        "one at a time, one of four dead, its breaker open",
        f"{dead} (all alive: {alive})",
        goal="+5 ms in the median",
    )


async def _medians(server: MeasuredServer, requests: int) -> str:
    """Return the median time of so many requests, and how many answers are right."""
    path, spent_ms, right = "/api/v1/audio/transcriptions", list[float](), 0
    for number in range(requests):
        start = time.perf_counter()
        answer = await server.client.post(
            path, data={"model": MODEL}, files={"file": (f"{number}.wav", SOUND, "audio/wav")}
        )
        spent_ms.append((time.perf_counter() - start) * 1e3)
        right += _is_right(answer)
    return f"{statistics.median(spent_ms):.1f} ms, {right} of {requests} right"


def _script(seed: int, kinds: Sequence[Fault]) -> Script:
    chance = random.Random(seed)  # noqa: S311 (not a secret)

    def fault(_: int) -> Fault | None:
        return chance.choice(kinds) if kinds and chance.random() < FAULT_SHARE else None

    return fault


async def _figure(server: MeasuredServer, path: str) -> str:
    """Return how many answers are right, and what they take beyond the upstream's time."""
    places, added_ms, wrong = asyncio.Semaphore(AT_ONCE), list[float](), Counter[int]()

    async def one(number: int) -> None:
        async with places:
            start = time.perf_counter()
            answer = await server.client.post(
                path, data={"model": MODEL}, files={"file": (f"{number}.wav", SOUND, "audio/wav")}
            )
            elapsed_s = time.perf_counter() - start
        if not _is_right(answer):
            wrong[answer.status_code] += 1
        else:
            added_ms.append((elapsed_s - DELAY_S) * 1e3)

    used = server.whole_processor_s()
    await asyncio.gather(*map(one, range(REQUESTS)))
    used = (server.whole_processor_s() - used) / REQUESTS * 1e3
    parts = statistics.quantiles(added_ms, n=100)
    told = ", ".join(f"{count} with {status}" for status, count in wrong.most_common())
    return (
        f"{100 * len(added_ms) / REQUESTS:.1f} % right (wrong: {told or 'none'}); adds "
        f"{parts[49]:.0f} ms, p99 {parts[98]:.0f} ms; processor {used:.0f} ms"
    )


def _is_right(answer: httpx2.Response) -> bool:
    try:
        return answer.status_code == 200 and answer.json().get("text") == "The words."
    except ValueError:
        return False


def _ours(folder: Path, proxies: Sequence[FaultProxy]) -> Server:
    home, port = folder / "home", free_port()
    home.mkdir()
    tables = [
        OURS_ENDPOINT.format(name=name, url=f"http://127.0.0.1:{proxy.port}", model=MODEL)
        for name, proxy in zip(NAMES, proxies, strict=True)
    ]
    (home / "voxgate.toml").write_text("\n".join(tables), encoding="utf-8")
    return run_program(
        *(sys.executable, "-m", "voxgate", "serve", "--port", str(port)),
        port=port,
        key="none",
        ready="/api/v1/models",
        log=folder / "voxgate.log",
        environment={**os.environ, "VOXGATE_HOME": str(home), "VOXGATE_AUTH": "off"},
    )


def _litellm(folder: Path, proxies: Sequence[FaultProxy]) -> Server:
    config, port = folder / "litellm.yaml", free_port()
    listed = [
        LITELLM_ENDPOINT.format(model=MODEL, url=f"http://127.0.0.1:{proxy.port}")
        for proxy in proxies
    ]
    config.write_text("".join([LITELLM_HEAD, *listed, LITELLM_END]), encoding="utf-8")
    return run_program(
        *(str(PEERS / "litellm/bin/litellm"), "--config", str(config)),
        *("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"),
        port=port,
        key=KEY,
        ready="/health/liveliness",
        log=folder / "litellm.log",
        environment={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
    )


def _sound() -> bytes:
    file = io.BytesIO()
    with wave.open(file, "wb") as written:
        written.setnchannels(1)
        written.setsampwidth(2)
        written.setframerate(RATE)
        written.writeframes(sample()[: 2 * RATE].tobytes())
    return file.getvalue()


SOUND = _sound()


async def main() -> None:
    """Measure and print the rows."""
    rows = await cost_rows()
    with tempfile.TemporaryDirectory() as folder:
        rows += await failover_rows(Path(folder))
    show(rows)


if __name__ == "__main__":
    asyncio.run(main())
