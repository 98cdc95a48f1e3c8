"""The transcription route, through a real server: what comes back, and how failures look."""

from __future__ import annotations

import asyncio
import base64
import json
import math
import re
from typing import TYPE_CHECKING, Any

import httpx2
import numpy as np
import pytest
import pytest_asyncio

from tests.api.serving import ABSENT, ALIAS, SCRIPTED, Running, error_of, recording, serving
from tests.processes import until
from tests.scripted import Scripted
from tests.sounds import RATE, SAMPLE, encode, sample
from voxgate import errors
from voxgate.transcript.values import Decoding

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

pytestmark = pytest.mark.asyncio(loop_scope="module")

ID = re.compile(r"gen-stt-\d{10}-[A-Za-z0-9]{20}")
FILE = {"file": ("note.flac", SAMPLE.read_bytes(), "audio/flac")}
MODEL = {"model": SCRIPTED}


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    async with serving(tmp_path_factory.mktemp("server")) as running:
        yield running


async def test_json_by_default(server: Running) -> None:
    response = await server.post(recording())
    assert response.status_code == 200
    body = response.json()
    assert body["text"].startswith("from 0.")
    assert body["model"] == SCRIPTED
    assert body["language"] == "en"
    assert body["usage"]["seconds"] == pytest.approx(len(sample()) / RATE, abs=0.001)
    assert body["usage"]["cost"] == 0
    assert body["usage"]["prompt_audio_seconds"] == math.ceil(body["usage"]["seconds"])
    assert "segments" not in body
    assert "warnings" not in body
    assert None not in body.values()
    assert ID.fullmatch(response.headers["x-generation-id"])
    assert response.headers["x-request-id"] == response.headers["x-generation-id"]


async def test_verbose_json_has_segments_and_words_when_asked(server: Running) -> None:
    plain = (await server.post(recording(response_format="verbose_json"))).json()
    assert plain["task"] == "transcribe"
    assert plain["duration"] == plain["usage"]["seconds"]
    assert "words" not in plain
    segment = plain["segments"][0]
    assert segment["id"] == 0
    assert segment["type"] == "transcription_segment"
    assert 0 <= segment["start"] <= segment["end"] <= plain["duration"]
    wanted = {"response_format": "verbose_json", "timestamp_granularities": ["word", "segment"]}
    with_words = (await server.post(recording(**wanted))).json()
    assert [word["word"] for word in with_words["words"]] == with_words["text"].split()
    assert {word["time_source"] for word in with_words["words"]} == {"interpolated"}


async def test_granularities_without_a_format_give_verbose_json(server: Running) -> None:
    data = {**MODEL, "timestamp_granularities": "segment", "stream": "false", "diarize": "false"}
    answer = await server.client.post("/audio/transcriptions", data=data, files=FILE)
    assert answer.json()["segments"][0]["type"] == "transcription_segment"


async def test_words_alone_without_a_format_are_segments_as_in_mistrals_api(
    server: Running,
) -> None:
    both = (await server.post(recording(timestamp_granularities=["word", "segment"]))).json()
    alone = (await server.post(recording(timestamp_granularities=["word"]))).json()
    assert len(both["segments"]) == 1 < len(both["words"])
    assert alone["words"] == both["words"]
    times = [(each["text"], each["start"], each["end"]) for each in alone["segments"]]
    assert times == [(word["word"], word["start"], word["end"]) for word in both["words"]]
    assert {each["type"] for each in alone["segments"]} == {"transcription_segment"}


@pytest.mark.parametrize(
    ("name", "kind", "head"),
    [
        ("text", "text/plain; charset=utf-8", "from"),
        ("srt", "application/x-subrip; charset=utf-8", "1\n00:00:0"),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT"),
    ],
)
async def test_text_and_subtitles(server: Running, name: str, kind: str, head: str) -> None:
    response = await server.post(recording(response_format=name))
    assert response.status_code == 200
    assert response.headers["content-type"] == kind
    assert response.text.startswith(head)


async def test_a_form_is_as_good_as_json(server: Running) -> None:
    data = {**MODEL, "timestamp_granularities[]": ["word"], "response_format": "verbose_json"}
    of_form = await server.client.post("/audio/transcriptions", data=data, files=FILE)
    wanted = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
    assert of_form.json() == (await server.post(recording(**wanted))).json()


