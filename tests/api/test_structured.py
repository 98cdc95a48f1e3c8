"""Data by a schema beside a transcript: its requests, its place in responses, and its price."""

from __future__ import annotations

import asyncio
import json
import math
from typing import TYPE_CHECKING, Any

import pytest

from tests.api.serving import (
    FILE,
    SCRIPTED,
    error_of,
    model_spec,
    new_key,
    recording,
    serving,
    with_key,
)
from tests.clients.client import NODE_OPENAI, OPENAI
from tests.scripted import Scripted
from tests.sounds import SAMPLE, sample
from voxgate.answers.values import SoundPart, TextPart
from voxgate.errors import EngineError
from voxgate.pipeline.session import Session
from voxgate.prices import TOKENS_PER_S, parse_prices

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voxgate.answers.values import Question
    from voxgate.settings import Settings

SCHEMA = {
    "type": "object",
    "properties": {"digits": {"type": "array", "items": {"type": "integer"}}},
    "required": ["digits"],
    "additionalProperties": False,
}
DATA = {"digits": [4, 2]}
NAMED = {"name": "digits", "description": "What is counted.", "schema": SCHEMA, "strict": True}
FORMAT = {"type": "json_schema", "json_schema": NAMED}
OUTPUTS = {"json": SCHEMA}
READER = "scripted/reader"
TOKENS = len(json.dumps(DATA).split())  # as a scripted model counts them
LENGTH_S = len(sample()) / 16_000


def answering(says: Callable[[Question], str] | None = None, **more: Any) -> Scripted:
    return Scripted(answers=says or (lambda _: json.dumps(DATA)), hears_s=60.0, **more)


async def test_the_data_stands_beside_the_text(tmp_path: Path) -> None:
    async with serving(tmp_path, answering()) as server:
        response = await server.post(recording(response_format=FORMAT))
    assert response.status_code == 200
    body = response.json()
    assert body["text"].startswith("from ")
    assert (body["structured"], body["structured_finish_reason"]) == (DATA, "stop")
    assert "warnings" not in body
    ((question, (sound,)),) = server.provider.questions
    assert json.loads(question.schema or "")["required"] == ["digits"]
    (message,) = question.messages
    heard, text = message.parts
    assert heard == SoundPart(sound.samples) == SoundPart(len(sample()))
    assert isinstance(text, TextPart)
    assert "What is counted." in text.text


async def test_it_stands_beside_the_times_of_the_text_as_well(tmp_path: Path) -> None:
    fields = {"response_format": "verbose_json", "structured_outputs": OUTPUTS}
    async with serving(tmp_path, answering()) as server:
        body = (await server.post(recording(**fields))).json()
        as_text = {"json": json.dumps(SCHEMA)}
        again = await server.post(recording(response_format="json", structured_outputs=as_text))
    assert body["structured"] == again.json()["structured"] == DATA
    assert body["segments"]
    assert body["duration"] == pytest.approx(len(sample()) / 16_000, abs=0.001)


@pytest.mark.parametrize(
    "fields",
    [
        {"response_format": json.dumps(FORMAT)},
        {"response_format": "verbose_json", "structured_outputs": json.dumps(OUTPUTS)},
    ],
)
async def test_a_form_and_an_address_have_it_as_the_text_of_json(
    tmp_path: Path, fields: dict[str, str]
) -> None:
    given = {"model": SCRIPTED, **fields}
    async with serving(tmp_path, answering()) as server:
        form = await server.client.post("/audio/transcriptions", data=given, files=FILE)
        raw = await server.client.post(
            "/audio/transcriptions",
            params=given,
            content=SAMPLE.read_bytes(),
            headers={"content-type": "audio/flac"},
        )
    assert form.json()["structured"] == raw.json()["structured"] == DATA


