"""A server that logs in JSON: every line of its standard error, from its start to its end."""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
from typing import TYPE_CHECKING

from tests.api.serving import PATH, recording, served
from tests.api.test_serve import ENGINE, MODEL, running, spoken, working
from tests.cli.command import CLIP_WORDS
from tests.spans import TRACE, TRACEPARENT

if TYPE_CHECKING:
    from tests.cli.command import CliRunner

KEY = re.compile(r"sk-vg-[\w-]+")


async def test_every_line_is_json_and_none_has_speech_or_a_key(cli: CliRunner) -> None:
    made = cli.run("keys", "create", "--name", "operator")
    key = KEY.findall(made.stdout + made.stderr)[0]
    headers = {"Authorization": f"Bearer {key}", "traceparent": TRACEPARENT}
    async with served(cli, VOXGATE_LOG_FORMAT="json") as server:
        client = server.client
        answer = await client.post("/audio/transcriptions", json=spoken(), headers=headers)
        assert CLIP_WORDS in answer.json()["text"]
        other = spoken(prompt="x")
        again = asyncio.create_task(
            client.post("/audio/transcriptions", json=other, headers=headers)
        )
        await working(cli)
        os.kill(running(server, ENGINE)[0], signal.SIGKILL)
        assert (await again).status_code == 200
        forged = {"Authorization": f'Bearer {key}"}}', "User-Agent": '{"event": "forged"}'}
        await client.post("/audio/transcriptions", json=recording(), headers=forged)
        await client.get('/x%0A{"event":"forged"}%1b[2J', headers=headers)
        await client.post("/audio/transcriptions", json=spoken(model="a\nb"), headers=headers)
        no_sound = recording(b"no sound", model=MODEL)
        await client.post("/audio/transcriptions", json=no_sound, headers=headers)
        reader, writer = await asyncio.open_connection("127.0.0.1", int(server.url.split(":")[-1]))
        writer.write(b'{"event": "forged"}\n\r\n\r\n')
        await reader.read()
        writer.close()
        assert await server.end() == 0
    events = [json.loads(line) for line in server.said]
    assert all({"timestamp", "level", "logger", "event"} <= event.keys() for event in events)
    assert not [event for event in events if event["event"] == "forged"]
    assert any(event["event"].startswith("listening on") for event in events)
    assert any(event["event"].startswith("stopping") for event in events)
    assert any("was ended by signal 9 (Killed)" in event["event"] for event in events)

    requests = [event for event in events if event["event"] == "request"]
    first = requests[0]
    assert first["generation"] == answer.headers["x-generation-id"]
    assert (first["trace_id"], first["model"], first["status"]) == (TRACE, MODEL, 200)
    assert (first["method"], first["path"], first["key_name"]) == ("POST", PATH, "operator")
    assert first["client"] == "127.0.0.1"
    assert first["audio_s"] > 1
    assert first["duration_s"] > 0
    assert [event.get("code") for event in requests] == [
        *(None, None, "authentication", "not_found"),
        *("model_not_found", "not_audio", "invalid_request"),
    ]
    said = "\n".join(server.said).lower()
    secrets = [*re.findall(r"\w{4,}", answer.json()["text"]), key]
    assert not [secret for secret in secrets if secret.lower() in said]


async def test_the_first_key_is_not_logged_and_a_failed_start_is(cli: CliRunner) -> None:
    async with served(cli, VOXGATE_LOG_FORMAT="json") as server:
        assert KEY.fullmatch(server.key)
        port = server.url.rpartition(":")[2]
        failed = cli.run("serve", "--port", port, VOXGATE_LOG_FORMAT="json")
        assert await server.end() == 0
    assert not [line for line in server.said if KEY.search(line)]
    (event,) = [json.loads(line) for line in failed.stderr.splitlines()]
    assert event["level"] == "error"
    assert "choose another --port" in event["event"]