async def test_the_same_routes_are_at_v1(server: Running) -> None:
    response = await server.client.post(f"{server.url}/v1/audio/transcriptions", json=recording())
    assert response.status_code == 200


@pytest.mark.parametrize("form", [True, False])
async def test_channels_are_split_and_tracks_are_chosen(server: Running, form: bool) -> None:
    stereo = encode(np.stack([sample(), sample()]), "call.flac")
    fields: dict[str, Any] = {"response_format": "verbose_json", "channels": "split"}
    words = {"timestamp_granularities": ["word"], "track": "1" if form else 1}
    if form:
        files = {"file": ("call.flac", stereo)}
        data = {**MODEL, **fields, **words}
        answer = await server.client.post("/audio/transcriptions", data=data, files=files)
    else:
        answer = await server.post(recording(stereo, **fields, **words))
    body = answer.json()
    assert {segment["channel"] for segment in body["segments"]} == {1, 2}
    assert {word["channel"] for word in body["words"]} == {1, 2}
    mixed = (await server.post(recording(stereo, response_format="verbose_json"))).json()
    assert all("channel" not in segment for segment in mixed["segments"])


@pytest.mark.parametrize(
    ("fields", "says"),
    [
        ({"track": "7"}, "no track 7. Its sound tracks are: 1."),
        ({"channels": "separate"}, "'channels' should be 'mix' or 'split'"),
        ({"channels": "split", "max_tokens": 3}, "split channels have a text each"),
    ],
)
async def test_a_wrong_choice_of_the_sound_is_refused(
    server: Running, fields: dict[str, Any], says: str
) -> None:
    response = await server.post(recording(**fields))
    assert response.status_code == 400
    assert says in error_of(response)["message"]


@pytest.mark.parametrize("path", ["/audio/transcriptions/", "/audio/transcriptions//"])
async def test_a_slash_at_the_end_changes_nothing(server: Running, path: str) -> None:
    """It is never a redirect, which would send the key to the host in 'Host'."""
    answer = await server.client.post(path, json=recording(), headers={"Host": "evil.example"})
    assert answer.status_code == 200
    assert answer.json()["text"]
    for page in (f"/models/{SCRIPTED}/", "/models/", f"/models/{SCRIPTED}/endpoints/"):
        assert (await server.client.get(page)).status_code == 200


@pytest.mark.parametrize("text", ["word,segment", " word , segment", '["word", "segment"]', "word"])
async def test_a_list_may_be_one_field_of_a_form(server: Running, text: str) -> None:
    data = {**MODEL, "response_format": "verbose_json", "timestamp_granularities": text}
    answer = await server.client.post("/audio/transcriptions", data=data, files=FILE)
    assert answer.json()["words"]


async def test_vocabulary_in_one_field_of_a_form(tmp_path: Path) -> None:
    able = Scripted(vocabulary=True)
    async with serving(tmp_path, able) as server:
        for text in ("Grüße, Ada Lovelace,Kyiv,", '["Grüße", "Ada Lovelace", "Kyiv"]'):
            data = {**MODEL, "context_bias": text}
            answer = await server.client.post("/audio/transcriptions", data=data, files=FILE)
            assert answer.status_code == 200
            assert able.options[-1].vocabulary == ("Grüße", "Ada Lovelace", "Kyiv")


async def test_an_empty_field_is_one_that_was_left_out(server: Running) -> None:
    empty = {"response_format": "", "temperature": "", "language": "", "prompt": "", "x": ""}
    answer = await server.client.post("/audio/transcriptions", data={**MODEL, **empty}, files=FILE)
    assert answer.status_code == 200
    assert answer.json()["text"]
    assert "warnings" not in answer.json()
    verbose = {**MODEL, "response_format": "", "timestamp_granularities": "word"}
    answer = await server.client.post("/audio/transcriptions", data=verbose, files=FILE)
    assert answer.json()["words"]
    missing = await server.client.post("/audio/transcriptions", data={"model": ""}, files=FILE)
    assert "no 'model'" in error_of(missing)["message"]


