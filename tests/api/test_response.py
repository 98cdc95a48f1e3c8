"""White space while a JSON client waits, and the outcome after it."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import FILE, Gate, error_of, recording, serving
from tests.processes import until
from tests.scripted import Scripted
from voxgate import errors

if TYPE_CHECKING:
    from pathlib import Path


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
    provider = Scripted(
        gate=gate, faults={0: [errors.EngineError("It stalled.", code="engine_stalled")] * 3}
    )
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
async def test_no_other_client_gets_white_space(tmp_path: Path, parts: dict[str, Any]) -> None:
    gate = Gate()
    provider = Scripted(
        gate=gate, faults={0: [errors.EngineError("It stalled.", code="engine_stalled")] * 3}
    )
    async with serving(tmp_path, provider, filler_after_s=0.05) as server:
        waiting = asyncio.create_task(server.client.post("/audio/transcriptions", **parts))
        await until(lambda: provider.running == 1, "the provider's work")
        asyncio.get_running_loop().call_later(0.3, gate.open.set)
        answer = await waiting
        assert answer.status_code == 503
        assert error_of(answer)["message"] == "It stalled."


async def test_no_white_space_before_sound_is_decoded(tmp_path: Path) -> None:
    async with serving(tmp_path, filler_after_s=0.000_1) as server:
        answer = await server.post(recording(b"no sound at all, only text"))
        assert answer.status_code == 400
        assert error_of(answer)["metadata"]["code"] == "not_audio"
