"""Questions to models elsewhere: what is sent to each kind, and what is made of every answer."""

from __future__ import annotations

import base64
import io
import json
import wave
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.failures import raises
from tests.providers.upstream.asking import endpoint
from tests.websites import Web, response, web
from voxgate.answers.values import (
    MOST_ANSWER_TOKENS,
    Answered,
    Message,
    Question,
    SoundPart,
    TextPart,
)
from voxgate.audio.spool import Audio
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.providers.upstream.client import UpstreamClient
from voxgate.providers.upstream.model import UpstreamModel
from voxgate.settings import Settings
from voxgate.transcript.values import Delta, Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from voxgate.errors import Code
    from voxgate.upstreams import Endpoint

pytestmark = pytest.mark.asyncio(loop_scope="module")

PATH = "/v1/chat/completions"
KINDS = ("compatible", "openai", "vllm", "mistral", "openrouter")
SCHEMA = '{"type": "object", "properties": {"n": {"type": "integer"}}, "required": ["n"]}'
SHORT_S = 0.2


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def site() -> AsyncIterator[Web]:
    async with web() as running:
        yield running


@pytest.fixture(autouse=True)
def _forget(site: Web) -> None:
    for seen in (site.heads, site.bodies, site.left):
        seen.clear()


@pytest.fixture
def short() -> Iterator[Audio]:
    sound = Audio.from_pcm16(bytes(range(64)) * round(SHORT_S * 500))
    yield sound
    sound.spool.close()


def reply(content: object, reason: object = "stop", **more: Any) -> bytes:
    """A response as OpenAI documents it."""
    message = {"role": "assistant", "content": content}
    body = {
        "id": "chatcmpl-1",
        "object": "chat.completion",
        "model": "qwen3",
        "choices": [{"index": 0, "message": message, "finish_reason": reason}],
        "usage": {
            "prompt_tokens": 40,
            "completion_tokens": 3,
            "prompt_tokens_details": {"audio_tokens": 12},
        },
    }
    return sends(200, body | more)


def sends(status: int, body: object) -> bytes:
    data = json.dumps(body).encode()
    return response(status, data, content_type="application/json", connection="close")


def at(site: Web, kind: Any = "compatible", **upstream: Any) -> Endpoint:
    return endpoint(site.url("/v1", "127.0.0.1"), kind=kind, model="qwen3", **upstream)


def question(*parts: Any, schema: str | None = None, **options: Any) -> Question:
    parts = parts or (TextPart("How many?"),)
    return Question((Message("user", parts),), Options(**options), schema)


async def ask(at: Endpoint, asked: Question, *sounds: Audio) -> tuple[str, Answered]:
    client = UpstreamClient(Settings())
    try:
        model = UpstreamModel(at, capabilities_of(at), client)
        events = [event async for event in model.answer(asked, sounds)]
    finally:
        await client.aclose()
    text, done = events
    assert isinstance(text, Delta)
    assert isinstance(done, Answered)
    return text.text, done


async def asked_for(site: Web, kind: str, asked: Question, *sounds: Audio) -> dict[str, Any]:
    """Return the document that such an upstream gets."""
    site.answers[PATH] = reply('{"n":3}')
    await ask(at(site, kind), asked, *sounds)
    document: dict[str, Any] = json.loads(site.bodies[-1])
    return document


@pytest.mark.parametrize("kind", KINDS)
async def test_a_text_is_asked_as_one_text_and_greedily(site: Web, kind: str) -> None:
    asked = Question(
        (
            Message("user", (TextPart("The train stopped."), TextPart("Where?"))),
            Message("assistant", (TextPart("In Rome."),)),
            Message("user", (TextPart("When?"),)),
        )
    )
    assert await asked_for(site, kind, asked) == {
        "model": "qwen3",
        "messages": [
            {"role": "user", "content": "The train stopped.\n\nWhere?"},
            {"role": "assistant", "content": "In Rome."},
            {"role": "user", "content": "When?"},
        ],
        "stream": False,
        "temperature": 0.0,
        "max_completion_tokens" if kind == "openai" else "max_tokens": MOST_ANSWER_TOKENS,
    }


@pytest.mark.parametrize("kind", KINDS)
async def test_options_have_the_names_of_the_kind(site: Web, kind: str) -> None:
    options: dict[str, Any] = {
        "temperature": 0.5,
        "top_p": 0.9,
        "frequency_penalty": 0.1,
        "presence_penalty": 0.2,
        "stop": ("END",),
        "seed": 7,
        "max_tokens": 30,
    }
    document = await asked_for(site, kind, question(**options))
    names = {
        "seed": "random_seed" if kind == "mistral" else "seed",
        "max_tokens": "max_completion_tokens" if kind == "openai" else "max_tokens",
    }
    expected = {names.get(name, name): value for name, value in options.items()}
    expected["stop"] = ["END"]
    assert expected.items() <= document.items()


async def test_a_model_of_openai_that_takes_no_temperature_gets_none(site: Web) -> None:
    site.answers[PATH] = reply("a", model="gpt-5-mini-2025-08-07")
    where = endpoint(site.url("/v1", "127.0.0.1"), kind="openai", model="gpt-5-mini")
    await ask(where, question())
    assert "temperature" not in json.loads(site.bodies[-1])