async def test_headerless_pcm(server: Running) -> None:
    body = recording(sample().tobytes())
    body["input_audio"]["format"] = "pcm"
    answer = (await server.post(body)).json()
    assert answer["usage"]["seconds"] == pytest.approx(len(sample()) / RATE, abs=0.001)


async def test_silence_is_an_empty_text(server: Running) -> None:
    silence = encode(sample() * 0, "silence.wav")
    assert (await server.post(recording(silence))).json()["text"] == ""


@pytest.mark.parametrize("client", ["mistral-client-python/3.7.0", "mistral-client-typescript/2.7"])
async def test_mistral_alone_gets_null_for_an_unknown_language(
    server: Running, client: str
) -> None:
    silence = encode(sample() * 0, "silence.wav")
    plain = await server.post(recording(silence))
    assert "language" not in plain.json()
    mistral = {"User-Agent": client}
    assert (await server.post(recording(silence), headers=mistral)).json()["language"] is None


AI_SDK = {"User-Agent": "ai/7.0.173 ai-sdk-provider-utils/5.0.81 node.js/24"}


async def test_the_ai_sdk_alone_gets_measures_that_nobody_took(server: Running) -> None:
    for headers, has in ({}, False), (AI_SDK, True):
        body = recording(response_format="verbose_json")
        (segment,) = (await server.post(body, headers=headers)).json()["segments"]
        for name in ("avg_logprob", "compression_ratio", "no_speech_prob"):
            assert (name in segment) is has


async def test_the_ai_sdk_reads_the_sentence_of_an_error_where_mistral_has_it(
    server: Running,
) -> None:
    for path in ("/audio/transcriptions", "/nowhere"):
        plain = await server.client.post(path, json=recording(language="eo"))
        told = await server.client.post(path, json=recording(language="eo"), headers=AI_SDK)
        error = told.json().pop("error")
        assert plain.json() == {"error": error}
        assert told.json()["object"] == "error"
        assert told.json()["message"] == error["message"]
        assert told.json()["code"] == str(told.status_code)


async def test_hints_that_are_not_used_are_warned_of(server: Running) -> None:
    hints = {"prompt": "Voxgate", "temperature": 0.2, "provider": {"options": {"mistral": {}}}}
    response = await server.post(recording(**hints, xyzzy=1))
    said = [warning["sentence"] for warning in response.json()["warnings"]]
    assert [sentence.split("'")[1] for sentence in said] == [
        *("temperature", "prompt", "xyzzy", "provider.options.mistral")
    ]
    assert response.headers["x-voxgate-warning"] == "unused_option"
    hints["provider"] = {"require_parameters": True}
    refused = await server.post(recording(**hints))
    assert refused.status_code == 400
    assert "'temperature'" in error_of(refused)["message"]


async def test_a_hint_that_is_too_long_gives_a_warning_and_an_option_is_refused(
    server: Running,
) -> None:
    long = "x" * 70_000
    warned = (await server.post(recording(prompt=long))).json()
    assert "'prompt'" in warned["warnings"][0]["sentence"]
    refused = await server.post(recording(language=long))
    assert refused.status_code == 400
    assert "'language' is longer" in error_of(refused)["message"]


async def test_further_unused_fields_are_counted(server: Running) -> None:
    many = {f"field_{number}": 1 for number in range(33)}
    warnings = (await server.post(recording(**many))).json()["warnings"]
    assert len(warnings) == 21
    assert warnings[-1]["sentence"].startswith("13 more ")


async def test_fields_that_clients_always_send_are_accepted(server: Running) -> None:
    nothing = dict.fromkeys(("response_format", "timestamp_granularities", "provider", "user"))
    assert (await server.post(recording(**nothing))).status_code == 200
    always = {"diarize": False, "stream": False, "temperature": 0, "seed": None, "language": ""}
    harmless = {"provider": {"zdr": True, "data_collection": "deny", "order": None}, "stop": []}
    response = await server.post(recording(**always, **harmless, models=None, xyzzy=None))
    assert response.status_code == 200
    assert "warnings" not in response.json()


