"""A whole server with Whisper as the upstream, asked in every dialect that it speaks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import pytest_asyncio

from tests.api.serving import SCRIPTED, Running, serving
from tests.failures import raises
from tests.providers.upstream.asking import answer, ask, endpoint, model_at
from tests.scripted import Scripted
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from voxgate.audio.spool import Audio
    from voxgate.providers.base import Provider
    from voxgate.upstreams import Endpoint, UpstreamKind

pytestmark = pytest.mark.asyncio(loop_scope="module")

WHISPER = "Systran/faster-whisper-base"
KINDS: tuple[UpstreamKind, ...] = ("compatible", "openai", "vllm", "mistral", "openrouter")


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def server(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Running]:
    provider = Scripted(says=lambda _, options: f"in {options.language}", translates=True)
    async with serving(tmp_path_factory.mktemp("upstream"), provider) as running:
        with pytest.MonkeyPatch.context() as patch:
            patch.setenv("SOMEWHERE_KEY", running.key)
            yield running


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def told(server: Running, note: Audio) -> dict[str, Any]:
    """What a client of the server is told by Whisper."""
    fields = {"response_format": "verbose_json", "timestamp_granularities[]": ["segment", "word"]}
    response = await server.client.post(
        "/audio/transcriptions",
        data={"model": WHISPER, **fields},
        files={"file": ("note.wav", note.wav())},
    )
    body: dict[str, Any] = response.json()
    return body


def at(server: Running, kind: UpstreamKind, model: str = SCRIPTED, **upstream: Any) -> Endpoint:
    upstream = {"keys": ("env:SOMEWHERE_KEY",)} | upstream
    return endpoint(f"{server.url}/api/v1", kind=kind, model=model, **upstream)


@pytest.mark.parametrize("kind", KINDS)
async def test_the_words_are_those_of_the_server(
    server: Running, note: Audio, told: dict[str, Any], kind: UpstreamKind
) -> None:
    segments, done = await ask(at(server, kind, WHISPER), note)
    assert " ".join(segment.text for segment in segments) == told["text"]
    words = [(word["word"], word["start"], word["end"]) for word in told["words"]]
    assert words[0][0] == "Hi,"
    assert [(w.text, w.start, w.end) for s in segments for w in s.words] == words
    assert {segment.time_source for segment in segments} == {"recognised"}
    assert (done.language, done.notices) == ("en", ())


@pytest.mark.parametrize("kind", KINDS)
async def test_without_times_the_text_is_one_segment(
    server: Running, note: Audio, kind: UpstreamKind
) -> None:
    segments, done = await ask(at(server, kind), note, Options(language="de"), times="none")
    (segment,) = segments
    assert segment.text == "in de"
    assert (segment.start, segment.end) == (0.0, note.duration_s)
    assert (segment.time_source, segment.words) == ("interpolated", ())
    assert done.language == "de"


async def test_a_translation_does_not_name_its_own_language(server: Running, note: Audio) -> None:
    """OpenAI's `language` is then English whatever was spoken."""
    options = Options(task="translate")
    segments, done = await ask(at(server, "compatible", WHISPER), note, options)
    assert segments[0].text.startswith("Hi")
    assert done.language == "en"  # by `source_language`


@pytest.mark.parametrize("format_", ["flac", "ogg", "mp3", "wav"])
async def test_every_format_is_decoded(server: Running, note: Audio, format_: str) -> None:
    server.provider.windows.clear()
    assert (await ask(at(server, "openrouter", formats=(format_,)), note))[0]
    (window,) = server.provider.windows
    assert window.duration_s == pytest.approx(note.duration_s, abs=0.2)  # without the silence


async def test_an_option_that_no_request_carries_is_refused_or_named(
    server: Running, note: Audio
) -> None:
    async with model_at(at(server, "mistral")) as model:
        with raises("unsupported_option", match="somewhere/scripted/one cannot .*'stop'"):
            await answer(model, note, Options(stop=("train",)))
        with raises("unsupported_option", match="cannot fulfil 'task'"):
            await answer(model, note, Options(task="translate"))
        _, done = await answer(model, note, Options(prompt="A note.", seed=1))
    assert [notice.sentence.partition(" ")[0] for notice in done.notices] == ["'seed'", "'prompt'"]


async def test_a_model_that_the_upstream_does_not_have_is_not_the_input_s_fault(
    server: Running, note: Audio
) -> None:
    wrong = endpoint(f"{server.url}/api/v1", model="no/such", keys=("env:SOMEWHERE_KEY",))
    with raises("upstream_failed", match=r"somewhere answered 404 \(Not Found\): .*no/such"):
        await ask(wrong, note)


async def test_a_language_that_the_upstream_refuses_is_the_input_s_fault(
    server: Running, note: Audio
) -> None:
    with raises(
        "upstream_refused", match=r"somewhere refused the input with 400 .*Klingon.* Correct the"
    ):
        await ask(at(server, "compatible"), note, Options(language="tlh"))


async def test_a_wrong_key_is_denied_and_nobody_reads_it(
    server: Running, note: Audio, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WRONG_KEY", secret := "sk-vg-" + "0a1b2c3d" * 4)
    async with model_at(at(server, "compatible", keys=("env:WRONG_KEY",))) as model:
        model.admit()
        with raises("upstream_denied", match="somewhere answered 401") as caught:
            await answer(model, note)
        assert secret not in repr(caught.value) + caught.value.sentence
        assert "somewhere" not in caught.value.public_sentence
        with raises("upstream_denied", match="somewhere refused every key"):
            model.admit()
        monkeypatch.setenv("WRONG_KEY", server.key)  # it was corrected: no wait
        model.admit()
        await answer(model, note)


async def test_a_model_elsewhere_does_not_align(note: Audio) -> None:
    async with model_at(endpoint()) as model:
        with raises("unsupported_option", match="cannot align"):
            model.align(note, "Hi", "en")


async def test_nothing_leaves_the_machine_in_offline_mode(server: Running, note: Audio) -> None:
    far = endpoint("https://api.example.org/v1")
    async with model_at(far, offline=True) as model:
        with raises("offline", match="This would send sound to somewhere"):
            model.admit()
        with raises("offline"):
            await answer(model, note)
    async with model_at(at(server, "compatible"), offline=True) as model:
        model.admit()
        assert (await answer(model, note))[0]


async def test_a_closed_session_has_no_connections(server: Running, note: Audio) -> None:
    async with model_at(at(server, "compatible")) as model:
        await answer(model, note)
        assert (model.name, model.revision, model.profile) == ("someone/whisper", None, None)
        provider: Provider = model
        await provider.warm()
        await model.aclose()
        assert (await answer(model, note))[0]  # the client is the session's