@pytest.mark.parametrize("kind", KINDS)
async def test_a_sound_is_sent_as_wav_in_its_place(site: Web, kind: str, short: Audio) -> None:
    asked = question(TextPart("Listen:"), SoundPart(short.samples), TextPart("Well?"))
    document = await asked_for(site, kind, asked, short)
    before, sound, after = document["messages"][0]["content"]
    assert (before, after) == (
        {"type": "text", "text": "Listen:"},
        {"type": "text", "text": "Well?"},
    )
    told = sound["input_audio"]
    if kind != "mistral":
        assert told["format"] == "wav"
        told = told["data"]
    with wave.open(io.BytesIO(base64.b64decode(told))) as file:
        assert (file.getframerate(), file.getnchannels()) == (16_000, 1)
        assert file.readframes(short.samples) == short.pcm16()


@pytest.mark.parametrize("kind", KINDS)
async def test_a_schema_is_asked_for_strictly(site: Web, kind: str) -> None:
    document = await asked_for(site, kind, question(schema=SCHEMA))
    assert document["response_format"] == {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": json.loads(SCHEMA)},
    }
    assert document.get("provider") == (
        {"require_parameters": True} if kind == "openrouter" else None
    )
    document = await asked_for(site, kind, question(schema='{"type": "object"}'))
    assert document["response_format"] == {"type": "json_object"}


async def test_the_privacy_of_openrouter_is_asked_of_its_hosts(site: Web) -> None:
    site.answers[PATH] = reply("a")
    where = at(site, "openrouter", collects_data=False, zero_retention=True)
    await ask(where, question())
    provider = json.loads(site.bodies[-1])["provider"]
    assert provider == {"data_collection": "deny", "zdr": True}


async def test_an_answer_has_its_tokens_and_its_end(site: Web) -> None:
    site.answers[PATH] = reply("three", "length")
    assert await ask(at(site), question()) == ("three", Answered("length", 40, 3, 12))
    site.answers[PATH] = reply("three", "model_length", usage=None)
    assert await ask(at(site), question()) == ("three", Answered("length", 0, 0, 0))


async def test_an_answer_by_a_schema_is_valid_or_a_failure(site: Web) -> None:
    site.answers[PATH] = reply(' {"n" : 3}\n')
    assert (await ask(at(site), question(schema=SCHEMA)))[0] == '{"n":3}'
    for wrong in ("three", '{"n": "3"}', '```json\n{"n": 3}\n```', '{"n": 3', ""):
        site.answers[PATH] = reply(wrong)
        with raises("upstream_failed", "somewhere sent an answer that is no JSON by the") as caught:
            await ask(at(site), question(schema=SCHEMA))
        assert caught.value.retryable


async def test_what_was_cut_off_is_not_taken_for_valid(site: Web) -> None:
    site.answers[PATH] = reply('{"n": ', "length")
    text, done = await ask(at(site), question(schema=SCHEMA))
    assert (text, done.finish) == ('{"n": ', "length")


FAULTS: dict[str, tuple[bytes, Code, str]] = {
    "a filter": (reply("a", "content_filter"), "upstream_failed", "ended its answer by 'content_f"),
    "a tool": (reply(None, "tool_calls"), "upstream_failed", "ended its answer by 'tool_calls'"),
    "no reason": (reply("a", None), "upstream_failed", "ended its answer without a reason"),
    "a refusal": (reply(None), "upstream_failed", "gave no answer to this question"),
    "another model": (
        reply("a", model="tiny"), "upstream_failed", "asked for qwen3, and tiny answered"
    ),
    "no choice": (reply("a", choices=[]), "upstream_failed", "'choices' is empty"),
    "parts": (reply([{"type": "text"}]), "upstream_failed", "sent an answer that cannot be used"),
    "a transcript": (sends(200, {"text": "a"}), "upstream_failed", "missing required field"),
    "a limit": (
        sends(429, {"error": {"message": "Slow down"}}), "upstream_rate_limited", "Slow down"
    ),
    "a key": (sends(401, {"error": {"message": "No."}}), "upstream_denied", "'keys'"),
    "a crash": (sends(500, {"error": {"message": "Oh."}}), "upstream_failed", "Try again later"),
    "a schema that it does not take": (
        sends(400, {"error": {"message": "Invalid schema.", "param": "response_format"}}),
        "upstream_refused",
        "refused the input with 400 .*Invalid schema",
    ),
    "openai's context": (
        sends(400, {"error": {"message": "Too long.", "code": "context_length_exceeded"}}),
        "context_exceeded",
        "does not fit into the context of the model at somewhere.*Shorten it",
    ),
    "vllm's context": (
        sends(400, {"error": {"message": "This model's maximum context length is 8192 tokens."}}),
        "context_exceeded",
        "8192",
    ),
    "llama.cpp's context": (
        sends(400, {"error": {"code": 400, "type": "exceed_context_size_error", "message": "No."}}),
        "context_exceeded",
        "does not fit",
    ),
}  # fmt: skip


@pytest.mark.parametrize("fault", FAULTS)
async def test_a_fault_has_its_code_and_its_sentence(site: Web, fault: str) -> None:
    site.answers[PATH], code, sentence = FAULTS[fault]
    with raises(code, sentence):
        await ask(at(site), question(schema=SCHEMA))
