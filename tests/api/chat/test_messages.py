"""What messages become, what of them is refused, and what only warned of."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.chat.asking import (
    BASE64,
    SCHEMA,
    SOUND,
    TEXT,
    ask,
    hearing,
    question,
    sound,
    text,
    user,
)
from tests.api.serving import SCRIPTED, error_of, serving
from voxgate.answers.values import Message, SoundPart, TextPart
from voxgate.api.chat.fields import CHAT_FIELDS
from voxgate.api.chat.parse import REFUSED as REFUSED_FIELDS
from voxgate.api.chat.wire import ChatRequest
from voxgate.errors import CODES

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from tests.api.serving import Running
    from voxgate.answers.values import Question

HEARD = SoundPart(11_200)
ASSISTANT = {"role": "assistant", "content": "Four words."}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("chat"), hearing()) as running:
        yield running


async def asked(server: Running, *messages: dict[str, Any], **fields: Any) -> Question:
    """What the model is asked."""
    response = await ask(server, *messages, user=str(len(server.provider.questions)), **fields)
    assert response.status_code == 200, response.text
    return server.provider.questions[-1][0]


def says(*texts: str) -> tuple[TextPart, ...]:
    return tuple(map(TextPart, texts))


CONVERSATIONS: dict[str, tuple[list[dict[str, Any]], list[Message]]] = {
    "a text": ([{"role": "user", "content": "Hi"}], [Message("user", says("Hi"))]),
    "a sound alone": ([user(sound())], [Message("user", (HEARD,))]),
    "their order": (
        [user(sound(), text("What?"), sound())],
        [Message("user", (HEARD, TextPart("What?"), HEARD))],
    ),
    "two systems": (
        [
            {"role": "system", "content": "Be short."},
            user(sound(), text("What?")),
            {"role": "developer", "content": [text("In French.")]},
        ],
        [Message("user", (*says("Be short.", "In French."), HEARD, TextPart("What?")))],
    ),
    "turns": (
        [user(), ASSISTANT, {"role": "user", "content": "Which?"}],
        [
            Message("user", (TextPart("What is said?"), HEARD)),
            Message("assistant", says("Four words.")),
            Message("user", says("Which?")),
        ],
    ),
    "two of one side": (
        [user(text("a")), user(text("b"), sound()), ASSISTANT, ASSISTANT, user(text("c"))],
        [
            Message("user", (*says("a", "b"), HEARD)),
            Message("assistant", says("Four words.", "Four words.")),
            Message("user", says("c")),
        ],
    ),
    "nothing between": (
        [user(text("a")), {"role": "assistant", "content": None}, user(text(""), text("b"))],
        [Message("user", says("a", "b"))],
    ),
    "what a client sends back": (
        [
            user(text("a")),
            {**ASSISTANT, "refusal": None, "tool_calls": [], "audio": None, "prefix": False},
            user(text("b")),
        ],
        [
            Message("user", says("a")),
            Message("assistant", says("Four words.")),
            Message("user", says("b")),
        ],
    ),
    "Mistral's recording": (
        [user({"type": "input_audio", "input_audio": BASE64})],
        [Message("user", (HEARD,))],
    ),
    "a data URL": (
        [
            user(
                {"type": "input_audio", "input_audio": f"data:audio/flac;base64,{BASE64}"},
                sound(f"data:audio/flac;base64,{BASE64}"),
            )
        ],
        [Message("user", (HEARD, HEARD))],
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", CONVERSATIONS)
async def test_what_the_model_is_asked(server: Running, name: str) -> None:
    messages, wanted = CONVERSATIONS[name]
    assert list((await asked(server, *messages)).messages) == wanted


@pytest.mark.asyncio(loop_scope="module")
async def test_options_in_all_spellings(server: Running) -> None:
    found = await asked(
        server,
        temperature=0.5,
        top_p=0.9,
        random_seed=7,
        max_completion_tokens=50,
        stop="END",
        presence_penalty=1,
        frequency_penalty=-1,
    )
    options = found.options
    assert (options.temperature, options.top_p, options.seed) == (0.5, 0.9, 7)
    assert (options.max_tokens, options.stop) == (50, ("END",))
    assert (options.presence_penalty, options.frequency_penalty) == (1, -1)
    both = await asked(server, seed=7, random_seed=7, max_tokens=5, max_completion_tokens=5)
    assert (both.options.seed, both.options.max_tokens) == (7, 5)


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": {"type": "json_schema", "json_schema": {"schema": SCHEMA}}},
        {"structured_outputs": {"json": SCHEMA}},
        {"structured_outputs": {"json": json.dumps(SCHEMA)}},
        {"response_format": {"type": "text"}, "structured_outputs": {"json": SCHEMA}},
    ],
)
async def test_a_schema(server: Running, fields: dict[str, Any]) -> None:
    found = await asked(server, **fields)
    assert found.schema is not None
    assert json.loads(found.schema) == SCHEMA
    assert found.messages == (Message("user", (TextPart("What is said?"), HEARD)),)


@pytest.mark.asyncio(loop_scope="module")
async def test_any_object_and_no_schema(server: Running) -> None:
    assert (await asked(server, response_format={"type": "json_object"})).schema
    for none in ({"response_format": {"type": "text"}}, {"structured_outputs": True}, {}):
        assert (await asked(server, **none)).schema is None


@pytest.mark.asyncio(loop_scope="module")
async def test_a_recording_alone_is_asked_for_its_data(server: Running) -> None:
    found = await asked(server, user(sound()), structured_outputs={"json": SCHEMA})
    heard, task = found.messages[0].parts
    assert heard == HEARD
    assert isinstance(task, TextPart)
    assert json.dumps(SCHEMA, separators=(",", ":")) in task.text


REFUSED: dict[str, tuple[dict[str, Any], str]] = {
    **{
        f"{name}={value}": ({name: value}, f"'{name}' is not taken")
        for name, value in [
            ("tools", [{"type": "function", "function": {"name": "f"}}]),
            ("tool_choice", "auto"),
            ("tool_choice", {"type": "function", "function": {"name": "f"}}),
            ("functions", [{"name": "f"}]),
            ("function_call", "auto"),
            ("n", 2),
            ("n", 0),
            ("logprobs", True),
            ("top_logprobs", 2),
            ("prompt_logprobs", True),
            ("modalities", ["text", "audio"]),
            ("audio", {"voice": "alloy", "format": "wav"}),
            ("prediction", {"type": "content", "content": "a"}),
            ("web_search_options", {}),
            ("guided_json", SCHEMA),
        ]
    },
    "an image": (
        {"messages": [user(text(), {"type": "image_url", "image_url": {"url": "https://e.com"}})]},
        "'messages.0.content.1' of the type 'image_url'",
    ),
    "a document": (
        {"messages": [user({"type": "document_url", "document_url": "https://e.com"})]},
        "of the type 'document_url'",
    ),
    "a thought": (
        {"messages": [user(), {"role": "assistant", "content": [{"type": "thinking"}]}, user()]},
        "'messages.1.content.0' of the type 'thinking'",
    ),
    "a refusal": (
        {"messages": [user(), {"role": "assistant", "content": [{"type": "refusal"}]}, user()]},
        "of the type 'refusal'",
    ),
    "a call": (
        {"messages": [user(), {**ASSISTANT, "tool_calls": [{"id": "1"}]}, user()]},
        "'messages.1.tool_calls' is not taken",
    ),
    "an answer in sound": (
        {"messages": [user(), {"role": "assistant", "audio": {"id": "1"}}, user()]},
        "'messages.1.audio' is not taken",
    ),
    "an assistant's sound": (
        {"messages": [user(), {"role": "assistant", "content": [sound()]}, user()]},
        "only a user's message has recordings",
    ),
    "a prefix": (
        {"messages": [user(), {**ASSISTANT, "prefix": True}]},
        "'messages.1.prefix' is not taken",
    ),
    "an assistant's last word": (
        {"messages": [user(), ASSISTANT]},
        "The last message must be the user's",
    ),
    "headerless samples": (
        {
            "messages": [
                user({"type": "input_audio", "input_audio": {"data": BASE64, "format": "pcm16"}})
            ]
        },
        "'messages.0.content.0.input_audio.format' is not taken",
    ),
    "a file in a file": (
        {"messages": [user({"type": "file", "file": {"file_data": BASE64}})]},
        "'messages.0.content.0.file.file_data' is not taken",
    ),
    "a grammar": (
        {"structured_outputs": {"regex": "a+"}},
        "'structured_outputs.regex' is not done here",
    ),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", REFUSED)
async def test_what_no_model_does(server: Running, name: str) -> None:
    fields, sentence = REFUSED[name]
    response = await server.client.post("/chat/completions", json={**question(), **fields})
    error = error_of(response)
    assert response.status_code == 400
    assert error["metadata"]["code"] == "unsupported_option"
    assert sentence in error["message"]


INVALID: dict[str, tuple[dict[str, Any], str]] = {
    "too many recordings": (
        {"messages": [user(*[{"type": "file", "file_id": "file-1"}] * 9)]},
        "more than 8 recordings",
    ),
    "no messages": ({"messages": []}, "'messages'"),
    "messages that are none": ({"messages": "What?"}, "'messages' should be a list"),
    "a message that is none": ({"messages": ["What?"]}, "'messages.0' should be an object"),
    "no model": ({"model": None}, "no 'model'"),
    "a tool's answer": ({"messages": [{"role": "tool", "content": "a"}]}, "'messages.0.role'"),
    "nothing said": ({"messages": [user(text(""))]}, "neither a text nor a recording"),
    "a system alone": (
        {"messages": [{"role": "system", "content": "a"}]},
        "neither a text nor a recording",
    ),
    "an assistant first": ({"messages": [ASSISTANT, user()]}, "must be the user's"),
    "a text without one": ({"messages": [user({"type": "text"})]}, "'messages.0.content.0.text'"),
    "a recording without one": (
        {"messages": [user({"type": "input_audio", "input_audio": {"format": "wav"}})]},
        "'messages.0.content.0' must have one recording",
    ),
    "two recordings in one": (
        {"messages": [user({**sound(), "file_id": "file-1"})]},
        "'messages.0.content.0' must have one recording",
    ),
    "an empty address": (
        {"messages": [user({"type": "input_audio", "input_audio": {"url": ""}})]},
        "does not begin with http",
    ),
    "an empty recording": ({"messages": [user(sound(""))]}, "empty"),
    "an empty id": ({"messages": [user({"type": "file", "file_id": ""})]}, "file"),
    "no base64": (
        {"messages": [user(text(), sound("@"))]},
        "'messages.0.content.1.input_audio.data' is not base64",
    ),
    "no base64 of Mistral's": (
        {"messages": [user({"type": "input_audio", "input_audio": "data:audio/wav,abc"})]},
        "'messages.0.content.0.input_audio' is not base64",
    ),
    "two seeds": ({"seed": 1, "random_seed": 2}, "'seed' and 'random_seed' are one option"),
    "two schemas": (
        {"response_format": {"type": "json_object"}, "structured_outputs": {"json": SCHEMA}},
        "'response_format' and 'structured_outputs'",
    ),
    "no schema": (
        {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
        "no 'response_format.json_schema.schema'",
    ),
    "an unknown format": ({"response_format": {"type": "grammar"}}, "'response_format.type'"),
    "a schema in no JSON": ({"structured_outputs": {"json": "{"}}, "'structured_outputs.json'"),
    "an empty stop": ({"stop": [""]}, "'stop'"),
    "many stops": ({"stop": [f"word {at}" for at in range(17)]}, "'stop'"),
    "a long stop": ({"stop": "x" * 1001}, "'stop.0'"),
    "a stop in data": ({"stop": "a", "response_format": {"type": "json_object"}}, "'stop' could"),
    "a hot temperature": ({"temperature": 3}, "'temperature'"),
}


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize("name", INVALID)
async def test_what_is_wrong(server: Running, name: str) -> None:
    fields, sentence = INVALID[name]
    response = await server.client.post("/chat/completions", json={**question(), **fields})
    assert response.status_code == 400
    assert sentence in error_of(response)["message"]


@pytest.mark.asyncio(loop_scope="module")
@pytest.mark.parametrize(
    "schema",
    [
        {"$ref": "https://example.org/schema.json"},
        {"$defs": {"a": {"$ref": "#/$defs/a"}}, "$ref": "#/$defs/a"},
        {"enum": list(range(20_000))},
        {"type": "string", "pattern": "(?=a)b"},
        [],
    ],
)
async def test_a_schema_that_is_refused(server: Running, schema: Any) -> None:
    format_ = {"type": "json_schema", "json_schema": {"name": "a", "schema": schema}}
    error = error_of(await ask(server, response_format=format_))
    assert error["code"] == 400
    assert "response_format.json_schema.schema" in error["message"] or "values" in error["message"]
    assert CODES[error["metadata"]["code"]].status == 400


@pytest.mark.asyncio(loop_scope="module")
async def test_what_is_only_warned_of(server: Running) -> None:
    response = await ask(
        server,
        {"role": "system", "content": "Be short."},
        {**user(), "name": "Ada"},
        store=True,
        metadata={"a": "b"},
        reasoning_effort="high",
        safe_prompt=True,
        trace={"id": "1"},
        logit_bias={"1": 1},
        hedge=True,
        provider={"options": {"local": {"temperature": 1}}},
        parallel_tool_calls=True,
        tools=[],
        tool_choice="none",
        n=1,
        modalities=["text"],
        session_id="s",
        user="u",
    )
    assert response.status_code == 200
    assert response.headers["x-voxgate-warning"] == "system_in_question, unused_option"
    sentences = [each["sentence"] for each in response.json()["warnings"]]
    named = {sentence.split("'")[1] for sentence in sentences[1:]}
    assert named == {
        *("store", "metadata", "reasoning_effort", "safe_prompt", "trace", "logit_bias"),
        *("hedge", "provider.options.local", "messages.name"),
    }
    strict = {"provider": {"require_parameters": True}}
    assert (await ask(server, {"role": "system", "content": "a"}, user(), **strict)).json()["id"]
    refused = error_of(await ask(server, store=True, **strict))
    assert "require_parameters" in refused["message"]


def test_the_table_has_every_field() -> None:
    listed = {field.name.partition(".")[0] for field in CHAT_FIELDS}
    assert {*ChatRequest.model_fields, *REFUSED_FIELDS} <= listed


@pytest.mark.asyncio(loop_scope="module")
async def test_a_model_that_only_transcribes(server: Running) -> None:
    error = error_of(await ask(server, model="Systran/faster-whisper-base"))
    assert error["metadata"]["code"] == "unsupported_option"
    assert "does not answer questions" in error["message"]
    missing = await ask(server, model="scripted/two")
    assert missing.status_code == 404
    several = await ask(server, model="Systran/faster-whisper-base", models=[SCRIPTED])
    assert several.json()["model"] == SCRIPTED
    assert several.json()["choices"][0]["message"]["content"] == TEXT


@pytest.mark.asyncio(loop_scope="module")
async def test_other_bodies_are_refused(server: Running) -> None:
    client = server.client
    form = await client.post("/chat/completions", files={"file": ("a.flac", SOUND)})
    raw = await client.post(
        "/chat/completions", content=SOUND, headers={"Content-Type": "audio/flac"}
    )
    broken = await client.post(
        "/chat/completions", content=b'{"messages"', headers={"Content-Type": "application/json"}
    )
    assert [each.status_code for each in (form, raw, broken)] == [415, 415, 400]
