"""The form route beside other servers: what each adds to an answer that takes a fixed time.

    make peers && python -m benchmarks.form_route

LiteLLM's proxy forwards the recording, unread, to a scripted upstream. open-asr-server, a FastAPI
server for local engines, runs a scripted engine in a thread: once it only waits, and once it reads
the sound and looks for speech in it before, by faster-whisper. Ours decodes the sound in a confined
process, detects speech, and gives the window to a scripted provider in its own process: it has no
call to another server, which LiteLLM's has, and reads the sound, which LiteLLM's does not.

All servers run at once, on as many cores as there are, and are measured in turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import io
import itertools
import os
import statistics
import tempfile
import time
import wave
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from tests.sounds import RATE as SAMPLE_RATE
from tests.sounds import sample

from benchmarks.measured_server import MeasuredServer, free_port, run_module, run_program
from benchmarks.scripted_server import MODEL
from benchmarks.server import SPAN
from benchmarks.table import Row, median_percentiles_s, show

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    import httpx2

PEERS = Path(__file__).parents[1] / ".venv" / "peers"
KEY = "sk-form-route"
DELAY_S = 0.1  # of every answer
SOUND_S = 10
RATE = 10  # requests a second
PACED_S = 5.0  # of each server in a round
CALLERS = 16  # at once, for the highest rate
SATURATED_S = 5.0
ROUNDS = 5
ALONE = 20  # requests one after another, in a round
PATH = "/api/v1/audio/transcriptions"  # of our servers
BOUNDARY = "form-route"
SOUND = np.resize(sample(), SOUND_S * SAMPLE_RATE)
LITELLM = """\
model_list:
  - model_name: scripted
    litellm_params:
      model: openai/whisper-1
      api_base: {upstream}/v1
      api_key: none
    model_info:
      mode: audio_transcription
general_settings:
  master_key: {key}
