"""`LocalEngine` answers: with a real engine, which is also killed."""

import os
import signal
from collections.abc import AsyncIterator
from contextlib import aclosing

import pytest

from tests.failures import raises
from tests.spoken_digits import CHECKPOINT
from voxgate.answers.values import (
    Answered,
    AnswerEvent,
    Message,
    Part,
    Question,
    SoundPart,
    TextPart,
)
from voxgate.audio.spool import Audio
from voxgate.models.catalogue import find_model
from voxgate.models.placement import place_model
from voxgate.providers.local import LocalEngine
from voxgate.settings import Settings
from voxgate.transcript.values import Delta, Options

CONTEXT_TOKENS = 8192
LONG = '{"type":"string","minLength":6000}'  # thousands of tokens


@pytest.fixture
async def engine() -> AsyncIterator[LocalEngine]:
    settings = Settings(context_tokens=CONTEXT_TOKENS)
    engine = LocalEngine(place_model(find_model(str(CHECKPOINT)), settings), settings)
    yield engine
    await engine.aclose()


def about(*sounds: Audio, text: str = "What?", schema: str | None = None) -> Question:
    parts: list[Part] = [*(SoundPart(sound.samples) for sound in sounds), TextPart(text)]
    options = Options(max_tokens=6000 if schema == LONG else None)
    return Question((Message("user", tuple(parts)),), options, schema)


async def answered(
    engine: LocalEngine, question: Question, *sounds: Audio
) -> tuple[str, AnswerEvent]:
    events = [event async for event in engine.answer(question, sounds)]
    return "".join(event.text for event in events if isinstance(event, Delta)), events[-1]


async def test_an_engine_answers_and_one_that_is_killed_is_replaced(engine: LocalEngine) -> None:
    sounds = [Audio.from_pcm16(bytes(32_000)), Audio.from_pcm16(bytes(64_000))]
    question = about(*sounds, schema='{"enum":["a","b"]}')
    text, end = await answered(engine, question, *sounds)
    assert text in {'"a"', '"b"'}
    assert isinstance(end, Answered)
    assert (end.finish, end.audio_tokens, end.unread) == ("stop", 750, 0)
    pid = engine.pid
    assert pid is not None
    with raises("engine_died", match=r"signal 9 \(Killed") as caught:
        async with aclosing(engine.answer(about(schema=LONG), [])) as events:
            async for event in events:
                if isinstance(event, Delta):
                    os.kill(pid, signal.SIGKILL)
    assert caught.value.retryable
    assert await answered(engine, question, *sounds) == (text, end)
    assert engine.pid not in {None, pid}
    for sound in sounds:
        sound.spool.close()


async def test_the_setting_bounds_a_question(engine: LocalEngine) -> None:
    with raises("context_exceeded", match=f"takes {CONTEXT_TOKENS} here"):
        await answered(engine, about(text="word " * CONTEXT_TOKENS))
    with raises("context_exceeded", match="524288"):
        await answered(engine, about(text="word " * 200_000))
