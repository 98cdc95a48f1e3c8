"""The official clients of OpenRouter, OpenAI and Mistral, unmodified, against a running server.

What each client gets in every one of its calls is in `test_every_client.py`.
"""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.api.serving import ALIAS, SCRIPTED, serving
from tests.cli.command import CLIP_WORDS
from tests.clients.client import EVERYBODY, MISTRAL, OPENAI, OPENROUTER, TIMES, Client
from tests.scripted import Scripted
from tests.sounds import RATE, SAMPLE, encode, sample
from tests.websites import PUBLIC_HOST, response, web
from voxgate import errors
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from pathlib import Path

ENGLISH = "Systran/faster-whisper-base"
SLOW_S = 9.0
PATIENCE_S = 5.0  # of OpenRouter's client, by default, without a byte
RAW = "audio.transcriptions.with_raw_response.create"


async def test_all_clients_get_the_words_of_the_real_engine(tmp_path: Path) -> None:
    plain = [*EVERYBODY, replace(OPENAI, base="/v1"), replace(MISTRAL, base="")]
    verbose = [OPENROUTER, OPENAI]  # Mistral's knows no response_format
    async with serving(tmp_path) as server:
        said = await asyncio.gather(
            *(client.do(client.transcription(server, model=ENGLISH)) for client in plain),
            *(
                client.do(client.transcription(server, model=ENGLISH, **TIMES))
                for client in verbose
            ),
        )
    answers = [answer for (answer,) in said]
    assert [answer["type"] for answer in answers] == [
        *("STTResponse", "Transcription", "TranscriptionResponse"),
        *("Transcription", "TranscriptionResponse"),
        *("STTResponse", "TranscriptionVerbose"),
    ]
    values, duration_s = [answer["value"] for answer in answers], len(sample()) / RATE
    assert all(CLIP_WORDS in value["text"] for value in values)
    assert {value["language"] for value in values} == {"en"}
    assert values[0]["usage"]["seconds"] == pytest.approx(duration_s, abs=0.001)
    assert values[0]["usage"]["cost"] == values[1]["usage"]["cost"] == 0
    assert values[2]["usage"]["prompt_audio_seconds"] == 11
    assert values[2]["model"] == ENGLISH
    for value in values[len(plain) :]:
        has_times(value, duration_s)


def has_times(value: dict[str, Any], duration_s: float) -> None:
    """Look at the segments and words of a verbose answer."""
    assert value["duration"] == pytest.approx(duration_s, abs=0.001)
    assert " ".join(segment["text"].strip() for segment in value["segments"]) == value["text"]
    assert " ".join(word["word"] for word in value["words"]) == value["text"]
    for timed in (*value["segments"], *value["words"]):
        assert 0 <= timed["start"] <= timed["end"] <= value["duration"]


async def test_a_recording_by_its_address(tmp_path: Path) -> None:
    audio: dict[str, Any] = {"model": SCRIPTED}
    async with web() as site, serving(tmp_path, url_allow=(PUBLIC_HOST,)) as server:
        site.answers["/note.flac"] = response(200, SAMPLE.read_bytes())
        url, gone = site.url("/note.flac"), site.url("/gone.flac")
        said = await asyncio.gather(
            OPENROUTER.do(
                OPENROUTER.call(server, OPENROUTER.transcribe, input_audio={"url": url}, **audio),
                OPENROUTER.call(server, OPENROUTER.transcribe, input_audio={"url": gone}, **audio),
            ),
            MISTRAL.do(
                MISTRAL.call(server, MISTRAL.transcribe, file_url=url, **audio),
                MISTRAL.call(server, MISTRAL.transcribe, file_url=gone, **audio),
            ),
        )
    for client, (found, missing) in zip((OPENROUTER, MISTRAL), said, strict=True):
        assert found["value"]["text"].startswith("from 0."), found
        assert missing["raised"] == client.classes[400]
        assert "127.0.0.2 answered 404 (Not Found)" in missing["message"]


