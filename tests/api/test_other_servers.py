"""The paths of other speech servers, called as their own clients call them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio
import requests

from tests.api.serving import SCRIPTED, Running, error_of, serving
from tests.cli.command import CLIP_WORDS, clip
from tests.models.store.checkpoints import write_hf
from tests.scripted import Scripted
from tests.sounds import encode, ffmpeg, real_speech
from tests.whisper.weights import install_links, whisper_folder
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Mapping
    from pathlib import Path

    import httpx2

pytestmark = pytest.mark.asyncio(loop_scope="module")

WAV = encode(clip(), "clip.wav")
RAW = clip().astype("<i2").tobytes()
VIDEO = "/films/A Film (2020)/A Film.mkv"
CAPTION = "1\n00:00:0"


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """A scripted model, which is the default one."""
    provider = Scripted(
        honours=frozenset({"max_tokens", "temperature"}),
        translates=True,
        names_language=True,
        language=lambda _: ("de", 0.87654321),
        confidence=0.5,
        says=lambda *_: "Alpha beta",
    )
    async with serving(tmp_path_factory.mktemp("server"), provider) as running:
        yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def whisper(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    """The models of a new installation: Whisper base is the default one."""
    whisper_folder()
    folder = tmp_path_factory.mktemp("whisper")
    install_links(folder / "home")
    async with serving(folder, session=Session) as running:
        yield running


class Bazarr:
    """Bazarr's provider `whisperai`: its two requests, by the library that sends them.

    The endpoint is all that its user can set, with the key as the address's password.
    """

    def __init__(self, server: Running) -> None:
        self._endpoint = server.url.replace("http://", f"http://key:{server.key}@")
        self._session = requests.Session()
        self._session.headers["User-Agent"] = "Subliminal/2.1.0"

    async def asr(self, out: bytes, **params: Any) -> requests.Response:
        chosen = {"output": "srt", "encode": "false", "video_file": VIDEO, **params}
        return await self._post("asr", chosen, out)

    async def detect_language(self, out: bytes) -> requests.Response:
        return await self._post("detect-language", {"encode": "false", "video_file": VIDEO}, out)

    async def _post(self, path: str, params: dict[str, Any], out: bytes) -> requests.Response:
        return await asyncio.to_thread(
            self._session.post,
            f"{self._endpoint}/{path}",
            params=params,
            files={"audio_file": out},
            timeout=(5, 300),
        )


async def ask(
    server: Running, path: str, recording: bytes = WAV, /, **options: Any
) -> httpx2.Response:
    address = f"{server.url}{path}"
    if path == "/inference":
        return await server.client.post(
            address, files={"file": ("clip.wav", recording)}, data=options
        )
    files = {"audio_file": ("clip.wav", recording)}
    return await server.client.post(address, files=files, params=options)


async def test_bazarr_gets_subtitles_and_the_language_of_real_speech(whisper: Running) -> None:
    speech = real_speech() / "jfk.flac"
    out = ffmpeg("-i", str(speech), "-f", "s16le", "-ac", "1", "-ar", "16000", "out.raw")
    bazarr = Bazarr(whisper)
    found = await bazarr.detect_language(out)
    assert found.status_code == 200
    assert found.json()["language_code"] == "en"
    assert found.json()["detected_language"] == "english"
    assert 0.5 < found.json()["confidence"] <= 1
    subtitles = await bazarr.asr(out, task="transcribe", language="en")
    assert subtitles.status_code == 200
    assert subtitles.content.decode().startswith(CAPTION)
    assert "your country" in subtitles.text


async def test_bazarr_needs_no_key_where_none_is_asked_for(tmp_path: Path) -> None:
    async with serving(tmp_path, auth="off") as server:
        answer = await Bazarr(server).asr(RAW, task="transcribe", language="en")
        assert answer.text.startswith(CAPTION)


async def test_bazarrs_film_without_its_name(server: Running) -> None:
    answer = await Bazarr(server).asr(RAW, task="translate", language="de", video_file=None)
    assert answer.text.startswith(CAPTION)
    assert server.provider.options[-1].task == "translate"
    assert server.provider.options[-1].language == "de"


@pytest.mark.parametrize(
    ("output", "kind", "begins"),
    [
        (None, "text/plain; charset=utf-8", "Alpha beta\n"),
        ("txt", "text/plain; charset=utf-8", "Alpha beta\n"),
        ("srt", "application/x-subrip; charset=utf-8", CAPTION),
        ("vtt", "text/vtt; charset=utf-8", "WEBVTT\n"),
        ("tsv", "text/tab-separated-values; charset=utf-8", "start\tend\ttext\n"),
    ],
)
async def test_outputs_of_asr(server: Running, output: str | None, kind: str, begins: str) -> None:
    answer = await ask(server, "/asr", **({"output": output} if output else {}))
    assert answer.status_code == 200
    assert answer.headers["content-type"] == kind
    assert answer.text.startswith(begins)
    assert answer.headers["x-voxgate-model"] == SCRIPTED


async def test_asrs_json_has_words_in_their_segments_where_they_are_asked_for(
    server: Running,
) -> None:
    plain = (await ask(server, "/asr", output="json")).json()
    assert plain["language"] == "de"
    assert "words" not in plain["segments"][0]
    asked = (await ask(server, "/asr", output="json", word_timestamps="true")).json()
    assert asked["text"] == plain["text"] == "Alpha beta"
    assert [word["word"] for word in asked["segments"][0]["words"]] == ["Alpha", "beta"]
    assert "words" not in asked


async def test_encode_says_whether_the_recording_has_a_header(server: Running) -> None:
    assert (await ask(server, "/asr", RAW, encode="false")).status_code == 200
    assert error_of(await ask(server, "/asr", RAW))["metadata"]["code"] == "not_audio"


async def test_a_language_is_detected_by_one_token(server: Running) -> None:
    answer = await ask(server, "/detect-language")
    expected = {"detected_language": "german", "language_code": "de", "confidence": 0.8765}
    assert answer.json() == expected
    assert server.provider.options[-1].max_tokens == 1


async def test_a_film_is_not_decoded_to_its_end_for_its_language(server: Running) -> None:
    """The length of what was decoded is that of the generation."""
    film = RAW * 400  # 1000 s
    recognised = len(server.provider.windows)
    answer = await ask(server, "/detect-language", film, encode="false")
    assert answer.json()["language_code"] == "de"
    about = await server.client.get("/generation", params={"id": answer.headers["x-request-id"]})
    assert about.json()["data"]["audio_seconds"] < 900
    assert len(server.provider.windows) == recognised + 1


async def test_silence_has_no_language(server: Running) -> None:
    answer = await ask(server, "/detect-language", bytes(32_000), encode="false")
    assert answer.json() == {"detected_language": "undetermined", "language_code": "und"}


async def test_another_model_detects_for_one_that_names_no_language(tmp_path: Path) -> None:
    whisper_folder()
    install_links(tmp_path / "home")
    Registry.open(Settings(home=tmp_path / "home")).add(write_hf(tmp_path / "tiny"), "acme/tiny")
    async with serving(tmp_path, session=Session) as server:
        answer = await ask(server, "/detect-language")
        assert answer.json()["language_code"] == "en"
        assert answer.headers["x-voxgate-model"].startswith("Systran/faster-whisper-base@")
        assert "acme/tiny" in (await ask(server, "/asr", language="tlh")).text  # the default one


async def test_what_is_not_used_is_named_and_the_rest_happens_anyway(server: Running) -> None:
    quiet = await ask(server, "/asr", vad_filter="true", video_file=VIDEO, encode="true")
    assert "x-voxgate-warning" not in quiet.headers
    told = await ask(server, "/asr", output="json", initial_prompt="A", stream="true", speed="2")
    assert [each["code"] for each in told.json()["warnings"]] == ["unused_option"] * 3
    sentences = " ".join(each["sentence"] for each in told.json()["warnings"])
    assert all(f"'{name}' was not used" in sentences for name in ("prompt", "stream", "speed"))
    assert told.headers["x-voxgate-warning"] == "unused_option"
    heard = await ask(server, "/inference", temperature_inc="0.2", vad="1", no_speech_thold="0.6")
    assert [each["sentence"][:17] for each in heard.json()["warnings"]] == ["'no_speech_thold'"]


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"output": "docx"}, "'output' should be 'txt', 'vtt', 'srt', 'tsv' or 'json'"),
        ({"encode": "perhaps"}, "'encode' should be true or false"),
        ({"task": "summarise"}, "'task' should be 'transcribe' or 'translate'"),
        ({"language": "tlh"}, "scripted/one does not know the language 'Klingon (tlh)'"),
        ({"diarize": "true"}, "cannot fulfil 'diarize'"),
        ({"model": "scripted/none"}, "No model is called 'scripted/none'"),
    ],
)
async def test_what_asr_cannot_do(server: Running, options: dict[str, str], says: str) -> None:
    answer = await ask(server, "/asr", **options)
    assert 400 <= answer.status_code < 500
    assert says in error_of(answer)["message"]


async def test_a_recording_is_a_part_of_a_form(server: Running) -> None:
    for path, field in (("/asr", "audio_file"), ("/detect-language", "audio_file")):
        answer = await server.client.post(f"{server.url}{path}", data={"a": "b"})
        assert f"as the part '{field}' of a form" in error_of(answer)["message"]
    twice = [("audio_file", ("a.wav", WAV)), ("file", ("b.wav", WAV))]
    answer = await server.client.post(f"{server.url}/asr", files=twice)
    assert "more than one" in error_of(answer)["message"]


async def test_curl_gets_what_whisper_cpps_server_gives(whisper: Running) -> None:
    """The form of its README's line, with each format that it names."""
    form = {"temperature": "0.0", "temperature_inc": "0.2"}
    plain = await ask(whisper, "/inference", **form, response_format="json")
    assert CLIP_WORDS in plain.json()["text"]
    assert "warnings" not in plain.json()
    verbose = (await ask(whisper, "/inference", **form, response_format="verbose_json")).json()
    assert verbose["task"] == "transcribe"
    assert verbose["duration"] == 2.5
    (segment, *_) = verbose["segments"]
    assert segment["words"][0].keys() >= {"word", "start", "end", "probability"}


