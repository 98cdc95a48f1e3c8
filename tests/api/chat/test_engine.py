"""A real engine behind the route: what it hears, data by a schema, and its end in the middle."""

from __future__ import annotations

import asyncio
import base64
import json
import os
import random
import signal
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.chat.asking import CHAT, chunks, joined
from tests.api.serving import Running, serving
from tests.clients.client import OPENAI
from tests.spoken_digits import ANSWERS, WORDS, Spoken, phrase, takes
from voxgate.models.catalogue import find_model
from voxgate.models.running import RUN_FOLDER, running_engines
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.settings import Settings

MODEL = "voxtral/digits"
DIGITS = {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    spec = find_model(str(ANSWERS))

    def session(limited: Settings) -> Session:
        return Session(limited, models={MODEL: spec})

    async with serving(tmp_path_factory.mktemp("engine"), session=session) as running:
        yield running


def three_digits() -> Spoken:
    return phrase(random.Random(1), next(iter(takes().values())), 3)


def spoken(folder: Path, *more: dict[str, Any]) -> list[dict[str, Any]]:
    """Messages with a recording of three digits."""
    said = three_digits()
    data = base64.b64encode(said.save(folder / "said.wav").read_bytes()).decode()
    part = {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}}
    return [{"role": "user", "content": [part, *more]}]


@pytest.mark.asyncio(loop_scope="module")
async def test_a_client_hears_what_was_said(server: Running, tmp_path: Path) -> None:
    messages = spoken(tmp_path, {"type": "text", "text": "Which digits are said?"})
    create = "chat.completions.create"
    object_ = {"type": "object", "properties": {"digits": DIGITS}, "required": ["digits"]}
    schema = {**object_, "additionalProperties": False}
    format_ = {"type": "json_schema", "json_schema": {"name": "digits", "schema": schema}}
    asked: list[dict[str, Any]] = [
        {"messages": messages},
        {"messages": messages, "stream": True},
        {"messages": messages, "response_format": format_},
        {"messages": messages, "response_format": format_, "stream": True},
        {"messages": messages, "response_format": format_, "max_tokens": 1},
    ]
    calls = [OPENAI.call(server, create, model=MODEL, **options) for options in asked]
    plain, stream, data, data_stream, cut = [each["value"] for each in await OPENAI.do(*calls)]
    text = plain["choices"][0]["message"]["content"]
    said = [each.word for each in three_digits().said]
    assert text == " ".join(said)
    assert joined(stream) == text
    assert plain["usage"]["prompt_tokens_details"]["audio_tokens"] == 375
    assert stream[-1]["usage"]["completion_tokens"] == plain["usage"]["completion_tokens"]
    written = data["choices"][0]["message"]["content"]
    assert data["choices"][0]["finish_reason"] == "stop"
    assert json.loads(written) == {"digits": list(map(WORDS.index, said))}
    assert joined(data_stream) == written
    assert cut["choices"][0]["finish_reason"] == "length"


@pytest.mark.asyncio(loop_scope="module")
async def test_an_engine_killed_in_the_middle(server: Running, tmp_path: Path) -> None:
    """What was sent stays; the next question has a new engine."""
    messages = spoken(tmp_path)
    many = {"json": {**DIGITS, "minItems": 200}}
    body = {"model": MODEL, "messages": messages, "structured_outputs": many, "stream": True}
    async with server.client.stream("POST", CHAT, json=body) as response:
        assert response.status_code == 200
        lines = (line async for line in response.aiter_lines() if line.startswith("data: {"))
        begun = [json.loads((await anext(lines))[6:]) for _ in range(3)]
        (engine,) = running_engines(server.settings.home / RUN_FOLDER)
        os.kill(engine.pid, signal.SIGKILL)
        rest = [json.loads(line[6:]) async for line in lines]
    assert joined([*begun, *rest]).startswith("[")
    assert rest[-1]["error"]["metadata"]["code"] == "engine_died"
    assert rest[-1]["choices"][0]["finish_reason"] == "error"
    again = {**body, "structured_outputs": {"json": {**DIGITS, "maxItems": 2}}}
    async with asyncio.timeout(60):
        answer = await server.client.post(CHAT, json=again)
    assert isinstance(json.loads(joined(chunks(answer))), list)