async def test_mistral_keeps_a_file_and_transcribes_it(tmp_path: Path) -> None:
    def call(name: str, **options: Any) -> dict[str, Any]:
        return MISTRAL.call(server, name, **options)

    async with serving(tmp_path, keep_files=True) as server:
        upload = {**call("files.upload", purpose="audio"), "file": str(SAMPLE)}
        kept, wrong, typed = await MISTRAL.do(
            upload,
            {**call("files.upload", purpose="batch"), "file": str(SAMPLE)},
            {**call("files.upload", expiry=1, visibility="user"), "file": str(SAMPLE)},
        )
        id_ = kept["value"]["id"]
        listed, one, signed, content, plain = await MISTRAL.do(
            call("files.list", purpose="audio", search="note", page_size=1),
            call("files.retrieve", file_id=id_),
            call("files.get_signed_url", file_id=id_),
            call("files.download", file_id=id_),
            call(MISTRAL.transcribe, model=SCRIPTED, file_id=id_),
        )
        url = signed["value"]["url"]
        by_url, events, deleted, gone, absent = await MISTRAL.do(
            call(MISTRAL.transcribe, model=SCRIPTED, file_url=url),
            call(STREAM, model=SCRIPTED, file_id=id_),
            call("files.delete", file_id=id_),
            call(MISTRAL.transcribe, model=SCRIPTED, file_id=id_),
            call("files.retrieve", file_id=id_),
        )
    assert (kept["type"], kept["value"]["bytes"]) == (
        "CreateFileResponse",
        len(SAMPLE.read_bytes()),
    )
    MISTRAL.raised(wrong, 400, "'purpose' should be 'audio'")
    assert typed["value"]["expires_at"] - typed["value"]["created_at"] == 3600
    assert (listed["value"]["total"], len(listed["value"]["data"])) == (2, 1)
    assert (one["type"], one["value"]["deleted"]) == ("GetFileResponse", False)
    assert bytes.fromhex(content["value"]) == SAMPLE.read_bytes()
    assert plain["value"]["text"].startswith("from 0.")
    assert by_url["value"]["text"] == events["value"][-1]["data"]["text"] == plain["value"]["text"]
    assert deleted["value"] == {"id": id_, "object": "file", "deleted": True}
    for answer in (gone, absent):
        MISTRAL.raised(answer, 404, f"No file of this key has the id '{id_}'")


async def test_openai_reads_text_and_subtitles(tmp_path: Path) -> None:
    formats = ("text", "srt", "vtt")
    async with serving(tmp_path) as server:
        answers = await OPENAI.do(
            *(OPENAI.transcription(server, response_format=name) for name in formats)
        )
    assert {answer["type"] for answer in answers} == {"str"}
    text, srt, vtt = (answer["value"] for answer in answers)
    assert text.startswith("from 0.")
    assert srt.startswith("1\n00:00:0")
    assert vtt.startswith("WEBVTT")


async def test_openai_translates(tmp_path: Path) -> None:
    name = "audio.translations.create"
    able = Scripted(translates=True, language=lambda _: ("de", 0.75), says=lambda *_: "A word.")
    async with serving(tmp_path, able) as server:
        plain, verbose, srt = await OPENAI.do(
            OPENAI.transcription(server, name=name),
            OPENAI.transcription(server, name=name, response_format="verbose_json"),
            OPENAI.transcription(server, name=name, response_format="srt", prompt="A talk."),
        )
    assert [each["type"] for each in (plain, verbose, srt)] == [
        *("Translation", "TranslationVerbose", "str")
    ]
    assert plain["value"]["text"] == verbose["value"]["text"] == "A word."
    assert verbose["value"]["task"] == "translate"
    assert verbose["value"]["language"] == "en"
    assert verbose["value"]["segments"][0]["text"] == "A word."
    assert srt["value"].startswith("1\n00:00:0")
    assert {options.task for options in able.options} == {"translate"}


