"""Text models at other servers, which read what a model of this machine wrote."""

from __future__ import annotations

import json
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from tests.pipeline.asking import ASKED, spec
from tests.providers.upstream.test_chat import SCHEMA, reply, sends
from tests.scripted import Scripted
from tests.sounds import SAMPLE, sample
from tests.websites import Web, web
from voxgate.models.available import AvailableModels
from voxgate.pipeline.question import AskedMessage, RecordingPart
from voxgate.pipeline.session import Session
from voxgate.pipeline.trace import Trace
from voxgate.routing.preferences import Preferences
from voxgate.settings import Settings
from voxgate.upstreams import Endpoint, EndpointList, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

TEXT, HERE = "somebody/qwen3", "scripted/one"
QUESTION = [AskedMessage("user", (RecordingPart(SAMPLE), ASKED))]
PATHS = ("/one/chat/completions", "/two/chat/completions")


@asynccontextmanager
async def elsewhere(folder: Path, **settings: Any) -> AsyncIterator[tuple[Session, Web]]:
    """Be a session with a transcriber here, and a text model at two paths of one server."""
    async with web() as site:
        upstreams = [
            Upstream(name, "compatible", site.url(f"/{name}", "127.0.0.1"))
            for name in ("one", "two")
        ]
        listed = EndpointList(
            tuple(upstreams),
            tuple(
                Endpoint(TEXT, each, "qwen3", answers=True, transcribes=False) for each in upstreams
            ),
        )
        chosen = Settings(home=folder, spool_dir=folder / "spool", endpoints=listed, **settings)
        scripted = Scripted(says=lambda *_: "the train stopped")
        known = AvailableModels(chosen)
        models = {TEXT: known[TEXT], HERE: spec(HERE, capabilities=scripted.capabilities)}
        async with Session(chosen, models=models, start=lambda *_: scripted) as session:
            yield session, site


async def test_a_text_model_elsewhere_reads_the_words(tmp_path: Path) -> None:
    async with elsewhere(tmp_path, answer_model=TEXT) as (session, site):
        site.answers = dict.fromkeys(PATHS, reply("About a train."))
        trace = Trace()
        answer = await session.answer(QUESTION, model=HERE, trace=trace)
    assert (answer.text, answer.model, answer.tokens) == ("About a train.", TEXT, 3)
    (document,) = map(json.loads, site.bodies)
    assert "[0:00:00] the train stopped" in document["messages"][0]["content"]
    shares = trace.shares.until(len(sample()), trace.shares.tokens)
    assert shares["local/scripted/one"].samples == len(sample())
    (slug,) = shares.keys() - {"local/scripted/one"}
    assert (shares[slug].samples, shares[slug].tokens) == (0, 3)


async def test_an_answer_that_is_not_by_the_schema_is_asked_for_elsewhere(tmp_path: Path) -> None:
    """So are a server that is down, and one whose model has a shorter context."""
    failures = {
        "upstream_failed": reply("Three."),
        "upstream_rate_limited": sends(429, {"error": {"message": "Slow down."}}),
        "context_exceeded": sends(400, {"error": {"code": "context_length_exceeded"}}),
    }
    for code, failure in failures.items():
        async with elsewhere(tmp_path) as (session, site):
            site.answers = {PATHS[0]: failure, PATHS[1]: reply('{"n": 3}')}
            route = session.endpoints.choose(
                Preferences(order=("one",), hedge=True),
                {
                    each: session.endpoints.candidate(await session.resolve(TEXT), each)
                    for each in session.endpoints.of(await session.resolve(TEXT))
                },
            )
            trace, texts = Trace(), list[str]()
            answer = await session.answer(
                [AskedMessage("user", (ASKED,))],
                model=route,
                schema=SCHEMA,
                trace=trace,
                on_text=texts.append,
            )
        assert [(each.endpoint, each.error) for each in trace.attempts] == [
            ("one/qwen3", code),
            ("two/qwen3", None),
        ]
        assert answer.text == "".join(texts) == '{"n":3}'


async def test_preferences_hold_for_the_model_that_reads(tmp_path: Path) -> None:
    """Who allows nobody to collect data is not read by somebody who may."""
    async with elsewhere(tmp_path, answer_model=TEXT) as (session, site):
        (here,) = session.endpoints.of(await session.resolve(HERE))
        private = Preferences(data_collection="deny")
        candidate = session.endpoints.candidate(await session.resolve(HERE), here)
        route = session.endpoints.choose(private, {here: candidate})
        with raises("privacy_restricted"):
            await session.answer(QUESTION, model=route)
    assert site.bodies == []


async def test_a_text_model_neither_transcribes_nor_hears(tmp_path: Path) -> None:
    async with elsewhere(tmp_path) as (session, site):
        with raises("unsupported_option", "does not transcribe"):
            await session.transcribe(SAMPLE, model=TEXT)
        missing = AskedMessage("user", (RecordingPart("/there/is/none.wav"), ASKED))
        with raises("unsupported_option", "hears no sound, and does not transcribe .*answer_model"):
            await session.answer([missing], model=TEXT)
        with raises("unsupported_option", f"does not answer questions. Ask .*{TEXT}"):
            await session.answer([missing], model=HERE)
        site.answers = dict.fromkeys(PATHS, reply("Yes."))
        answer = await session.answer([AskedMessage("user", (ASKED,))], model=TEXT)
    assert (answer.text, answer.duration) == ("Yes.", 0.0)


@pytest.mark.parametrize("hears_s", [0.0, 5.0, 60.0])
async def test_an_endpoint_hears_as_much_as_it_says(tmp_path: Path, hears_s: float) -> None:
    async with web() as site:
        site.answers = {PATHS[0]: reply("A train.")}
        upstream = Upstream("one", "compatible", site.url("/one", "127.0.0.1"))
        hears = Endpoint(TEXT, upstream, "qwen3", answers=True, transcribes=False, hears_s=hears_s)
        settings = Settings(
            home=tmp_path,
            spool_dir=tmp_path / "spool",
            endpoints=EndpointList((upstream,), (hears,)),
        )
        async with Session(settings) as session:
            if hears_s == 60.0:
                answer = await session.answer(QUESTION, model=TEXT)
                assert (answer.text, answer.audio_tokens) == ("A train.", 12)
                content = json.loads(site.bodies[0])["messages"][0]["content"]
                assert [part["type"] for part in content] == ["input_audio", "text"]
            else:
                what = "hears 5 s of sound at most" if hears_s else "hears no sound"
                with raises("unsupported_option", what):
                    await session.answer(QUESTION, model=TEXT)
                assert site.bodies == []


async def test_the_default_model_is_one_that_transcribes(tmp_path: Path) -> None:
    """Where none of this machine can run, it is the first elsewhere that does."""
    upstream = Upstream("one", "compatible", "http://127.0.0.1:1/v1")
    text = Endpoint(TEXT, upstream, "qwen3", answers=True, transcribes=False)
    whisper = replace(text, model="a/whisper", upstream_model="w", transcribes=True)
    settings = Settings(
        home=tmp_path,
        engine_memory_bytes=1,
        endpoints=EndpointList((upstream,), (text, whisper)),
    )
    assert AvailableModels(settings)["default"].name == "a/whisper"
    alone = replace(settings, endpoints=EndpointList((upstream,), (text,)))
    assert AvailableModels(alone)["default"].name == "Systran/faster-whisper-base"