async def test_a_schema_in_pieces_is_refused_with_the_way_to_send_it(tmp_path: Path) -> None:
    pieces = {
        "model": SCRIPTED,
        "response_format[type]": "json_schema",
        "response_format[json_schema][name]": "digits",
        "response_format[json_schema][schema][type]": "object",
    }
    async with serving(tmp_path, answering()) as server:
        response = await server.client.post("/audio/transcriptions", data=pieces, files=FILE)
        plain = {"model": SCRIPTED, "response_format[type]": "text"}
        text = await server.client.post("/audio/transcriptions", data=plain, files=FILE)
    assert response.status_code == 400
    assert "response_format=json.dumps(...)" in error_of(response)["message"]
    assert text.json()["text"]
    assert server.provider.questions == []


async def test_openais_clients_get_data_and_are_told_how_to_send_a_schema(tmp_path: Path) -> None:
    text = json.dumps(FORMAT)
    more = {"structured_outputs": json.dumps(OUTPUTS)}
    async with serving(tmp_path, answering()) as server:
        named, beside, in_pieces = await OPENAI.do(
            OPENAI.transcription(server, response_format=text),
            OPENAI.transcription(server, response_format="verbose_json", extra_body=more),
            OPENAI.repeating_nothing().transcription(server, response_format=FORMAT),
        )
        (typescript,) = await NODE_OPENAI.do(
            NODE_OPENAI.transcription(server, response_format=text)
        )
    for each in (named, beside, typescript):
        assert each["value"]["structured"] == DATA
        assert each["value"]["text"]
    assert beside["type"] == "TranscriptionVerbose"
    OPENAI.raised(in_pieces, 400, "response_format=json.dumps(...)")


async def test_what_was_cut_off_is_null_and_a_warning(tmp_path: Path) -> None:
    provider = answering(honours=frozenset({"max_tokens"}))
    async with serving(tmp_path, provider) as server:
        response = await server.post(recording(response_format=FORMAT, max_tokens=1))
    body = response.json()
    assert response.status_code == 200
    assert body["text"]
    assert (body["structured"], body["structured_finish_reason"]) == (None, "length")
    codes = [warning["code"] for warning in body["warnings"]]
    assert codes == response.headers["x-voxgate-warning"].split(", ") == ["incomplete_answer"]


@pytest.mark.parametrize("text", ["1e400", "9" * 5000, "[" * 5000 + "]" * 5000])
async def test_data_that_no_reader_takes_is_an_error(tmp_path: Path, text: str) -> None:
    async with serving(tmp_path, answering(lambda _: text)) as server:
        response = await server.post(recording(structured_outputs={"json": {}}))
    assert response.status_code == 400
    assert error_of(response)["metadata"]["code"] == "unsupported_schema"


@pytest.mark.parametrize(
    ("fields", "status", "code", "message"),
    [
        *(
            (
                {"response_format": name, "structured_outputs": OUTPUTS},
                400,
                "unsupported_option",
                f"'{name}' has no place for data ('structured_outputs')",
            )
            for name in ("text", "srt", "vtt")
        ),
        (
            {"response_format": FORMAT, "stream": True},
            400,
            "unsupported_option",
            "/chat/completions",
        ),
        (
            {"response_format": FORMAT, "structured_outputs": OUTPUTS},
            400,
            "invalid_request",
            "two schemas",
        ),
        ({"response_format": {"type": "json_schema"}}, 400, "invalid_request", "no schema"),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"name": "a"}}},
            400,
            "invalid_request",
            "no 'response_format.json_schema.schema'",
        ),
        ({"response_format": {"type": "xml"}}, 400, "invalid_request", "'response_format.type'"),
        (
            {"structured_outputs": {"regex": "a+"}},
            400,
            "unsupported_option",
            "'structured_outputs.regex'",
        ),
        (
            {"structured_outputs": {"json": "{"}},
            400,
            "invalid_request",
            "'structured_outputs.json' is not JSON",
        ),
        (
            {"structured_outputs": {"json": {"$ref": "https://example.com/a.json"}}},
            400,
            "unsupported_schema",
            "'structured_outputs.json'",
        ),
        (
            {"response_format": {"type": "json_schema", "json_schema": {"schema": 7}}},
            400,
            "unsupported_schema",
            "'response_format.json_schema.schema'",
        ),
    ],
)
async def test_what_has_no_data_is_refused_before_any_work(
    tmp_path: Path, fields: dict[str, Any], status: int, code: str, message: str
) -> None:
    async with serving(tmp_path, answering()) as server:
        response = await server.post(recording(**fields))
    assert response.status_code == status
    error = error_of(response)
    assert error["metadata"]["code"] == code
    assert message in error["message"]
    assert server.provider.windows == []


