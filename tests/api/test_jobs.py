"""Jobs outlive connections: reposts, limits, disconnects, shutdown, `Retry-After`."""

from __future__ import annotations

import asyncio
import json
import time
from typing import TYPE_CHECKING

import httpx2
import pytest

from tests.api.serving import (
    FILE,
    Gate,
    error_of,
    post_and_disconnect,
    recording,
    send_partial,
    serving,
    spool_files,
)
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from voxgate import errors
from voxgate.api import jobs
from voxgate.api.jobs import LONGEST_S, UNKNOWN_S, CompletionRate, Jobs
from voxgate.api.transcript_job import TranscriptJob
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.trace import Trace
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.transcript.values import Transcript


async def test_a_repost_joins_the_job_that_its_first_caller_left(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, concurrency=2, times="word")
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)
        again = asyncio.create_task(server.post(recording()))
        other = asyncio.create_task(server.post(recording(response_format="srt")))
        form = server.client.post(
            "/audio/transcriptions", data={"model": "scripted/one"}, files=FILE
        )
        of_form = asyncio.create_task(form)
        await until(lambda: provider.running == 2, "the form's own job: its recording has a name")
        gate.open.set()
        answers = await asyncio.gather(again, other, of_form)
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert len(provider.windows) == 2
        ids = [answer.headers["x-generation-id"] for answer in answers]
        assert ids[0] == ids[1] != ids[2]


async def test_an_undelivered_result_is_kept_for_the_repost(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)
        gate.open.set()
        await until(lambda: provider.running == 0, "the work's end")
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 1
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 2  # a delivered result is forgotten


async def test_a_job_without_callers_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LINGER_S", 0.2)
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)
        await until(lambda: provider.running == 0, "the cancelling")
        gate.open.set()
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 2


async def test_jobs_are_limited(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, concurrency=4)
    async with serving(tmp_path, provider, max_flights=2, max_flights_per_key=1) as server:
        first = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the provider's work")
        refused = await server.post(recording(language="de"))
        assert refused.status_code == 429
        assert error_of(refused)["metadata"]["error_type"] == "rate_limit_exceeded"
        assert int(refused.headers["retry-after"]) > 0
        gate.open.set()
        assert (await first).status_code == 200
        assert (await server.post(recording(language="de"))).status_code == 200


async def test_another_key_always_gets_a_job(tmp_path: Path) -> None:
    """One key alone may have half of all jobs, two keys a third each: the rest is for others."""
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider, max_flights=12) as server:
        async with await Ledger.open(server.settings.home / "ledger.sqlite3") as ledger:
            secrets = [(await ledger.keys.create(name))[1] for name in ("second", "third")]
        work = list[asyncio.Task[httpx2.Response]]()

        async def fill(secret: str, taken: int) -> None:
            """Send 20 recordings of a key; all but `taken` are refused at once."""
            headers = {"Authorization": f"Bearer {secret}"}
            tasks = [
                asyncio.create_task(
                    server.client.post(
                        "/audio/transcriptions",
                        data={"model": "scripted/one"},
                        files={"file": (f"{number}.flac", SAMPLE.read_bytes(), "audio/flac")},
                        headers=headers,
                    )
                )
                for number in range(20)
            ]
            work.extend(tasks)
            await until(lambda: sum(task.done() for task in tasks) == 20 - taken, "refusals")

        for secret, taken in zip((server.key, *secrets), (6, 3, 2), strict=True):
            await fill(secret, taken)
        gate.open.set()
        answers = await asyncio.gather(*work)
        refused = [answer for answer in answers if answer.status_code != 200]
        assert len(refused) == 60 - (6 + 3 + 2)
        for answer in refused:
            assert answer.status_code == 429
            assert error_of(answer)["metadata"]["code"] == "rate_limit_exceeded"
            assert "of this key" in error_of(answer)["message"]
            assert int(answer.headers["retry-after"]) > 0


async def test_a_model_that_cannot_be_loaded_is_refused_before_any_work(tmp_path: Path) -> None:
    too_large = errors.EngineStartError("It takes more than there is.", code="model_too_large")
    loading = errors.BusyError("It is being loaded.", retry_after_s=7, code="model_loading")
    provider = Scripted(refusals=[too_large, loading])
    async with serving(tmp_path, provider) as server:
        refused = await server.post(recording())
        assert refused.status_code == 404  # clients repeat a 5xx for an hour
        assert error_of(refused)["metadata"]["code"] == "model_too_large"
        refused = await server.post(recording())
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "7"
        assert spool_files(server) == 0
        assert (await server.post(recording())).status_code == 200


@pytest.mark.parametrize(("wait_s", "header"), [(0.2, "1"), (7.2, "8"), (None, "1")])
async def test_a_limited_provider_elsewhere_says_when_to_come_again(
    tmp_path: Path, wait_s: float | None, header: str
) -> None:
    limited = errors.UpstreamError("It takes no more.", wait_s, code="upstream_rate_limited")
    async with serving(tmp_path, Scripted(refusals=[limited])) as server:
        refused = await server.post(recording())
        assert (refused.status_code, refused.headers["retry-after"]) == (503, header)