async def test_a_model_that_honours_options_gets_them(tmp_path: Path) -> None:
    able = Scripted(
        honours=frozenset({"temperature", "seed", "max_tokens", "stop"}),
        says=lambda _, options: " ".join(["one", "two", "three"][: options.max_tokens]),
    )
    wanted = {"temperature": 0.5, "seed": 7, "response_format": "verbose_json"}
    insisting = {"provider": {"require_parameters": True}}
    async with serving(tmp_path, able) as server:
        answer = await server.post(recording(**wanted, **insisting, max_tokens=2))
        assert answer.json()["text"] == "one two"
        assert answer.json()["segments"][0]["temperature"] == 0.5
        assert "x-voxgate-warning" not in answer.headers
        (options,) = able.options
        assert (options.temperature, options.max_tokens) == (0.5, 2)
        stopped = await server.post(recording(stop="three"))
        assert stopped.json()["text"] == "one two"
        refused = await server.post(recording(presence_penalty=1))
        assert refused.status_code == 400
        assert "'presence_penalty'" in error_of(refused)["message"]
        described = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
        assert described["supported_parameters"] == [
            *("max_tokens", "seed", "stop", "temperature", "response_format")
        ]


async def test_vocabulary_reaches_a_model_that_uses_it(tmp_path: Path) -> None:
    taking = Scripted(vocabulary=True)
    named = {"keyterms": ["Voxgate"], "provider": {"require_parameters": True}}
    async with serving(tmp_path, taking) as server:
        answer = await server.post(recording(**named))
        assert answer.status_code == 200, answer.text
        assert "warnings" not in answer.json()
        assert {options.vocabulary for options in taking.options} == {("Voxgate",)}
        described = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
        assert described["voxgate"]["vocabulary"]


async def test_a_translation_is_a_path_of_its_own(tmp_path: Path) -> None:
    able = Scripted(translates=True, language=lambda _: ("de", 0.75))
    path = "/audio/translations"
    async with serving(tmp_path, able) as server:
        plain = await server.client.post(path, data={"model": SCRIPTED}, files=FILE)
        assert plain.status_code == 200, plain.text
        assert (plain.json()["language"], plain.json()["source_language"]) == ("en", "de")
        verbose = await server.client.post(path, json=recording(response_format="verbose_json"))
        assert verbose.json()["task"] == "translate"
        assert verbose.json()["language_probability"] == 0.75
        assert {options.task for options in able.options} == {"translate"}
        for name in ("text", "srt", "vtt"):
            answer = await server.client.post(path, json=recording(response_format=name))
            assert "from" in answer.text
        transcribed = await server.post(recording(response_format="verbose_json"))
        assert (transcribed.json()["task"], transcribed.json()["language"]) == ("transcribe", "de")
        contradiction = await server.post(recording(task="translate"))
        assert contradiction.status_code == 400
        assert "/audio/translations" in error_of(contradiction)["message"]
        described = (await server.client.get(f"/model/{SCRIPTED}")).json()["data"]
        assert described["voxgate"]["translates"]


async def test_a_translation_by_a_model_that_cannot_is_refused(server: Running) -> None:
    before = len(server.provider.windows)
    refused = await server.client.post("/audio/translations", json=recording())
    assert refused.status_code == 400
    assert error_of(refused)["metadata"]["code"] == "unsupported_option"
    assert "scripted/one cannot translate." in error_of(refused)["message"]
    assert len(server.provider.windows) == before


async def test_a_doubtful_segment_says_so_with_what_the_model_knows(tmp_path: Path) -> None:
    doubtful = Scripted(doubt="is unlikely", decoding=Decoding(-1.5, 1.25, 0.5, 0.4))
    async with serving(tmp_path, doubtful) as server:
        body = (await server.post(recording(response_format="verbose_json"))).json()
    for segment in body["segments"]:
        assert (segment["doubtful"], segment["doubt"]) == (True, "is unlikely")
        assert (segment["avg_logprob"], segment["compression_ratio"]) == (-1.5, 1.25)
        assert (segment["no_speech_prob"], segment["temperature"]) == (0.5, 0.4)


