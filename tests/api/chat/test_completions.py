"""Answers and their streams, what is recorded of them, and callers who leave."""

from __future__ import annotations

import asyncio
import base64
import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.chat.asking import (
    CHAT,
    DIGITS,
    FORMAT,
    SOUND,
    TEXT,
    ask,
    chunks,
    dying,
    hearing,
    joined,
    question,
    sound,
    text,
    user,
)
from tests.api.serving import (
    ALIAS,
    FILE,
    SCRIPTED,
    Gate,
    error_of,
    new_key,
    serving,
    spool_files,
    with_key,
)
from tests.processes import until
from tests.websites import PUBLIC_HOST, response, web
from voxgate import errors
from voxgate.api import stream
from voxgate.api.jobs import LINGER_S
from voxgate.ledger.address import LEDGER_FILE
from voxgate.ledger.ledger import Ledger
from voxgate.prices import parse_prices

if TYPE_CHECKING:
    from pathlib import Path

    from tests.api.serving import Running


async def fact(server: Running, id_: str) -> dict[str, Any]:
    """What the ledger has of an answer."""
    found = await server.client.get("/generation", params={"id": id_})
    data: dict[str, Any] = found.json()["data"]
    return data


async def test_an_answer(tmp_path: Path) -> None:
    prices = parse_prices(f"{SCRIPTED} = 0.001/second", "this test")
    async with serving(tmp_path, hearing(), prices=prices) as server:
        answer = await ask(server, model=ALIAS, user="ada", session_id="s")
        found = await fact(server, answer.headers["x-generation-id"])
    body = answer.json()
    assert body["choices"] == [
        {
            "index": 0,
            "message": {"role": "assistant", "content": TEXT},
            "finish_reason": "stop",
        }
    ]
    assert (body["object"], body["model"], body["provider"]) == (
        "chat.completion",
        SCRIPTED,
        "Local",
    )
    assert body["id"] == answer.headers["x-generation-id"] == answer.headers["x-request-id"]
    assert abs(body["created"] - time.time()) < 60
    assert body["usage"] == {
        "prompt_tokens": 12,
        "completion_tokens": 7,
        "total_tokens": 19,
        "prompt_tokens_details": {"audio_tokens": 9},
        "prompt_audio_seconds": 1,
        "seconds": 0.7,
        "cost": 0.0007,
    }
    assert answer.headers["x-voxgate-model"] == SCRIPTED
    assert answer.headers["x-voxgate-estimate"] == "0.0007"
    assert "provider;dur=" in answer.headers["server-timing"]
    assert (found["status"], found["model"], found["total_cost"]) == (200, SCRIPTED, 0.0007)
    assert (found["tokens_completion"], found["audio_seconds"]) == (7, 0.7)
    assert (found["external_user"], found["session_id"]) == ("ada", "s")
    assert not found["streamed"]
    assert body["id"].startswith("gen-1")
    assert (found["api_type"], found["tokens_prompt"], found["finish_reason"]) == (
        "completions",
        12,
        "stop",
    )


DIALECTS: list[tuple[dict[str, str], dict[str, Any], str]] = [
    ({"User-Agent": "OpenAI/Python 3.57.0"}, {}, "openai"),
    ({"User-Agent": "mistral-client-python/3.7.0"}, {}, "mistral"),
    ({}, {"random_seed": 7}, "mistral"),
    ({"User-Agent": "speakeasy-sdk/python"}, {}, "openrouter"),
    ({}, {"provider": {"zdr": True}}, "openrouter"),
]


async def test_whose_api_it_was_is_recorded(tmp_path: Path) -> None:
    async with (
        serving(tmp_path, hearing(), auth="off") as server,
        await Ledger.open(server.settings.home / LEDGER_FILE) as ledger,
    ):
        for number, (headers, fields, dialect) in enumerate(DIALECTS):
            body = question(max_tokens=number + 1, **fields)  # each is a job of its own
            answer = await server.client.post(CHAT, json=body, headers=headers)
            found = await ledger.generations.find(answer.json()["id"], None)
            assert found
            assert found.dialect == dialect