@pytest.mark.parametrize("kind", ["text", "json_object"])
async def test_objects_without_a_schema_are_plain_json(tmp_path: Path, kind: str) -> None:
    async with serving(tmp_path) as server:  # which only transcribes
        body = (await server.post(recording(response_format={"type": kind}))).json()
    assert body["text"]
    assert "structured" not in body


@pytest.mark.parametrize(
    "fields",
    [{"response_format": FORMAT}, {"structured_outputs": OUTPUTS}, {"structured_outputs": True}],
)
async def test_a_model_that_only_transcribes_is_refused_before_any_work(
    tmp_path: Path, fields: dict[str, Any]
) -> None:
    async with serving(tmp_path) as server:
        response = await server.post(recording(**fields))
    error = error_of(response)
    assert (response.status_code, error["metadata"]["code"]) == (400, "unsupported_option")
    assert f"{SCRIPTED} does not answer questions." in error["message"]
    assert server.provider.windows == []


async def test_a_promise_that_data_could_be_asked_for_asks_for_none(tmp_path: Path) -> None:
    insisting = {"structured_outputs": True, "provider": {"require_parameters": True}}
    async with serving(tmp_path, answering()) as server:
        body = (await server.post(recording(**insisting))).json()
    assert body["text"]
    assert "structured" not in body
    assert server.provider.questions == []


async def test_headerless_sound_is_heard_as_it_was_transcribed(tmp_path: Path) -> None:
    data = sample()[:32_000].astype("<i2").tobytes()
    body = recording(data, response_format=FORMAT)
    body["input_audio"]["format"] = "pcm"
    async with serving(tmp_path, answering()) as server:
        response = await server.post(body)
    assert response.json()["structured"] == DATA
    ((_, (sound,)),) = server.provider.questions
    assert sound.samples == 32_000


async def test_a_recording_that_is_too_long_to_be_heard_is_read_as_it_was_transcribed(
    tmp_path: Path,
) -> None:
    provider = answering()
    provider.hears_s = 1.0
    async with serving(tmp_path, provider) as server:
        body = (await server.post(recording(response_format=FORMAT))).json()
    assert body["structured"] == DATA
    ((question, sounds),) = provider.questions
    assert sounds == []
    assert any(body["text"] in part.text for part in question.messages[0].parts)  # type: ignore[union-attr]
    assert len(provider.windows) == len({window.start for window in provider.windows})  # once


async def test_equal_requests_share_the_data_and_others_do_not(tmp_path: Path) -> None:
    gate = asyncio.Event()
    async with serving(tmp_path, answering(gate=lambda _: gate.wait())) as server:
        other = {**FORMAT, "json_schema": {**NAMED, "schema": {"type": "object"}}}
        asked = [recording(response_format=each) for each in (FORMAT, FORMAT, other, "json")]
        waiting = [asyncio.create_task(server.post(body)) for body in asked]
        gate.set()
        responses = await asyncio.gather(*waiting)
    assert [response.json().get("structured") for response in responses] == [DATA] * 3 + [None]
    ids = [response.headers["x-generation-id"] for response in responses]
    assert len(set(ids)) == 3
    assert len(server.provider.questions) == 2


