"""Questions that fail, or that nobody waits for any more: what is tried again, and what remains."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.failures import raises
from tests.pipeline.asking import ASKED, Asked, answering, ask
from tests.processes import children, until, working_decoders
from tests.scripted import Scripted
from tests.sounds import encode, sample
from voxgate.errors import EngineError, UsageError, VoxgateError
from voxgate.pipeline.question import RecordingPart
from voxgate.transcript.values import Delta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Sequence

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.audio.spool import Audio
    from voxgate.pipeline.job import JobProgress

__all__ = ["ask"]  # the fixture

VOICE = encode(sample(), "x.wav")


class BreakingOff(Scripted):
    """Ends its answers with an error after the first word, or without an end."""

    error: EngineError | None = None

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent]:
        self.questions.append((question, list(sounds)))
        yield Delta("about ")
        if self.error:
            raise self.error


class Hanging(Scripted):
    """Begins an answer and does not go on, unless `hangs` is false."""

    hangs = True

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent]:
        async for event in super().answer(question, sounds):
            yield event
            if self.hangs:
                await asyncio.Event().wait()


def died() -> EngineError:
    return EngineError("The engine died.", code="engine_died")


async def test_an_answer_that_fails_before_its_first_word_is_asked_for_again(
    ask: Callable[..., Asked],
) -> None:
    model = answering(faults={0: [died()]})
    asked = ask(model)
    answer = await asked.answer(RecordingPart(VOICE), ASKED)
    assert (answer.text, "".join(asked.texts)) == ("about a train", "about a train")
    assert [each.error for each in asked.trace.attempts] == ["engine_died", None]


async def test_an_answer_that_was_begun_is_not_begun_anew(ask: Callable[..., Asked]) -> None:
    model = BreakingOff(answers=lambda _: "")
    asked = ask(model)
    model.error = died()
    with raises("engine_died"):
        await asked.answer(ASKED)
    model.error = None
    with raises("engine_error", "broke off without an end"):
        await asked.answer(ASKED)
    assert len(model.questions) == 2
    assert asked.texts == ["about "] * 2
    assert [each.error for each in asked.trace.attempts] == ["engine_died", "engine_error"]


async def test_what_is_the_callers_fault_is_asked_once(ask: Callable[..., Asked]) -> None:
    too_long = UsageError("Too long.", code="context_exceeded")
    model = answering(faults={0: [too_long]})
    with raises("context_exceeded"):
        await ask(model).answer(ASKED)
    assert len(model.questions) == 1


async def test_an_answer_says_nothing_of_the_speed_of_windows(ask: Callable[..., Asked]) -> None:
    asked = ask(answering())
    for _ in range(12):
        await asked.answer(ASKED)
    summary = asked.session.endpoints.health.summary("local/scripted/one")
    assert summary.latency_s is None


async def test_refused_sound_is_not_asked_about(ask: Callable[..., Asked]) -> None:
    async def refuse(_: float) -> None:
        raise VoxgateError("No money is left.", code="budget_exceeded")

    model = answering()
    with raises("budget_exceeded"):
        await ask(model).answer(RecordingPart(VOICE), ASKED, cover=refuse)
    assert model.questions == []


async def test_an_answer_has_a_place_in_the_queue_of_its_model(ask: Callable[..., Asked]) -> None:
    going = asyncio.Event()
    model = answering(gate=lambda _: going.wait(), concurrency=1)
    asked = ask(model)
    answers = [asyncio.create_task(asked.answer(ASKED, tenant=name)) for name in "ab"]
    await until(lambda: asked.session.waiting_windows == {model.name: 1}, "a question that waits")
    assert len(model.questions) == 1
    going.set()
    assert [answer.text for answer in await asyncio.gather(*answers)] == ["about a train"] * 2


@pytest.mark.parametrize("kind", ["empty", "headers", "text"])
async def test_a_recording_without_sound_is_the_error_that_it_always_is(
    ask: Callable[..., Asked], kind: str
) -> None:
    nothing = encode(np.zeros(0, np.int16), "x.wav")
    data = {"empty": b"", "headers": nothing, "text": b"no sound at all" * 100}[kind]
    model = answering()
    with raises("not_audio" if kind == "text" else "empty_audio"):
        await ask(model).answer(RecordingPart(data), ASKED)
    assert model.questions == []


async def test_a_killed_decoder_is_reported_and_frees_the_disk(ask: Callable[..., Asked]) -> None:
    long = encode(np.tile(sample(), 60), "x.flac")

    def kill(progress: JobProgress) -> None:
        if progress.phase == "decoding":
            for server in children(os.getpid()):
                for pid in working_decoders(server):
                    os.kill(pid, signal.SIGKILL)

    asked = ask(answering(hears_s=3600.0))
    with raises("decoder_killed", "long.flac"):
        await asked.answer(RecordingPart(long, "long.flac"), ASKED, on_progress=kill)
    answer = await asked.answer(RecordingPart(VOICE), ASKED)
    assert answer.text == "about a train"


@pytest.mark.parametrize("phase", ["decoding", "loading", "recognising"])
async def test_a_caller_who_leaves_frees_all_that_the_question_had(
    ask: Callable[..., Asked], phase: str
) -> None:
    """The place in the queue, the decoder and the disk: the next caller gets an answer."""
    never = asyncio.Event()
    model = Hanging(answers=lambda _: "about a train", hears_s=3600.0, gate=lambda _: never.wait())
    if phase == "recognising":
        model.gate = None
    asked, reached = ask(model), asyncio.Event()

    def on_progress(progress: JobProgress) -> None:
        if progress.phase == phase:
            reached.set()

    long = encode(np.tile(sample(), 30), "x.flac")
    task = asyncio.create_task(asked.answer(RecordingPart(long), ASKED, on_progress=on_progress))
    await reached.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert not asked.left_on_disk()
    model.gate, model.hangs = None, False
    answer = await asked.answer(RecordingPart(VOICE), ASKED)
    assert answer.text == "about a train"