async def test_a_repost_joins_its_job_though_the_model_is_refused_now(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await post_and_disconnect(server, recording(), provider)
        provider.refusals.append(errors.BusyError("It is being loaded.", code="model_loading"))
        again = asyncio.create_task(server.post(recording()))
        await asyncio.sleep(0)
        gate.open.set()
        assert (await again).status_code == 200
        assert len(provider.windows) == 1


async def test_a_repost_is_accepted_at_the_limit(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider, max_flights_per_key=1) as server:
        await post_and_disconnect(server, recording(), provider)
        other = await server.post(recording(language="de"))
        assert other.status_code == 429
        before, body = spool_files(server), json.dumps(recording()).encode()
        reader, writer = await send_partial(server, body[:-9], len(body))
        await until(lambda: spool_files(server) > before, "the repost's first bytes")
        writer.write(body[-9:])
        gate.open.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert len(provider.windows) == 1


async def test_an_upload_counts_against_the_limit(tmp_path: Path) -> None:
    async with serving(tmp_path, max_flights_per_key=1) as server:
        body = json.dumps(recording()).encode()
        reader, writer = await send_partial(server, body[:-9], len(body))
        await until(lambda: spool_files(server) == 1, "the first recording's first bytes")
        assert (await server.post(recording(language="de"))).status_code == 429
        writer.write(body[-9:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert (await server.post(recording(language="de"))).status_code == 200


async def test_stopping_refuses_uploads(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    async with serving(tmp_path) as server:
        body = json.dumps(recording()).encode()
        reader, writer = await send_partial(server, body[:-9], len(body))
        await until(lambda: spool_files(server) == 1, "the recording's first bytes")
        server.server.stop()
        await asyncio.sleep(0)
        server.server.stop()  # an upload that is refused already is not refused again
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in answer
        assert b'"shutting_down"' in answer
        assert spool_files(server) == 0
    assert not caplog.records


async def test_the_end_waits_for_cancelled_jobs(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LINGER_S", 1e-9)
    leaving, gone, recorded = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def transcribe(_: TranscriptJob) -> Transcript:
        never: asyncio.Future[Transcript] = asyncio.Future()
        try:
            return await never
        finally:
            leaving.set()
            await gone.wait()

    async def record(_: TranscriptJob) -> None:
        recorded.set()

    jobs_ = Jobs(Settings(max_flights=1))
    jobs_.add("this", TranscriptJob("gen-1", None, Trace()), transcribe, record)
    await leaving.wait()
    assert jobs_.find("this") is None
    with pytest.raises(errors.BusyError):  # the cancelled job still counts
        jobs_.add("that", TranscriptJob("gen-2", None, Trace()), transcribe, record)
    ending = asyncio.create_task(jobs_.end())
    asyncio.get_running_loop().call_soon(gone.set)
    await ending
    assert recorded.is_set()


async def test_stopping_lets_jobs_end_and_refuses_new_ones(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        first = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the provider's work")
        server.server.stop()
        await asyncio.sleep(0)
        refused = await server.post(recording(language="de"))
        assert refused.status_code == 503
        assert int(refused.headers["retry-after"]) > 0
        assert (await server.client.get(f"{server.url}/healthz")).status_code == 503
        gate.open.set()
        assert (await first).status_code == 200


async def test_stopping_cancels_jobs_that_do_not_end(tmp_path: Path) -> None:
    provider = Scripted(gate=Gate())
    async with serving(tmp_path, provider, drain_s=0.2) as server:
        first = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the provider's work")
        server.server.stop()
        answer = await first
        assert answer.status_code == 503
        assert error_of(answer)["metadata"]["code"] == "shutting_down"


class Clock:
    """A clock that tests advance."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock(monkeypatch: pytest.MonkeyPatch) -> Clock:
    clock = Clock()
    monkeypatch.setattr(time, "monotonic", clock)
    return clock


def test_retry_after_before_any_job_ended() -> None:
    assert CompletionRate().seconds(3) == UNKNOWN_S


def test_retry_after_is_the_mean_interval_between_ends(clock: Clock) -> None:
    rate = CompletionRate()
    rate.started()
    for _ in range(40):
        clock.now += 2.5
        rate.finished(busy=True)
    assert rate.seconds(1) == 3
    assert rate.seconds(4) == 10
    assert rate.seconds(10_000) == LONGEST_S


def test_time_without_jobs_does_not_count(clock: Clock) -> None:
    rate = CompletionRate()
    for _ in range(10):
        rate.started()
        clock.now += 1
        rate.finished(busy=False)
        clock.now += 3600
    assert rate.seconds(1) == 1


def test_the_rate_follows_a_change(clock: Clock) -> None:
    rate = CompletionRate()
    rate.started()
    for interval_s in [1.0] * 20 + [20.0] * 20:
        clock.now += interval_s
        rate.finished(busy=True)
    assert rate.seconds(1) in {19, 20}