async def test_ten_thousand_words_of_vocabulary(tmp_path: Path) -> None:
    words = [f"word{number}" for number in range(10_000)]
    taking = Scripted(vocabulary=True)
    async with serving(tmp_path, taking) as server:
        assert (await server.post(recording(keyterms=words))).status_code == 200
        refused = await server.post(recording(keyterms=[*words, "more"]))
        assert refused.status_code == 400
        assert "'keyterms'" in error_of(refused)["message"]
    assert {options.vocabulary for options in taking.options} == {tuple(words)}


async def test_a_model_without_times_is_timed_by_the_speech(tmp_path: Path) -> None:
    timeless = Scripted(times="none", confidence=0.5, says=lambda *_: "one two three")
    wanted = {"response_format": "verbose_json", "timestamp_granularities": ["word"]}
    async with serving(tmp_path, timeless) as server:
        body = (await server.post(recording(**wanted))).json()
    assert body["text"] == "one two three"
    for segment in body["segments"]:
        assert segment["time_source"] == "speech_region"
        assert segment["confidence"] == 0.5
        assert segment["avg_logprob"] == pytest.approx(math.log(0.5), abs=1e-4)
    assert [word["time_source"] for word in body["words"]] == ["interpolated"] * 3


def without(name: str) -> dict[str, Any]:
    return {key: value for key, value in recording().items() if key != name}


def with_data(data: Any, **fields: Any) -> dict[str, Any]:
    return recording() | {"input_audio": {"data": data, **fields}}


BAD: list[tuple[str, Any, int, str]] = [
    ("not JSON", b"{", 400, "JSON"),
    ("an array", b"[]", 400, "object"),
    ("NaN", b'{"temperature": NaN}', 400, "NaN"),
    ("nesting", b"[" * 100_000, 400, ""),
    ("no audio", without("input_audio"), 400, "input_audio"),
    ("no model", without("model"), 400, "'model'"),
    ("audio of a wrong kind", {**recording(), "input_audio": "x"}, 400, "input_audio"),
    ("data of a wrong kind", with_data(7), 400, "input_audio"),
    ("a data URI", with_data("data:audio/wav;base64,AAAA"), 400, "data URI"),
    ("bad base64", with_data("AAA!"), 400, "base64"),
    ("text", with_data(base64.b64encode(b"Hello, this is a text.").decode()), 400, "the recording"),
    ("no bytes", with_data(""), 400, "empty"),
    ("a format", recording(response_format="docx"), 400, "response_format"),
    ("a schema", recording(response_format={"type": "json_schema"}), 400, "response_format"),
    ("a list of formats", recording(response_format={"type": []}), 400, "response_format"),
    ("a language", recording(language="tlh"), 400, "en, de"),
    ("temperature", recording(temperature=99), 400, "'temperature'"),
    ("granularity", recording(timestamp_granularities=["day"]), 400, "timestamp_granularities"),
    ("stream", recording(stream=True, response_format="srt"), 400, "'srt' cannot be streamed"),
    ("diarize", recording(diarize=True), 400, "'diarize': it does not tell speakers apart"),
    ("speakers", recording(known_speaker_names=["a"]), 400, "'known_speaker_names': it does not"),
    ("a format of speakers", recording(response_format="diarized_json"), 400, "speakers apart"),
    ("logprobs", recording(include=["logprobs"]), 400, "no probabilities of tokens"),
    ("a strategy", recording(chunking_strategy={"type": "x"}), 400, "'chunking_strategy' must be"),
    ("a kept file", {**MODEL, "file_id": "f"}, 400, "keeps no files"),
    (
        "a file beside it",
        recording(file_id="f"),
        400,
        "2 recordings: 'input_audio.data', 'file_id'",
    ),
    ("an address", with_data(None, url="https://e.com/a"), 400, "have its operator set"),
    ("routing", recording(provider={"only": ["mistral"]}), 404, "'provider.only' names mistral"),
    ("routing away", recording(provider={"ignore": ["Local"]}), 404, "'provider.ignore' names"),
    ("levels", recording(provider={"quantizations": ["int4"]}), 404, "'provider.quantizations'"),
    ("no level", recording(provider={"quantizations": ["q8"]}), 400, "'provider.quantizations"),
    ("a promise", recording(max_tokens=5), 400, "'max_tokens'"),
    ("an unknown model", recording(model="scripted/two"), 404, SCRIPTED),
    ("a folder", recording(model="/tmp"), 404, "No model is called '/tmp'"),
    ("a folder below", recording(model="./tests"), 404, "No model is called './tests'"),
    ("a surrogate", recording(model="\ud800"), 400, ""),
    (
        "a model not installed",
        recording(model=ABSENT),
        404,
        "needs no-such-dist, which this server",
    ),
]


