"""Work that outlives connections: reposts, white space, leaving, stopping."""

from __future__ import annotations

import asyncio
import json
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.api.serving import PATH, Running, error_of, recording, serving
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import SAMPLE
from voxgate import errors
from voxgate.api import jobs
from voxgate.api.jobs import Job, Jobs
from voxgate.ledger.ledger import Ledger
from voxgate.pipeline.trace import StageTimes
from voxgate.settings import Settings

if TYPE_CHECKING:
    from voxgate.transcript.values import Transcript

FILE = {"file": ("note.flac", SAMPLE.read_bytes(), "audio/flac")}


class Gate:
    """Holds a scripted provider until it is opened."""

    def __init__(self) -> None:
        self.open = asyncio.Event()

    def __call__(self, _: int) -> Any:
        return self.open.wait()


async def begin(
    server: Running, data: bytes, length: int
) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    """Send this beginning of a body of some length."""
    reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
    writer.write(
        f"POST {PATH} HTTP/1.1\r\nHost: 127.0.0.1\r\nAuthorization: Bearer {server.key}\r\n"
        f"Content-Type: application/json\r\nContent-Length: {length}\r\n\r\n".encode()
    )
    writer.write(data)
    return reader, writer


async def hang_up(server: Running, body: dict[str, Any], provider: Scripted) -> None:
    """Post, and close the connection when the provider is at work."""
    data = json.dumps(body).encode()
    _, writer = await begin(server, data, len(data))
    await until(lambda: provider.running == 1, "the provider's work")
    writer.close()
    await writer.wait_closed()


def held(server: Running) -> int:
    """How many files it has open in its spool: recordings and decoded sound."""
    count = 0
    for link in Path("/proc/self/fd").iterdir():
        with suppress(FileNotFoundError):  # the listing's own
            count += str(server.settings.spool_dir) in str(link.readlink())
    return count


async def test_a_repost_joins_the_flight_that_its_first_caller_left(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, concurrency=2)
    async with serving(tmp_path, provider) as server:
        await hang_up(server, recording(), provider)
        again = asyncio.create_task(server.post(recording()))
        other = asyncio.create_task(server.post(recording(response_format="srt")))
        form = server.client.post(
            "/audio/transcriptions", data={"model": "scripted/one"}, files=FILE
        )
        of_form = asyncio.create_task(form)
        await until(lambda: provider.running == 2, "the form's own work: it has a name")
        gate.open.set()
        answers = await asyncio.gather(again, other, of_form)
        assert [answer.status_code for answer in answers] == [200, 200, 200]
        assert len(provider.windows) == 2
        ids = [answer.headers["x-generation-id"] for answer in answers]
        assert ids[0] == ids[1] != ids[2]