async def test_inference_without_timestamps_has_no_words(server: Running) -> None:
    for without in ({"no_timestamps": "true"}, {"token_timestamps": "false"}):
        answer = await ask(server, "/inference", response_format="verbose_json", **without)
        assert "words" not in answer.json()["segments"][0]


@pytest.mark.parametrize(
    ("name", "begins"), [("text", "Alpha beta\n"), ("srt", CAPTION), ("vtt", "WEBVTT\n")]
)
async def test_texts_of_inference(server: Running, name: str, begins: str) -> None:
    answer = await ask(server, "/inference", response_format=name, language="auto")
    assert answer.text.startswith(begins)


async def test_inference_translates(server: Running) -> None:
    answer = await ask(server, "/inference", translate="true", temperature="0.4", beam_size="-1")
    assert answer.json()["language"] == "en"
    assert server.provider.options[-1].task == "translate"
    assert server.provider.options[-1].temperature == 0.4


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"response_format": "docx"}, "'response_format' should be"),
        ({"temperature": "9"}, "'temperature' should be at most 2"),
        ({"beam_size": "5"}, "cannot fulfil 'beam_size'"),
        ({"tinydiarize": "true"}, "cannot fulfil 'diarize'"),
        ({"offset_t": "500"}, "'offset_t' is not done here. The whole recording"),
        ({"duration": "500"}, "'duration' is not done here."),
        ({"offset_n": "5"}, "'offset_n' is not done here."),
        ({"detect_language": "true"}, "Send the recording to /detect-language."),
    ],
)
async def test_an_error_of_inference_is_one_text(
    server: Running, options: dict[str, str], says: str
) -> None:
    answer = await ask(server, "/inference", **options)
    assert answer.status_code == 400
    (sentence,) = json.loads(answer.content).values()
    assert answer.json() == {"error": sentence}
    assert says in sentence
    assert "\n" not in sentence