async def test_the_other_prefix_and_data(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        answer = await server.client.post(
            f"{server.url}/v1{CHAT}", json=question(response_format=FORMAT)
        )
    assert answer.json()["choices"][0]["message"]["content"] == DIGITS


async def test_a_text_alone(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        answer = await ask(server, {"role": "user", "content": "What is a note?"})
        found = await fact(server, answer.json()["id"])
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert answer.json()["usage"]["prompt_audio_seconds"] == 0
    assert (found["audio_seconds"], found["tokens_completion"]) == (0, 7)


async def test_an_answer_that_is_cut_off_says_so(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        cut = await ask(server, max_tokens=1, response_format=FORMAT)
        streamed = await ask(server, max_tokens=1, response_format=FORMAT, stream=True)
    body, events = cut.json(), chunks(streamed)
    assert body["choices"][0]["finish_reason"] == "length"
    assert DIGITS.startswith(body["choices"][0]["message"]["content"])
    assert events[-1]["choices"][0]["finish_reason"] == "length"
    assert body["warnings"] == events[-1]["warnings"]


async def test_a_stream(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        plain = chunks(await ask(server, stream=True, store=True))
        usage = chunks(await ask(server, stream=True, stream_options={"include_usage": True}))
        found = await fact(server, plain[0]["id"])
    for events in (plain, usage):
        assert {event["object"] for event in events} == {"chat.completion.chunk"}
        assert len({(event["id"], event["created"], event["model"]) for event in events}) == 1
        assert events[0]["choices"][0]["delta"] == {"role": "assistant", "content": ""}
        assert joined(events) == TEXT
    assert len(plain) == 1 + 7 + 1
    assert plain[-1]["choices"][0]["finish_reason"] == "stop"
    assert [event["choices"][0]["finish_reason"] for event in plain[:-1]] == [None] * 8
    assert plain[-1]["warnings"][0]["code"] == "unused_option"
    assert usage[-1]["choices"] == []
    assert usage[-1]["usage"] == plain[-1]["usage"]
    assert not any("usage" in event for event in (*plain[:-1], *usage[:-1]))
    assert found["streamed"]


async def test_a_failure_before_the_first_text_is_an_answer(tmp_path: Path) -> None:
    died = errors.EngineError("It ended.", code="engine_died")
    for streamed in (False, True):
        provider = hearing(faults={0: [died] * 9})
        async with serving(tmp_path / str(streamed), provider) as server:
            failed = await ask(server, stream=streamed)
        assert failed.status_code == 503
        assert error_of(failed)["metadata"]["code"] == "engine_died"


async def test_a_question_that_is_too_long(tmp_path: Path) -> None:
    long = errors.UsageError("It is too long.", code="context_exceeded")
    async with serving(tmp_path, hearing(faults={0: [long]})) as server:
        error = error_of(await ask(server, stream=True))
    assert (error["code"], error["metadata"]["code"]) == (400, "context_exceeded")


async def test_a_failure_after_the_first_text_is_an_event(tmp_path: Path) -> None:
    prices = parse_prices(f"{SCRIPTED} = 0.001/second", "this test")
    provider = dying(asyncio.Event())
    async with serving(tmp_path, provider, prices=prices) as server:
        asking = server.client.stream("POST", CHAT, json=question(stream=True))
        async with asking as answer:
            lines = (line async for line in answer.aiter_lines() if line)
            begun = [json.loads((await anext(lines))[6:]) for _ in range(3)]
            provider.end.set()
            last = json.loads((await anext(lines))[6:])
            assert await anext(lines) == "data: [DONE]"
        plain = await ask(server)
        found = await fact(server, last["id"])
    assert joined(begun) == "A short  "
    assert last["error"]["metadata"]["code"] == "engine_died"
    assert last["choices"][0]["finish_reason"] == "error"
    assert plain.status_code == 503
    assert (found["status"], found["tokens_completion"]) == (503, 2)
    assert found["total_cost"] == 0.0007  # the whole sound was heard for what was sent


async def test_a_comment_ends_a_silence(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(stream, "HEARTBEAT_S", 0.05)
    gate = Gate()
    async with serving(tmp_path, hearing(gate=gate)) as server:
        asking = server.client.stream("POST", CHAT, json=question(stream=True))
        async with asking as response:
            lines = (line async for line in response.aiter_lines() if line)
            assert [await anext(lines), await anext(lines)] == [": keep-alive"] * 2
            gate.open.set()
            rest = [line async for line in lines]
    assert rest[-1] == "data: [DONE]"


async def test_white_space_comes_before_a_late_answer(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, hearing(gate=gate), filler_after_s=0.05) as server:
        asking = server.client.stream("POST", CHAT, json=question())
        async with asking as response:
            pieces = response.aiter_bytes()
            assert await anext(pieces) == b" "
            gate.open.set()
            rest = b"".join([piece async for piece in pieces])
    assert json.loads(rest)["choices"][0]["message"]["content"] == TEXT


@pytest.mark.parametrize("fields", [{"stream": True}, {"temperature": 1}], ids=["stream", "drawn"])
async def test_a_caller_who_leaves_frees_the_engine(tmp_path: Path, fields: dict[str, Any]) -> None:
    """One of an answer that is drawn anew each time as well: nobody comes back for it."""
    async with serving(tmp_path, hearing(gate=Gate())) as server:
        async with asyncio.TaskGroup() as group:
            reading = group.create_task(ask(server, **fields))
            await until(lambda: server.provider.questions != [], "the question")
            reading.cancel()
            left = time.monotonic()
        await until(lambda: not spool_files(server), "the end of the work")
        assert time.monotonic() - left < LINGER_S  # what another job goes on for


async def test_equal_questions_are_one_job(tmp_path: Path) -> None:
    gate = Gate()
    async with serving(tmp_path, hearing(gate=gate)) as server:
        same = [asyncio.create_task(ask(server)) for _ in range(2)]
        seeded = [asyncio.create_task(ask(server, temperature=1, seed=7)) for _ in range(2)]
        drawn = [asyncio.create_task(ask(server, temperature=1)) for _ in range(2)]
        other = asyncio.create_task(ask(server, response_format=FORMAT))
        await until(lambda: spool_files(server) >= 5, "the questions")
        gate.open.set()
        tasks = (*same, *seeded, *drawn, other)
        ids = [(await each).json()["id"] for each in tasks]
    assert ids[0] == ids[1]
    assert ids[2] == ids[3]
    assert len(set(ids)) == 5
    assert len(server.provider.questions) == 5


async def test_recordings_by_address_and_by_file(tmp_path: Path) -> None:
    settings: dict[str, Any] = {"keep_files": True, "url_allow": (PUBLIC_HOST,)}
    async with web() as site, serving(tmp_path, hearing(), **settings) as server:
        site.answers["/note.flac"] = response(200, SOUND)
        url, gone = site.url("/note.flac"), site.url("/gone.flac")
        kept = (await server.client.post("/files", files=FILE)).json()["id"]
        parts: list[dict[str, Any]] = [
            {"type": "input_audio", "input_audio": {"url": url}},
            {"type": "input_audio", "input_audio": url},
            {"type": "file", "file_id": kept},
            {"type": "file", "file": {"file_id": kept}},
            {"type": "input_audio", "file_id": kept},
        ]
        answer = await ask(server, user(*parts))
        missing = await ask(server, user({"type": "input_audio", "input_audio": gone}))
        unknown = await ask(server, user({"type": "file", "file_id": "file-none"}))
        other = await new_key(server, "other")
        foreign = await server.client.post(
            CHAT, json=question(user(parts[2])), headers=with_key(other)
        )
        refused = await ask(server, user({"type": "input_audio", "input_audio": "http://[::1]/"}))
        sounds = server.provider.questions[0][1]
    assert answer.json()["choices"][0]["message"]["content"] == TEXT
    assert len(sounds) == 5
    assert sounds[0].duration_s == sounds[1].duration_s == 0.7
    assert missing.status_code == 400
    assert "answered 404" in error_of(missing)["message"]
    assert (unknown.status_code, foreign.status_code) == (404, 404)
    assert refused.status_code in {400, 403}


async def test_headerless_samples(tmp_path: Path) -> None:
    data = base64.b64encode(bytes(32_000)).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "pcm"}}
    async with serving(tmp_path, hearing()) as server:
        answer = await ask(server, user(part))
    assert answer.json()["usage"]["seconds"] == 1


async def test_kept_files_count_together(tmp_path: Path) -> None:
    """Against the limits of bytes and of seconds."""
    sizes: dict[str, Any] = {"keep_files": True, "max_upload_bytes": len(SOUND) * 2}
    async with serving(tmp_path, hearing(), max_upload_s=1.5, **sizes) as server:
        form = {"file": ("a.flac", SOUND)}
        kept = (await server.client.post("/files", files=form)).json()["id"]
        part = {"type": "file", "file_id": kept}
        fits = await ask(server, user(part, part))
        large = await ask(server, user(part, part, part))
    async with serving(tmp_path / "long", hearing(), max_upload_s=1.5) as server:
        long = await ask(server, user(sound(), sound(), sound()))
    assert fits.status_code == 200
    assert error_of(large)["metadata"]["code"] == "payload_too_large"
    assert error_of(long)["metadata"]["code"] == "audio_too_long"


async def test_a_recording_that_cannot_be_decoded(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        error = error_of(await ask(server, user(text(), sound("AAAA"))))
        assert spool_files(server) == 0
    assert error["code"] == 400


async def test_the_log_has_no_text(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    async with serving(tmp_path, hearing()) as server:
        await ask(server, user(text("a secret question"), sound()))
        await ask(server, user(text("a secret question")), tools=[{"secret": 1}])
        (line,) = [
            each.getMessage()
            for each in caplog.records
            if each.name == "voxgate.api.request_log" and " 200 - " in each.getMessage()
        ]
    assert f"{SCRIPTED} 0.7 s of sound" in line
    said = "\n".join(caplog.messages)
    assert "secret question" not in said
    assert "short  note" not in said


async def test_the_router_is_told_of(tmp_path: Path) -> None:
    async with serving(tmp_path, hearing()) as server:
        answer = await server.client.post(
            CHAT, json=question(), headers={"X-OpenRouter-Metadata": "enabled"}
        )
    told = answer.json()["openrouter_metadata"]
    assert told["attempt"] == 1
    assert told["endpoints"]["available"][0]["selected"]
