"""`RemoteSession.answer`: a conversation on a real socket, and its answer from a stream."""

from __future__ import annotations

import base64
import json
from typing import TYPE_CHECKING, Any

import pytest

from tests.client.wire import chunked, failure, http, wire
from voxgate.answers.values import Answer, TextPart
from voxgate.client.remote import RemoteSession
from voxgate.errors import ServerError
from voxgate.pipeline.question import AskedMessage, RecordingPart
from voxgate.transcript.values import Notice, Options

if TYPE_CHECKING:
    from pathlib import Path

    from tests.client.wire import Wire
    from voxgate.settings import Settings

MODEL = "scripted/one"
KEY = "sk-vg-0123456789abcdef"
QUESTION = "Who «speaks»?"
SCHEMA = '{"type": "object"}'


def chunk(text: str | None, finish: str | None = None, **more: object) -> dict[str, Any]:
    delta = {} if text is None else {"content": text}
    choice = {"index": 0, "delta": delta, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "model": MODEL, "choices": [choice], **more}


USAGE = {"prompt_tokens": 40, "completion_tokens": 2, "seconds": 2.5}
WARNING = {"code": "unread", "sentence": "The end was not read."}
CHUNKS = [
    chunk(""),
    chunk("Nobody"),
    chunk(" does."),
    chunk(None, "stop"),
    {"choices": [], "usage": USAGE, "warnings": [WARNING]},
]


def stream(*events: object, end: bytes = b"data: [DONE]\n\n", **more: str) -> bytes:
    data = b"".join(b"data: %b\n\n" % json.dumps(event).encode() for event in events) + end
    return http(200, b": a comment\n\n" + data, "text/event-stream; charset=utf-8", **more)


async def ask(server: Wire, settings: Settings, note: Path, **more: Any) -> Answer:
    parts = (RecordingPart(note), TextPart(QUESTION), RecordingPart(b"RIFF", "other.wav"))
    async with RemoteSession(server.url, KEY, settings) as remote:
        return await remote.answer([AskedMessage("user", parts)], model=MODEL, **more)


async def test_recordings_and_texts_are_sent_in_order_and_the_answer_comes_in_pieces(
    settings: Settings, note: Path
) -> None:
    pieces, sent = list[str](), list[object]()
    with wire(stream(*CHUNKS)) as server:
        answer = await ask(
            server,
            settings,
            note,
            options=Options(max_tokens=7, seed=1),
            on_text=pieces.append,
            on_progress=sent.append,
        )
        (request,) = server.requests
        body = request.json()
        assert int(request.headers["content-length"]) == request.size
    assert request.path == "/api/v1/chat/completions"
    assert (body["stream"], body["max_tokens"], body["seed"]) == (True, 7, 1)
    assert "temperature" not in body
    first, text, second = body["messages"][0]["content"]
    assert base64.b64decode(first["input_audio"]["data"]) == note.read_bytes()
    assert first["input_audio"]["format"] == "flac"
    assert text == {"type": "text", "text": QUESTION}
    assert base64.b64decode(second["input_audio"]["data"]) == b"RIFF"
    assert len(sent) > 2
    assert [piece for piece in pieces if piece] == ["Nobody", " does."]
    assert answer == Answer("Nobody does.", "stop", MODEL, 2.5, 40, 2, notices=(Notice(**WARNING),))


async def test_a_schema_is_sent_as_openais_clients_do(settings: Settings, note: Path) -> None:
    with wire(stream(chunk("{}"), chunk(None, "length"))) as server:
        answer = await ask(server, settings, note, schema=SCHEMA)
        named = server.requests[0].json()["response_format"]["json_schema"]
    assert named["schema"] == json.loads(SCHEMA)
    assert answer.finish == "length"
    assert answer.structured.json is None  # what was cut off is no data


@pytest.mark.parametrize(
    ("reply", "message"),
    [
        (failure(400, "The model only transcribes."), "The model only transcribes."),
        (stream(chunk("No"), {"error": {"message": "The engine died."}}), "The engine died."),
        (stream(chunk("No"), end=b""), "ended before its response was complete"),
        (stream(end=b"data: {\n\n"), "ended before its response was complete"),
        (stream({"choices": [{"delta": {"content": 1}}]}), "'choices[0].delta.content' is not a"),
        (http(200, {"choices": []}), "is not a Voxgate server"),
        (chunked(b"not JSON"), "is not a Voxgate server"),
    ],
)
async def test_no_half_answer_passes_for_a_whole_one(
    settings: Settings, note: Path, reply: bytes, message: str
) -> None:
    with wire(reply) as server, pytest.raises(ServerError) as caught:
        await ask(server, settings, note)
    assert message in caught.value.sentence
    assert KEY not in caught.value.sentence


async def test_only_models_that_answer_are_listed_where_an_answer_is_wanted(
    settings: Settings,
) -> None:
    models = [
        {"id": "a", "supported_parameters": ["response_format"]},
        {"id": "b", "supported_parameters": ["response_format", "structured_outputs"]},
        {"id": "c"},
    ]
    with wire(http(200, {"data": models}), http(200, {"data": models})) as server:
        async with RemoteSession(server.url, KEY, settings) as remote:
            assert await remote.models(answering=True) == ["b"]
            assert await remote.models() == ["a", "b", "c"]