async def test_an_error_of_the_job_has_that_shape_too(server: Running) -> None:
    answer = await ask(server, "/inference", b"no sound, but a text that is long enough")
    assert answer.status_code == 400
    assert isinstance(answer.json()["error"], str)


async def test_load_is_refused(server: Running) -> None:
    answer = await server.client.post(
        f"{server.url}/load", data={"model": "/models/ggml-base.bin"}, files={"a": b""}
    )
    assert answer.status_code == 400
    assert "loads models by itself" in answer.json()["error"]


@pytest.mark.parametrize("path", ["/asr", "/detect-language", "/inference"])
async def test_a_key_comes_as_a_password_or_a_bearers(server: Running, path: str) -> None:
    def basic(text: str) -> dict[str, str]:
        return {"Authorization": f"Basic {base64.b64encode(text.encode()).decode()}"}

    field = "file" if path == "/inference" else "audio_file"

    async def status(headers: Mapping[str, str] | Mapping[bytes, bytes]) -> int:
        answer = await server.client.post(
            f"{server.url}{path}", files={field: ("a.wav", WAV)}, headers=headers
        )
        return answer.status_code

    assert await status(basic(f"anybody:{server.key}")) == 200
    assert await status(basic(server.key)) == 200
    assert await status({}) == 200  # the client's own header: a Bearer's
    for wrong in (basic("key:sk-vg-nobody"), {"Authorization": "Basic ?"}, basic(":")):
        assert await status(wrong) == 401
    assert await status({b"Authorization": b"Basic \xe9"}) == 401  # not ASCII


async def test_the_sentence_without_a_key_names_both(server: Running) -> None:
    answer = await server.client.post(
        f"{server.url}/inference", files={"file": ("a.wav", WAV)}, headers={"Authorization": ""}
    )
    assert answer.status_code == 401
    assert "http://key:sk-vg-...@HOST" in answer.json()["error"]
    assert answer.headers["www-authenticate"] == "Bearer"


async def test_an_alias_says_what_the_default_model_is(tmp_path: Path) -> None:
    aliases = (("default", "whisper-bass"),)
    async with serving(tmp_path, session=Session, model_aliases=aliases) as server:
        answer = await ask(server, "/asr")
        assert answer.status_code == 404
        assert "'default' is 'whisper-bass' by 'model_aliases'" in error_of(answer)["message"]