@pytest.mark.parametrize(("body", "status", "said"), [b[1:] for b in BAD], ids=[b[0] for b in BAD])
async def test_bad_bodies_are_answered_by_a_sentence(
    server: Running, body: Any, status: int, said: str
) -> None:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    response = await server.client.post(
        "/audio/transcriptions", content=content, headers={"Content-Type": "application/json"}
    )
    assert response.status_code == status, response.text
    error = error_of(response)
    assert error["code"] == status
    assert said in error["message"]
    assert not list(
        (server.settings.spool_dir).iterdir() if server.settings.spool_dir.exists() else ()
    )


async def test_availability_tells_why_a_model_cannot_be_used(server: Running) -> None:
    unknown = error_of(await server.post(recording(model="scripted/two")))
    assert unknown["availability"]["code"] == "model_not_found"
    assert unknown["availability"]["requested_models"] == ["scripted/two"]
    absent = error_of(await server.post(recording(model=ABSENT)))
    assert absent["availability"]["code"] == "no_endpoints"


async def test_bad_forms(server: Running) -> None:
    async def post(**parts: Any) -> dict[str, Any]:
        response = await server.client.post("/audio/transcriptions", **parts)
        assert response.status_code == 400
        return error_of(response)

    assert "'file'" in (await post(data=MODEL, files={"other": b"x"}))["message"]
    assert "as 'file_url'" in (await post(data={**MODEL, "file_url": ""}))["message"]
    path = {"file": ("/etc/../etc/passwd\\x.wav", b"no sound at all, only text", "audio/wav")}
    error = await post(data=MODEL, files=path)
    assert error["message"].startswith("x.wav ")
    assert error["metadata"]["code"] == "not_audio"


async def test_other_content_types(server: Running) -> None:
    response = await server.client.post(
        "/audio/transcriptions", content=b"RIFF", headers={"Content-Type": "image/png"}
    )
    assert response.status_code == 415
    assert "multipart/form-data" in error_of(response)["message"]


async def test_too_much(tmp_path: Path) -> None:
    async with serving(tmp_path, max_upload_bytes=10_000, max_upload_s=3.0) as server:
        large = await server.post(recording())
        assert large.status_code == 413
        assert error_of(large)["metadata"]["code"] == "payload_too_large"
        small = encode(sample()[: RATE * 6], "x.opus", "-b:a", "8k")
        assert len(small) < 10_000
        long = await server.post(recording(small))
        assert long.status_code == 413
        assert "VOXGATE_MAX_UPLOAD_S" in error_of(long)["message"]


async def test_a_body_that_stops_arriving(tmp_path: Path) -> None:
    async with serving(tmp_path, body_patience_s=0.3) as server:
        reader, writer = await asyncio.open_connection("127.0.0.1", server.server.port)
        writer.write(
            b"POST /api/v1/audio/transcriptions HTTP/1.1\r\nHost: 127.0.0.1\r\n"
            b"Authorization: Bearer " + server.key.encode() + b"\r\n"
            b"Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"
        )
        answer = await reader.read()
        writer.close()
        assert answer.startswith(b"HTTP/1.1 408 ")
        assert b'"code": 408' in answer


async def test_keys(server: Running) -> None:
    async with httpx2.AsyncClient(base_url=f"{server.url}/api/v1") as anyone:
        for headers in (
            {},
            {"Authorization": ""},
            {"Authorization": "Bearer sk-vg-nobody"},
            {"Authorization": f"Basic {server.key}"},
            {"Authorization": "Bearer " + "x" * 10_000},
        ):
            response = await anyone.post("/audio/transcriptions", json=MODEL, headers=headers)
            assert response.status_code == 401
            assert "voxgate keys create" in error_of(response)["message"]
        assert (await anyone.get("/generation", params={"id": "x"})).status_code == 401


