"""The chat clients of OpenAI, Mistral and OpenRouter, unmodified, with a recording."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.api.chat.asking import (
    BASE64,
    DIGITS,
    FORMAT,
    TEXT,
    dying,
    hearing,
    joined,
    sound,
    text,
    user,
)
from tests.api.serving import SCRIPTED, Running, serving
from tests.clients.client import (
    MISTRAL,
    NODE_MISTRAL,
    NODE_OPENAI,
    NODE_OPENROUTER,
    OPENAI,
    OPENAI_1,
    OPENROUTER,
    Client,
)
from voxgate import errors

if TYPE_CHECKING:
    from pathlib import Path

PARSED = {"digits": [1, 2, 3]}
MESSAGES = [{"role": "system", "content": "Be short."}, user()]
MISTRAL_SOUND = {"type": "input_audio", "input_audio": BASE64}
MISTRAL_MESSAGES = [{"role": "user", "content": [text(), MISTRAL_SOUND]}]
NODE_MESSAGES = [
    {"role": "user", "content": [text(), {"type": "input_audio", "inputAudio": BASE64}]}
]
SENTENCE = "'tools' is not taken: no model here calls tools."
TOOL = {"type": "function", "function": {"name": "f", "parameters": {}}}


async def outcomes(client: Client, server: Running, calls: dict[str, Any]) -> dict[str, Any]:
    """What a client made of each call: its name, and its options."""
    asked = [
        client.repeating_nothing().call(server, name, model=SCRIPTED, **options)
        for name, options in calls.values()
    ]
    return dict(zip(calls, await client.do(*asked), strict=True))


def told(answer: dict[str, Any]) -> dict[str, Any]:
    """Look at an answer that succeeded, and return its only choice's message."""
    assert "value" in answer, answer
    value = answer["value"]
    usage = value["usage"]
    prompt = usage.get("prompt_tokens", usage.get("promptTokens"))
    total = usage.get("total_tokens", usage.get("totalTokens"))
    assert 0 < prompt < total
    (choice,) = value["choices"]
    assert choice.get("finish_reason", choice.get("finishReason")) == "stop"
    message: dict[str, Any] = choice["message"]
    assert message["role"] == "assistant"
    return message


@pytest.mark.parametrize("client", [OPENAI, OPENAI_1, NODE_OPENAI], ids=lambda each: each.name)
async def test_openai(tmp_path: Path, client: Client) -> None:
    create, usage = "chat.completions.create", {"include_usage": True}
    async with serving(tmp_path, hearing()) as server:
        said = await outcomes(
            client,
            server,
            {
                "plain": (create, {"messages": MESSAGES}),
                "data": (create, {"messages": MESSAGES, "response_format": FORMAT}),
                "parsed": (
                    "chat.completions.parse",
                    {"messages": MESSAGES, "response_format": FORMAT},
                ),
                "stream": (create, {"messages": MESSAGES, "stream": True}),
                "usage": (
                    create,
                    {"messages": MESSAGES, "stream": True, "stream_options": usage},
                ),
                "cut": (create, {"messages": MESSAGES, "max_completion_tokens": 2}),
                "refused": (create, {"messages": MESSAGES, "tools": [TOOL]}),
            },
        )
    assert told(said["plain"])["content"] == TEXT
    assert told(said["data"])["content"] == DIGITS
    assert told(said["parsed"])["parsed"] == PARSED
    for kind in ("stream", "usage"):
        assert joined(said[kind]["value"]) == TEXT
        assert said[kind]["value"][-1]["usage"]["total_tokens"] > 0
        assert said[kind]["value"][0]["choices"][0]["delta"]["role"] == "assistant"
    assert said["usage"]["value"][-1]["choices"] == []
    assert said["cut"]["value"]["choices"][0]["finish_reason"] == "length"
    client.raised(said["refused"], 400, SENTENCE)
    sounds = [len(sounds) for _, sounds in server.provider.questions]
    assert sounds
    assert set(sounds) == {1}


@pytest.mark.parametrize("client", [MISTRAL, NODE_MISTRAL], ids=lambda each: each.name)
async def test_mistral(tmp_path: Path, client: Client) -> None:
    node = client is NODE_MISTRAL
    messages = NODE_MESSAGES if node else MISTRAL_MESSAGES
    limit = {"maxTokens" if node else "max_tokens": 2, "randomSeed" if node else "random_seed": 7}

    def given(**options: Any) -> dict[str, Any]:
        return {"messages": messages, **options}

    async with serving(tmp_path, hearing()) as server:
        said = await outcomes(
            client,
            server,
            {
                "plain": ("chat.complete", given()),
                "parsed": ("chat.parse", given()),
                "stream": ("chat.stream", given()),
                "cut": ("chat.complete", given(**limit)),
                "refused": ("chat.complete", given(tools=[TOOL])),
            },
        )
    assert told(said["plain"])["content"] == TEXT
    assert told(said["parsed"])["parsed"] == PARSED
    events = [event["data"] for event in said["stream"]["value"]]
    assert joined(events) == TEXT
    usage = events[-1]["usage"]
    assert usage.get("prompt_audio_seconds", usage.get("promptAudioSeconds")) == 1
    (choice,) = said["cut"]["value"]["choices"]
    assert choice.get("finish_reason", choice.get("finishReason")) == "length"
    client.raised(said["refused"], 400, SENTENCE)
    assert server.provider.questions[-1][0].options.seed == 7


@pytest.mark.parametrize("client", [OPENROUTER, NODE_OPENROUTER], ids=lambda each: each.name)
async def test_openrouter(tmp_path: Path, client: Client) -> None:
    node = client is NODE_OPENROUTER
    part = {"type": "input_audio", "inputAudio": sound()["input_audio"]} if node else sound()
    messages = [{"role": "user", "content": [text(), part]}]

    def call(**options: Any) -> dict[str, Any]:
        asked = {"model": SCRIPTED, "messages": messages, **options}
        given = {"chatRequest": asked} if node else asked
        return client.repeating_nothing().call(server, "chat.send", **given)

    async with serving(tmp_path, hearing()) as server:
        plain, events, refused = await client.do(call(), call(stream=True), call(tools=[TOOL]))
    assert told(plain)["content"] == TEXT
    assert joined([event.get("data", event) for event in events["value"]]) == TEXT
    client.raised(refused, 400, SENTENCE)


@pytest.mark.parametrize("client", [OPENAI, NODE_OPENAI], ids=lambda each: each.name)
async def test_an_engine_that_dies_in_the_middle(tmp_path: Path, client: Client) -> None:
    """After the first text an error is an event, which the client raises."""
    async with serving(tmp_path, dying()) as server:
        said = await outcomes(
            client,
            server,
            {"stream": ("chat.completions.create", {"messages": [user()], "stream": True})},
        )
    assert errors.PUBLIC_SENTENCES["engine_died"] in said["stream"]["message"]