async def test_a_generation_is_found_by_its_header(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        heard, refused = await OPENAI.do(
            OPENAI.transcription(server, name=RAW), OPENAI.transcription(server, language="eo")
        )
        id_ = heard["headers"]["x-generation-id"]
        (found,) = await OPENROUTER.do(
            OPENROUTER.call(server, "generations.get_generation", id=id_)
        )
    assert found["type"] == "GenerationResponse"
    assert found["value"]["data"]["id"] == id_
    assert found["value"]["data"]["model"] == SCRIPTED
    assert found["value"]["data"]["provider_responses"][0]["status"] == 200
    assert refused["request_id"].startswith("gen-stt-")


async def test_openai_asks_for_its_own_model_by_an_alias(tmp_path: Path) -> None:
    """The alias is of the settings, and the real session resolves it."""
    aliases = (("whisper-1", "openai/whisper-base"),)
    async with serving(tmp_path, session=Session, model_aliases=aliases) as server:
        (answer,) = await OPENAI.do(OPENAI.transcription(server, model="whisper-1", **TIMES))
    assert answer["type"] == "TranscriptionVerbose"
    assert CLIP_WORDS in answer["value"]["text"]


async def test_all_clients_read_which_model_an_alias_meant(tmp_path: Path) -> None:
    provider = Scripted(revision="0123456789abcdef" * 2 + "01234567", profile="exact")
    async with serving(tmp_path, provider) as server:
        said = await asyncio.gather(
            *(client.do(client.transcription(server, model=ALIAS)) for client in EVERYBODY),
            *(
                client.do(client.transcription(server, model=ALIAS, **TIMES))
                for client in (OPENROUTER, OPENAI)
            ),
        )
        (raw,) = await OPENAI.do(OPENAI.transcription(server, name=RAW, model=ALIAS))
        id_ = raw["headers"]["x-generation-id"]
        found, one = await OPENROUTER.do(
            OPENROUTER.call(server, "generations.get_generation", id=id_),
            OPENROUTER.call(server, "models.get", author="scripted", slug="latest"),
        )
    answers = [answer for (answer,) in said]
    assert [answer["type"] for answer in answers] == [
        *("STTResponse", "Transcription", "TranscriptionResponse"),
        *("STTResponse", "TranscriptionVerbose"),
    ]
    assert answers[2]["value"]["model"] == SCRIPTED
    assert all(answer["value"]["text"] for answer in answers)
    assert raw["headers"]["x-voxgate-model"] == f"{SCRIPTED}@{provider.revision}; profile=exact"
    assert found["value"]["data"]["model"] == SCRIPTED
    assert found["value"]["data"]["provider_responses"][0]["model_permaslug"] == SCRIPTED
    assert one["value"]["data"]["id"] == SCRIPTED


async def test_the_catalogue_is_read_by_openrouter(tmp_path: Path) -> None:
    author, _, slug = SCRIPTED.partition("/")
    async with serving(tmp_path) as server:
        listed, one, count, served, absent = await OPENROUTER.do(
            OPENROUTER.call(server, "models.list", output_modalities="transcription"),
            OPENROUTER.call(server, "models.get", author=author, slug=slug),
            OPENROUTER.call(server, "models.count", output_modalities="transcription"),
            OPENROUTER.call(server, "endpoints.list", author=author, slug=slug),
            OPENROUTER.call(server, "models.get", author=author, slug="two"),
        )
    assert ENGLISH in [model["id"] for model in listed["value"]["data"]]
    assert one["value"]["data"]["id"] == SCRIPTED
    assert count["value"]["data"]["count"] == listed["value"]["total_count"] == 3
    assert [end["model_id"] for end in served["value"]["data"]["endpoints"]] == [SCRIPTED]
    assert absent["raised"] == OPENROUTER.classes[404]


async def test_the_catalogue_is_read_by_openai(tmp_path: Path) -> None:
    async with serving(tmp_path) as server:
        listed, one, absent = await OPENAI.do(
            OPENAI.call(server, "models.list"),
            OPENAI.call(server, "models.retrieve", model=SCRIPTED),
            OPENAI.call(server, "models.retrieve", model="scripted/two"),
        )
    assert ENGLISH in [model["id"] for model in listed["value"]["data"]]
    assert (one["type"], one["value"]["id"]) == ("Model", SCRIPTED)
    assert absent["raised"] == OPENAI.classes[404]


async def test_the_catalogue_is_read_by_mistral(tmp_path: Path) -> None:
    async with serving(tmp_path, Scripted(vocabulary=True)) as server:
        listed, one, absent = await MISTRAL.do(
            MISTRAL.call(server, "models.list"),
            MISTRAL.call(server, "models.retrieve", model_id=SCRIPTED),
            MISTRAL.call(server, "models.retrieve", model_id="scripted/two"),
        )
    assert ENGLISH in [model["id"] for model in listed["value"]["data"]]
    assert {model["type"] for model in listed["value"]["data"]} == {"base"}
    assert (one["type"], one["value"]["id"]) == ("BaseModelCard", SCRIPTED)
    assert one["value"]["capabilities"]["audio_transcription"]
    assert one["value"]["audio_transcription_capabilities"]["context_bias"]
    assert absent["raised"] == MISTRAL.classes[404]


@pytest.mark.parametrize("client", EVERYBODY, ids=lambda client: client.name)
async def test_a_default_list_tests_the_connection(tmp_path: Path, client: Client) -> None:
    """It has our models, which OpenRouter's own leaves out, and refuses a wrong key."""
    async with serving(tmp_path) as server:
        listing = client.call(server, "models.list")
        listed, refused = await client.do(listing, {**listing, "key": "sk-vg-nobody"})
    assert SCRIPTED in [model["id"] for model in listed["value"]["data"]]
    assert refused["status"] == 401  # OpenRouter's client has no class for it here
    assert "The key is not valid here" in refused["message"]


@pytest.mark.parametrize(
    ("client", "name"), [(OPENROUTER, ""), (OPENAI, RAW)], ids=["openrouter", "openai"]
)
async def test_retries_survive_a_temporary_failure(
    tmp_path: Path, client: Client, name: str
) -> None:
    fault = errors.EngineError("The engine ended. Try again.", code="engine_died")
    async with serving(tmp_path, Scripted(faults={0: [fault] * 3})) as server:
        (answer,) = await client.do(client.transcription(server, name=name))
    assert answer["value"]["text"].startswith("from 0.")
    assert answer["requests"] == 2  # a 503, and its own second try


async def test_all_clients_wait_longer_than_the_least_patience(tmp_path: Path) -> None:
    """With the clients' own limits: OpenRouter's is `PATIENCE_S`."""
    provider = Scripted(gate=lambda _: asyncio.sleep(SLOW_S), concurrency=3)
    languages = {"openrouter": "de", "openai": "en"}
    async with serving(tmp_path, provider) as server:
        said = await asyncio.gather(
            *(
                client.do(client.transcription(server, language=languages.get(client.name)))
                for client in EVERYBODY
            )
        )
    for (answer,) in said:
        assert answer["seconds"] >= SLOW_S
        assert answer["value"]["text"].startswith("from 0.")
    assert said[0][0]["requests"] == 1
    asked = [options.language for options in provider.options]
    assert sorted(asked, key=str) == [None, "de", "en"]  # one window for each


async def test_a_client_that_timed_out_finds_its_job_again(tmp_path: Path) -> None:
    provider = Scripted(gate=lambda _: asyncio.sleep(PATIENCE_S + 3))
    async with serving(tmp_path, provider, filler_after_s=1000) as server:
        (answer,) = await OPENROUTER.do(OPENROUTER.transcription(server))
    assert answer["value"]["text"].startswith("from 0.")
    assert answer["requests"] > 1
    assert len(provider.windows) == 1


async def test_a_failure_after_white_space_is_no_transcript(tmp_path: Path) -> None:
    stalled = errors.EngineError("The engine stalled. Try again.", code="engine_stalled")
    provider = Scripted(gate=lambda _: asyncio.sleep(0.5), faults={0: [stalled] * 3})
    async with serving(tmp_path, provider, filler_after_s=0.05) as server:
        (answer,) = await OPENROUTER.do(OPENROUTER.transcription(server))
    assert answer["raised"] == "ResponseValidationError"
    assert stalled.sentence in answer["body"]
    assert answer["requests"] == 1


STREAM = "audio.transcriptions.stream"  # of Mistral's client, which also knows `complete`
PIECES = ("One, two.", "three 日本語", "four")


def four_windows(folder: Path) -> Path:
    path = folder / "four.flac"
    silence = np.zeros(5 * RATE, np.int16)
    path.write_bytes(encode(np.concatenate([sample(), silence] * len(PIECES)), "x.flac"))
    return path


async def test_the_streams_of_openai_and_mistral_are_read_by_their_clients(tmp_path: Path) -> None:
    file = four_windows(tmp_path)
    provider = Scripted(says=lambda number, _: PIECES[number], concurrency=2)
    async with serving(tmp_path, provider) as server:
        plain, openai, (refused, ignored) = (
            await OPENAI.do(OPENAI.transcription(server, file)),
            await OPENAI.do(OPENAI.transcription(server, file, stream=True)),
            await OPENAI.do(
                OPENAI.transcription(server, file, stream=True, response_format="srt"),
                OPENAI.transcription(server, file, stream=False),
            ),
        )
        bare, timed, wrong = await MISTRAL.do(
            MISTRAL.transcription(server, file, name=STREAM),
            MISTRAL.transcription(server, file, name=STREAM, timestamp_granularities=["segment"]),
            MISTRAL.transcription(server, file, name=STREAM, language="eo"),
        )
    text = " ".join(PIECES)
    assert plain[0]["value"]["text"] == ignored["value"]["text"] == text
    *deltas, done = openai[0]["value"]
    assert [event["type"] for event in deltas] == ["transcript.text.delta"] * 3
    assert "".join(event["delta"] for event in deltas) == done["text"] == text
    assert (done["type"], done["usage"]["type"]) == ("transcript.text.done", "duration")
    OPENAI.raised(refused, 400, "'srt' cannot be streamed")
    for answer in (bare, timed):
        events = [event["data"] for event in answer["value"]]
        assert events[0]["audio_language"] == "en"
        told = [each["text"] for each in events if each["type"] == "transcription.text.delta"]
        assert "".join(told) == events[-1]["text"] == text
        assert events[-1]["type"] == "transcription.done"
    segments = [each for each in events if each["type"] == "transcription.segment"]
    assert [each["text"] for each in segments] == list(PIECES)
    assert [each["text"] for each in events[-1]["segments"]] == list(PIECES)
    MISTRAL.raised(wrong, 400, "does not know the language 'Esperanto (eo)'")


async def test_a_failure_in_a_stream_reaches_the_callers_of_both_clients(tmp_path: Path) -> None:
    file = four_windows(tmp_path)
    stalled = errors.EngineError("The engine stalled. Try again.", code="engine_stalled")
    async with serving(tmp_path, Scripted(faults={1: [stalled] * 6})) as server:
        (openai,) = await OPENAI.do(OPENAI.transcription(server, file, stream=True))
        (mistral,) = await MISTRAL.do(MISTRAL.transcription(server, file, name=STREAM))
    assert (openai["raised"], openai["message"]) == ("APIError", stalled.sentence)
    assert mistral["raised"] == "RemoteProtocolError"  # Mistral's events have none for errors