async def test_where_the_data_fails_the_request_fails_and_costs_nothing(tmp_path: Path) -> None:
    failures = [EngineError("It stalled.", code="engine_stalled")] * 4

    def says(_: Question) -> str:
        if failures:
            raise failures.pop()
        return json.dumps(DATA)

    prices = parse_prices(f"{SCRIPTED} = 0.001/second", "this test")
    async with serving(tmp_path, answering(says), prices=prices) as server:
        failed = await server.post(recording(response_format=FORMAT))
        params = {"id": failed.headers["x-generation-id"]}
        facts = (await server.client.get("/generation", params=params)).json()["data"]
        failures.clear()
        again = await server.post(recording(response_format=FORMAT))
    assert failed.status_code >= 500
    assert facts["total_cost"] == 0
    assert again.json()["structured"] == DATA
    assert again.json()["usage"]["cost"] > 0


async def test_the_tokens_of_the_data_are_charged_and_the_sound_once(tmp_path: Path) -> None:
    by_token = parse_prices(f"{SCRIPTED} = 2.00/million tokens", "this test")
    provider = answering()
    provider.says = lambda *_: "one two three"
    async with serving(tmp_path, provider, prices=by_token) as server:
        plain = (await server.post(recording())).json()["usage"]
        usage = (await server.post(recording(response_format=FORMAT))).json()["usage"]
    assert usage["seconds"] == plain["seconds"]
    assert usage["output_tokens"] == plain["output_tokens"] + TOKENS
    assert usage["cost"] == pytest.approx(usage["output_tokens"] * 2e-6)


async def test_another_model_may_read_what_the_model_wrote(tmp_path: Path) -> None:
    writer = Scripted()
    reader = Scripted(answers=lambda _: json.dumps(DATA), name=READER)
    providers = {SCRIPTED: writer, READER: reader}
    prices = parse_prices(f"{SCRIPTED} = 0.001/second, {READER} = 2.00/million tokens", "this test")

    def session(settings: Settings) -> Session:
        return Session(
            settings,
            models={name: model_spec(name, each) for name, each in providers.items()},
            start=lambda spec, _: providers[spec.name],
        )

    async with serving(tmp_path, session=session, prices=prices, answer_model=READER) as server:
        plain = (await server.post(recording())).json()["usage"]
        body = (await server.post(recording(response_format=FORMAT))).json()
        card = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
    assert body["structured"] == DATA
    assert body["model"] == SCRIPTED
    ((question, sounds),) = reader.questions
    assert sounds == []
    assert any(body["text"] in part.text for part in question.messages[0].parts)  # type: ignore[union-attr]
    assert "structured_outputs" in card["supported_parameters"]
    assert body["usage"]["cost"] == pytest.approx(plain["cost"] + TOKENS * 2e-6)


async def test_no_answer_exceeds_a_budget(tmp_path: Path) -> None:
    by_token = parse_prices(f"{SCRIPTED} = 1/token", "this test")
    provider = answering(honours=frozenset({"max_tokens"}))
    provider.says = lambda *_: ""
    async with serving(tmp_path, provider, prices=by_token) as server:
        sound = math.ceil(LENGTH_S * TOKENS_PER_S)  # dollars that are reserved for it
        body = recording(response_format=FORMAT, max_tokens=TOKENS)
        secret = await new_key(server, "a", limit_nanodollars=(sound + TOKENS - 1) * 10**9)
        poor = await server.post(body, headers=with_key(secret))
        assert provider.questions == []
        secret = await new_key(server, "b", limit_nanodollars=(sound + TOKENS) * 10**9)
        rich = await server.post(body, headers=with_key(secret))
    assert error_of(poor)["metadata"]["code"] == "budget_exceeded"
    assert rich.json()["usage"]["cost"] == TOKENS


async def test_models_say_whether_they_give_data(tmp_path: Path) -> None:
    async with serving(tmp_path / "a", answering()) as server:
        able = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
    async with serving(tmp_path / "b") as server:
        unable = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
    assert "structured_outputs" in able["supported_parameters"]
    assert "structured_outputs" not in unable["supported_parameters"]
    assert "response_format" in unable["supported_parameters"]
