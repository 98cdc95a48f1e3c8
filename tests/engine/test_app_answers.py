"""The route of questions, with the checkpoint that hears digits."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import httpx2
import pytest

from tests.engine.material import DEADLINE_S
from tests.spoken_digits import CHECKPOINT
from voxgate.answers.values import Answered, Message, Question, SoundPart, TextPart
from voxgate.engine.app import create_app
from voxgate.engine.backend import load_model
from voxgate.engine.protocol import Failure, Health, decode
from voxgate.engine.question_wire import QUESTION_HEADER, encode_question
from voxgate.models.catalogue import BUILT_IN_MODELS, find_model
from voxgate.transcript.values import Options, Progress

if TYPE_CHECKING:
    from voxgate.models.capabilities import Capabilities

SECOND = 16_000  # samples


@asynccontextmanager
async def engine(**changed: Any) -> AsyncIterator[httpx2.AsyncClient]:
    spec = find_model(str(CHECKPOINT))
    capabilities: Capabilities = replace(spec.capabilities, **changed)
    backend = load_model(replace(spec, capabilities=capabilities, context_tokens=2048))
    scheduler = backend.scheduler()
    transport = httpx2.ASGITransport(create_app(backend, scheduler))
    async with httpx2.AsyncClient(transport=transport, base_url="http://engine") as http:
        yield http
    scheduler.stop(DEADLINE_S)


async def ask(http: httpx2.AsyncClient, question: Question, samples: int) -> httpx2.Response:
    header = {QUESTION_HEADER: encode_question(question)}
    return await http.post("/answer", content=bytes(2 * samples), headers=header)


def about(*samples: int, **options: Any) -> Question:
    sounds = tuple(SoundPart(size) for size in samples)
    return Question((Message("user", (*sounds, TextPart("What?"))),), Options(**options))


async def test_an_answer_comes_as_lines_that_end_with_answered() -> None:
    question = replace(about(SECOND, 2 * SECOND), schema='{"const": [1, "a"]}')
    async with engine() as http:
        response = await ask(http, question, 3 * SECOND)
        *events, last = map(decode, response.content.splitlines())
        health = Health.decode((await http.get("/health")).content)
    assert response.status_code == 200
    assert isinstance(last, Answered)
    assert (last.finish, last.audio_tokens, last.unread) == ("stop", 750, 0)
    assert last.prompt_tokens > last.audio_tokens
    assert last.tokens > 0
    assert json.loads("".join(getattr(event, "text", "") for event in events)) == [1, "a"]
    assert Progress(0.0) in events
    assert (health.state, health.taken, health.active, health.queued) == ("idle", 1, 0, 0)
    assert (health.steps, health.step_windows) == (0, 0)


@pytest.mark.parametrize(
    ("question", "samples", "says"),
    [
        (about(SECOND), SECOND - 1, "16000 samples, and the body has 15999"),
        (about(SECOND), SECOND + 1, "16000 samples, and the body has 16001"),
        (about(), 1, "0 samples"),
        (about(4 * SECOND, 4 * SECOND), 8 * SECOND, "longer than 5 s"),
        (about(SECOND, beam_size=3), SECOND, "beam_size"),
    ],
)
async def test_what_does_not_belong_together_is_400(
    question: Question, samples: int, says: str
) -> None:
    async with engine(hears_s=5.0) as http:
        response = await ask(http, question, samples)
    failure = decode(response.content)
    assert (response.status_code, type(failure)) == (400, Failure)
    assert isinstance(failure, Failure)
    assert says in failure.sentence


@pytest.mark.parametrize("header", [{}, {QUESTION_HEADER: "[]"}, {QUESTION_HEADER: "{"}])
async def test_a_malformed_question_is_400(header: dict[str, str]) -> None:
    async with engine() as http:
        response = await http.post("/answer", headers=header)
    failure = decode(response.content)
    assert isinstance(failure, Failure)
    assert (response.status_code, failure.code) == (400, "invalid_request")
    assert "malformed" in failure.sentence


async def test_a_model_that_does_not_answer_refuses() -> None:
    async with engine(answers=False) as http:
        response = await ask(http, about(SECOND), SECOND)
    failure = decode(response.content)
    assert isinstance(failure, Failure)
    assert (response.status_code, failure.code) == (400, "unsupported_option")
    assert not any(spec.capabilities.answers for spec in BUILT_IN_MODELS.values())


async def test_a_question_that_does_not_fit_says_what_would() -> None:
    question = Question((Message("user", (TextPart("word " * 4000),)),))
    async with engine() as http:
        response = await ask(http, question, 0)
    failure = decode(response.content.splitlines()[-1])
    assert isinstance(failure, Failure)
    assert (failure.code, failure.retryable) == ("context_exceeded", False)
    assert "takes 2048 here" in failure.sentence