async def test_without_keys_only_this_machine_is_served(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        assert server.key == ""
        assert (await server.post(recording())).status_code == 200
        for name, value in (
            *(("Host", "evil.example"), ("Host", "127.0.0.1.evil.example"), ("Host", "[")),
            *(("Origin", "https://evil.example"), ("Origin", "null"), ("Origin", "http://[")),
        ):
            response = await server.post(recording(), headers={name: value})
            assert response.status_code == 403
            error_of(response)


async def test_the_frameworks_errors_have_the_same_shape(server: Running) -> None:
    missing = await server.client.get("/nothing")
    assert (missing.status_code, error_of(missing)["code"]) == (404, 404)
    wrong = await server.client.get("/audio/transcriptions")
    assert (wrong.status_code, error_of(wrong)["code"]) == (405, 405)
    assert wrong.headers["allow"] == "POST, OPTIONS"
    query = await server.client.get("/models", params={"limit": "many"})
    assert (query.status_code, error_of(query)["code"]) == (400, 400)
    assert "'limit'" in error_of(query)["message"]


async def test_a_failure_of_the_provider_is_reported(tmp_path: Path) -> None:
    fault = errors.EngineError("The engine ended. Try again.", code="engine_died")
    async with serving(tmp_path, Scripted(faults={0: [fault] * 3})) as server:
        response = await server.post(recording())
        assert response.status_code == 503
        assert response.headers["retry-after"]
        assert error_of(response)["metadata"]["code"] == "engine_died"
        again = await server.post(recording())
        assert again.status_code == 200


async def test_a_bug_is_a_500_without_details(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    def broken(_: int) -> None:
        raise RuntimeError("secret")

    async with serving(tmp_path, Scripted(gate=broken)) as server:
        response = await server.post(recording())
        assert response.status_code == 500
        assert "secret" not in response.text
        assert response.headers["x-generation-id"] in error_of(response)["message"]
    assert "secret" in caplog.text


REVISION = "0123456789abcdef0123456789abcdef01234567"


@pytest.mark.parametrize("format_", ["json", "verbose_json", "text", "srt", "vtt"])
async def test_every_response_names_its_checkpoint(tmp_path: Path, format_: str) -> None:
    provider = Scripted(revision=REVISION, profile="exact")
    async with serving(tmp_path, provider) as server:
        answer = await server.post(recording(model=ALIAS, response_format=format_))
        assert answer.status_code == 200, answer.text
        assert answer.headers["x-voxgate-model"] == f"{SCRIPTED}@{REVISION}; profile=exact"
        if "json" in format_:
            body = answer.json()
            assert body["model"] == SCRIPTED
            assert body["voxgate"] == {
                "checkpoint": SCRIPTED,
                "revision": REVISION,
                "profile": "exact",
            }
        id_ = answer.headers["x-generation-id"]
        data = (await server.client.get("/generation", params={"id": id_})).json()["data"]
        assert data["model"] == SCRIPTED
        assert data["voxgate"] == {"revision": REVISION, "profile": "exact"}


async def test_a_model_without_a_checkpoint_has_only_its_name(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        answer = await server.post(recording())
        assert answer.headers["x-voxgate-model"] == SCRIPTED
        assert "voxgate" not in answer.json()


async def test_an_alias_and_the_name_share_one_job(tmp_path: Path) -> None:
    gate = asyncio.Event()
    provider = Scripted(gate=lambda _: gate.wait())
    async with serving(tmp_path, provider, filler_after_s=0.01) as server:
        first = asyncio.create_task(server.post(recording()))
        await until(lambda: provider.running == 1, "the provider's work")
        body = recording(model=ALIAS)
        async with server.client.stream("POST", "/audio/transcriptions", json=body) as second:
            parts = second.aiter_bytes()
            text = await anext(parts)  # white space: it waits for a flight by now
            gate.set()
            text += b"".join([part async for part in parts])
        assert (await first).json()["model"] == json.loads(text)["model"] == SCRIPTED
        ids = {answer.headers["x-generation-id"] for answer in (await first, second)}
        assert len(ids) == 1
        assert len(provider.windows) == 1