"""


@dataclass
class Contestant:
    """A server, and what was measured of it in each round."""

    name: str
    server: MeasuredServer
    model: str
    path: str = "/v1/audio/transcriptions"
    alone_s: list[list[float]] = field(default_factory=list)  # added, one after another
    added_s: list[list[float]] = field(default_factory=list)  # beyond the answer's own time
    work_s: list[float] = field(default_factory=list)  # of it to read the sound, where it says so
    per_second: list[float] = field(default_factory=list)
    processor_ms: list[float] = field(default_factory=list)  # a request, at the steady rate

    def row(self) -> Row:
        """Return its figures: medians over the rounds."""
        alone, _ = median_percentiles_s(self.alone_s)
        p50, p99 = median_percentiles_s(self.added_s)
        reading = ""
        if self.work_s:
            reading = f" ({statistics.median(self.work_s) * 1e3:.0f} of it to read the sound)"
        return Row(
            f"form route, {SOUND_S} s of sound: {self.name}",
            f"adds {alone * 1e3:.0f} ms{reading}\n"
            f"{RATE} a second: {p50 * 1e3:.0f} ms, p99 {p99 * 1e3:.0f}\n"
            f"{statistics.median(self.per_second):.0f} requests a second by {CALLERS} callers\n"
            f"processor {statistics.median(self.processor_ms):.0f} ms a request",
        )


async def rows(folder: Path) -> list[Row]:
    """Measure all rows. Takes six minutes. None where the peers are not installed."""
    stamps = [PEERS / name / "installed" for name in ("litellm", "open_asr")]
    if not all(stamp.exists() for stamp in stamps):
        return [Row("form route beside other servers", "not measured: run `make peers` first")]
    numbers, before = itertools.count(), os.getloadavg()[0]
    async with _run_all(folder) as contestants:
        for each in contestants:  # start everything
            await asyncio.gather(
                *[answer_s(each, make_form(each, next(numbers))) for _ in range(20)]
            )
        for turn in range(ROUNDS):
            first = turn % len(contestants)
            for each in contestants[first:] + contestants[:first]:
                await _ask_alone(each, numbers)
                await _pace(each, numbers)
                await _saturate(each, numbers)
    load = f"{before:.1f} before, {os.getloadavg()[0]:.1f} after"
    return [*(each.row() for each in contestants), Row("the machine's load", load)]


async def _ask_alone(contestant: Contestant, numbers: Iterator[int]) -> None:
    """Send requests one after another: what the server takes where nothing else waits."""
    answers = [
        await answer_s(contestant, make_form(contestant, next(numbers))) for _ in range(ALONE)
    ]
    contestant.alone_s.append([elapsed_s - DELAY_S for elapsed_s, _ in answers])
    contestant.work_s += [work_s - DELAY_S for _, work_s in answers if work_s is not None]


async def _pace(contestant: Contestant, numbers: Iterator[int]) -> None:
    """Send requests at a steady rate, whether or not others have finished."""
    forms = [make_form(contestant, next(numbers)) for _ in range(int(RATE * PACED_S))]
    used, start_s = contestant.server.whole_processor_s(), time.perf_counter()
    requests = list[asyncio.Task[tuple[float, float | None]]]()
    for number, form in enumerate(forms):
        await asyncio.sleep(max(0.0, start_s + number / RATE - time.perf_counter()))
        requests.append(asyncio.create_task(answer_s(contestant, form)))
    answers = await asyncio.gather(*requests)
    contestant.added_s.append([elapsed_s - DELAY_S for elapsed_s, _ in answers])
    await asyncio.sleep(0.2)  # processes that ended count when they are reaped
    spent_s = contestant.server.whole_processor_s() - used
    contestant.processor_ms.append(spent_s / len(answers) * 1e3)


async def _saturate(contestant: Contestant, numbers: Iterator[int]) -> None:
    """Send requests as fast as some callers can, each after its last answer."""
    forms = [make_form(contestant, next(numbers)) for _ in range(CALLERS)]
    start_s, answers = time.perf_counter(), 0

    async def call(form: bytes) -> None:
        nonlocal answers
        while time.perf_counter() - start_s < SATURATED_S:
            await answer_s(contestant, form)
            answers += 1

    await asyncio.gather(*map(call, forms))
    contestant.per_second.append(answers / (time.perf_counter() - start_s))


async def answer_s(contestant: Contestant, form: bytes) -> tuple[float, float | None]:
    """Return the time to the answer, and the `work` of it that the server itself reports."""
    start_s = time.perf_counter()
    headers = {"Content-Type": f"multipart/form-data; boundary={BOUNDARY}"}
    client: httpx2.AsyncClient = contestant.server.client
    response = await client.post(contestant.path, content=form, headers=headers)
    elapsed_s = time.perf_counter() - start_s
    if response.status_code != 200 or not response.json()["text"]:
        raise RuntimeError(f"{contestant.name}, {response.status_code}: {response.text[:300]}")
    spans = dict(SPAN.findall(response.headers.get("server-timing", "")))
    return elapsed_s, float(spans["work"]) / 1e3 if "work" in spans else None


def make_form(contestant: Contestant, number: int) -> bytes:
    """Return a form with the sound. The number makes it different from others."""
    sound = SOUND.copy()
    sound[0] = number % 2**15
    file = io.BytesIO()
    with wave.open(file, "wb") as wav:
        wav.setnchannels(1)
        wav.setsampwidth(2)
        wav.setframerate(SAMPLE_RATE)
        wav.writeframes(sound.tobytes())
    head = "--{0}\r\nContent-Disposition: form-data; name={1}\r\n{2}\r\n"
    model = head.format(BOUNDARY, '"model"', "") + f"{contestant.model}\r\n"
    sent = head.format(BOUNDARY, '"file"; filename="a.wav"', "Content-Type: audio/wav\r\n")
    return model.encode() + sent.encode() + file.getvalue() + f"\r\n--{BOUNDARY}--\r\n".encode()


@contextlib.asynccontextmanager
async def _run_all(folder: Path) -> AsyncIterator[list[Contestant]]:
    """Run all servers."""
    async with AsyncExitStack() as stack:
        upstream = await stack.enter_async_context(run_module("scripted_upstream", DELAY_S))
        ours = await stack.enter_async_context(
            run_module("scripted_server", folder / "ours", DELAY_S)
        )
        config = folder / "litellm.yaml"
        address = str(upstream.client.base_url).rstrip("/")
        config.write_text(LITELLM.format(upstream=address, key=KEY), encoding="utf-8")
        port = free_port()
        litellm = await stack.enter_async_context(
            run_program(
                *(str(PEERS / "litellm/bin/litellm"), "--config", str(config)),
                *("--host", "127.0.0.1", "--port", str(port), "--telemetry", "False"),
                port=port,
                key=KEY,
                ready="/health/liveliness",
                log=folder / "litellm.log",
                environment={**os.environ, "LITELLM_LOCAL_MODEL_COST_MAP": "True"},
            )
        )
        waiting, reading = [
            await stack.enter_async_context(_open_asr(folder, reads)) for reads in ("0", "1")
        ]
        yield [
            Contestant("Voxgate", ours, MODEL, PATH),
            Contestant("LiteLLM's proxy, which forwards it", litellm, "scripted"),
            Contestant("open-asr-server, which only waits", waiting, "scripted"),
            Contestant("open-asr-server with faster-whisper's reading", reading, "scripted"),
            Contestant("the scripted upstream itself", upstream, "scripted"),
        ]


def _open_asr(folder: Path, reads: str) -> contextlib.AbstractAsyncContextManager[MeasuredServer]:
    port = free_port()
    script = Path(__file__).parent / "peers" / "open_asr.py"
    return run_program(
        *(str(PEERS / "open_asr/bin/python"), str(script), str(port), str(DELAY_S), reads),
        port=port,
        key=KEY,
        ready="/v1/models",
        log=folder / f"open_asr{reads}.log",
        environment={**os.environ, "OPEN_ASR_SERVER_API_KEY": KEY},
    )


async def main() -> None:
    """Measure and print the rows."""
    with tempfile.TemporaryDirectory() as folder:
        show(await rows(Path(folder)))


if __name__ == "__main__":
    asyncio.run(main())