async def test_a_result_that_nobody_heard_is_kept_for_the_repost(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await hang_up(server, recording(), provider)
        gate.open.set()
        await until(lambda: provider.running == 0, "the work's end")
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 1
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 2  # what was delivered is forgotten


async def test_what_nobody_waits_for_is_cancelled(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(jobs, "LINGER_S", 0.2)
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await hang_up(server, recording(), provider)
        await until(lambda: provider.running == 0, "the cancelling")
        gate.open.set()
        assert (await server.post(recording())).status_code == 200
        assert len(provider.windows) == 2


async def test_white_space_keeps_a_json_client_waiting(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider, filler_after_s=0.1) as server:
        async with server.client.stream(
            "POST", "/audio/transcriptions", json=recording()
        ) as answer:
            assert answer.status_code == 200
            assert answer.headers["content-type"] == "application/json"
            assert answer.headers["x-voxgate-model"] == "scripted/one"
            blocks = answer.aiter_bytes()
            assert await anext(blocks) == b" "
            id_ = answer.headers["x-generation-id"]
            under_way = await server.client.get("/generation", params={"id": id_})
            assert under_way.json()["data"]["status"] is None
            gate.open.set()
            rest = b"".join([block async for block in blocks])
        assert json.loads(rest)["text"]
        ended = await server.client.get("/generation", params={"id": id_})
        assert ended.json()["data"]["status"] == 200


async def test_a_failure_after_white_space_is_an_error_object(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, faults={0: [errors.EngineStalledError("It stalled.")] * 3})
    async with serving(tmp_path, provider, filler_after_s=0.1) as server:
        async with server.client.stream(
            "POST", "/audio/transcriptions", json=recording()
        ) as answer:
            assert answer.status_code == 200
            blocks = answer.aiter_bytes()
            assert await anext(blocks) == b" "
            gate.open.set()
            rest = b"".join([block async for block in blocks])
        error = json.loads(rest)["error"]
        assert (error["code"], error["message"]) == (503, "It stalled.")
        id_ = answer.headers["x-generation-id"]
        data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        assert data["status"] == 503
        assert data["error_code"] == "engine_stalled"
        assert [attempt["status"] for attempt in data["provider_responses"]] == [503] * 4


@pytest.mark.parametrize(
    "parts",
    [
        {"json": recording(response_format="text")},
        {"json": recording(response_format="srt")},
        {"data": {"model": "scripted/one"}, "files": FILE},
    ],
    ids=["text", "subtitles", "a form"],
)
async def test_nobody_else_gets_white_space(tmp_path: Path, parts: dict[str, Any]) -> None:
    gate = Gate()
    provider = Scripted(gate=gate, faults={0: [errors.EngineStalledError("It stalled.")] * 3})
    async with serving(tmp_path, provider, filler_after_s=0.05) as server:
        waiting = asyncio.create_task(server.client.post("/audio/transcriptions", **parts))
        await until(lambda: provider.running == 1, "the provider's work")
        asyncio.get_running_loop().call_later(0.3, gate.open.set)
        answer = await waiting
        assert answer.status_code == 503
        assert error_of(answer)["message"] == "It stalled."


async def test_no_white_space_before_sound_was_decoded(tmp_path: Path) -> None:
    async with serving(tmp_path, filler_after_s=0.000_1) as server:
        answer = await server.post(recording(b"no sound at all, only text"))
        assert answer.status_code == 400
        assert error_of(answer)["metadata"]["code"] == "not_audio"


async def test_room_is_limited(tmp_path: Path) -> None:
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


async def test_there_is_always_room_for_another_key(tmp_path: Path) -> None:
    """One key alone may have half of the places, two a third each: what is left is for others."""
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


async def test_a_model_that_cannot_be_had_is_refused_before_any_work(tmp_path: Path) -> None:
    too_large = errors.ModelTooLargeError("It takes more than there is.")
    loading = errors.ModelLoadingError("It is being loaded.", retry_after_s=7)
    provider = Scripted(refusals=[too_large, loading])
    async with serving(tmp_path, provider) as server:
        refused = await server.post(recording())
        assert refused.status_code == 404  # what is repeated for an hour would be a 5xx
        assert error_of(refused)["metadata"]["code"] == "model_too_large"
        refused = await server.post(recording())
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "7"
        assert held(server) == 0
        assert (await server.post(recording())).status_code == 200


async def test_a_repost_joins_its_work_whatever_became_of_the_model(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider) as server:
        await hang_up(server, recording(), provider)
        provider.refusals.append(errors.ModelLoadingError("It is being loaded."))
        again = asyncio.create_task(server.post(recording()))
        await asyncio.sleep(0)
        gate.open.set()
        assert (await again).status_code == 200
        assert len(provider.windows) == 1


async def test_a_repost_is_let_in_where_there_is_no_room(tmp_path: Path) -> None:
    gate = Gate()
    provider = Scripted(gate=gate)
    async with serving(tmp_path, provider, max_flights_per_key=1) as server:
        await hang_up(server, recording(), provider)
        other = await server.post(recording(language="de"))
        assert other.status_code == 429
        before, body = held(server), json.dumps(recording()).encode()
        reader, writer = await begin(server, body[:-9], len(body))
        await until(lambda: held(server) > before, "the repost's beginning")
        writer.write(body[-9:])
        gate.open.set()
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert len(provider.windows) == 1


async def test_what_is_being_sent_takes_room(tmp_path: Path) -> None:
    async with serving(tmp_path, max_flights_per_key=1) as server:
        body = json.dumps(recording()).encode()
        reader, writer = await begin(server, body[:-9], len(body))
        await until(lambda: held(server) == 1, "the first recording's beginning")
        assert (await server.post(recording(language="de"))).status_code == 429
        writer.write(body[-9:])
        assert (await reader.readline()).startswith(b"HTTP/1.1 200 ")
        writer.close()
        assert (await server.post(recording(language="de"))).status_code == 200


async def test_stopping_refuses_what_is_being_sent(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async with serving(tmp_path) as server:
        body = json.dumps(recording()).encode()
        reader, writer = await begin(server, body[:-9], len(body))
        await until(lambda: held(server) == 1, "the recording's beginning")
        server.server.stop()
        await asyncio.sleep(0)
        server.server.stop()  # what is refused already is not refused again
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 503 ")
        assert b"\r\nretry-after: " in answer
        assert b'"shutting_down"' in answer
        assert held(server) == 0
    assert not caplog.records


async def test_the_end_waits_for_what_was_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(jobs, "LINGER_S", 1e-9)
    leaving, gone, landed = asyncio.Event(), asyncio.Event(), asyncio.Event()

    async def work(_: Job) -> Transcript:
        never: asyncio.Future[Transcript] = asyncio.Future()
        try:
            return await never
        finally:
            leaving.set()
            await gone.wait()

    async def land(_: Job) -> None:
        landed.set()

    all_flights = Jobs(Settings(max_flights=1))
    all_flights.add("this", Job("gen-1", None, StageTimes()), work, land)
    await leaving.wait()
    assert all_flights.find("this") is None
    with pytest.raises(errors.BusyError):  # it still holds what it holds
        all_flights.add("that", Job("gen-2", None, StageTimes()), work, land)
    ending = asyncio.create_task(all_flights.end())
    asyncio.get_running_loop().call_soon(gone.set)
    await ending
    assert landed.is_set()


async def test_stopping_lets_work_end_and_refuses_new(tmp_path: Path) -> None:
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


async def test_stopping_ends_what_does_not_end(tmp_path: Path) -> None:
    provider = Scripted(gate=Gate())
    async with serving(tmp_path, provider, drain_s=0.2) as server:
        first = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the provider's work")
        server.server.stop()
        answer = await first
        assert answer.status_code == 503
        assert error_of(answer)["metadata"]["code"] == "shutting_down"


async def test_generations_belong_to_their_key(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        id_ = (await server.post(recording())).headers["x-generation-id"]
        data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        assert data["id"] == id_
        assert data["model"] == "scripted/one"
        assert data["provider_responses"][0]["status"] == 200
        async with await Ledger.open(server.settings.home / "ledger.sqlite3") as ledger:
            _, other = await ledger.keys.create("other")
        stranger = {"Authorization": f"Bearer {other}"}
        answer = await server.client.get("/generation", params={"id": id_}, headers=stranger)
        assert answer.status_code == 404
        error_of(answer)
