"""Questions about recordings: what is heard, what is read, and what is said of it."""

from __future__ import annotations

import io
import os
import threading
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.failures import raises
from tests.pipeline.asking import ASKED, Asked, answering, ask, codes, texts
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate.answers.values import SoundPart, TextPart
from voxgate.pipeline.question import AskedMessage, RecordingPart
from voxgate.pipeline.shares import Share
from voxgate.transcript.values import Options, Segment, Transcript

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from voxgate.audio.source import AudioInput

__all__ = ["ask"]  # the fixture

LENGTH_S = len(sample()) / RATE
VOICE = encode(sample(), "x.wav")
HALF = encode(sample()[: len(sample()) // 2], "x.wav")
SILENCE = encode(np.zeros(2 * RATE, np.int16), "x.wav")


async def test_a_recording_is_heard_whole(ask: Callable[..., Asked]) -> None:
    silence = np.zeros(3 * RATE, np.int16)
    sound = np.concatenate([silence, sample(), silence])
    model = answering()
    asked = ask(model)
    answer = await asked.answer(RecordingPart(encode(sound, "x.wav")), ASKED)
    ((question, sounds),) = model.questions
    assert question.messages[0].parts == (SoundPart(len(sound)), ASKED)
    assert sounds[0].samples == len(sound)
    assert not model.windows
    assert answer.text == "about a train" == "".join(asked.texts)
    assert (answer.finish, answer.model, answer.duration) == (
        "stop", "scripted/one", len(sound) / RATE
    )  # fmt: skip
    assert (answer.audio_tokens, answer.tokens) == (round(12.5 * len(sound) / RATE), 3)
    assert answer.notices == ()
    assert asked.covered == [answer.duration]
    share = asked.trace.shares.until(len(sound), asked.trace.shares.tokens)
    assert share == {"local/scripted/one": Share(len(sound), 3, answered=3)}


async def test_a_text_alone_is_asked_without_any_sound(ask: Callable[..., Asked]) -> None:
    model = answering()
    asked = ask(model)
    answer = await asked.answer(ASKED)
    assert [sounds for _, sounds in model.questions] == [[]]
    assert (answer.text, answer.duration, asked.covered) == ("about a train", 0.0, [0.0])
    share = asked.trace.shares.until(0, asked.trace.shares.tokens)
    assert [(each.samples, each.tokens) for each in share.values()] == [(0, 3)]


async def test_a_conversation_keeps_its_messages(ask: Callable[..., Asked]) -> None:
    model = answering()
    asked = ask(model)
    await asked.session.answer(
        [
            AskedMessage("user", (RecordingPart(VOICE), ASKED)),
            AskedMessage("assistant", (TextPart("A train."),)),
            AskedMessage("user", (TextPart("Which one?"), RecordingPart(HALF))),
        ],
        model=asked.model,
    )
    ((question, sounds),) = model.questions
    assert [(each.role, len(each.parts)) for each in question.messages] == [
        ("user", 2),
        ("assistant", 1),
        ("user", 2),
    ]
    assert [each.samples for each in sounds] == [len(sample()), len(sample()) // 2]


@pytest.mark.parametrize("more", [0, 1])
async def test_one_sample_more_than_the_model_hears_is_read(
    ask: Callable[..., Asked], more: int
) -> None:
    model = answering(hears_s=(len(sample()) - more) / RATE, says=lambda *_: "the train stopped")
    asked = ask(model)
    answer = await asked.answer(RecordingPart(VOICE, "note.wav"), ASKED)
    ((question, sounds),) = model.questions
    assert len(sounds) == 1 - more
    assert len(model.windows) == more
    assert answer.duration == LENGTH_S
    assert codes(answer) == ["read_not_heard"] * more
    if more:
        assert texts(question) == (
            "Transcript of a recording of 0:00:10:\n\n[0:00:00] the train stopped\n\n"
            "(End of the transcript.)\n\nWhat is it about?"
        )
        assert "note.wav makes this question longer than the" in answer.notices[0].sentence


async def test_of_several_recordings_the_one_that_is_too_long_is_read(
    ask: Callable[..., Asked],
) -> None:
    """The others are heard, whatever their order."""
    model = answering(hears_s=1.2 * LENGTH_S, says=lambda *_: "the train stopped")
    asked = ask(model)
    answer = await asked.answer(RecordingPart(HALF), RecordingPart(VOICE), RecordingPart(HALF))
    ((question, sounds),) = model.questions
    kinds = [type(part) for part in question.messages[0].parts]
    assert kinds == [SoundPart, TextPart, TextPart, TextPart, SoundPart]
    assert [each.samples for each in sounds] == [len(sample()) // 2] * 2
    assert answer.duration == pytest.approx(2 * LENGTH_S)
    assert asked.covered[0] == pytest.approx(LENGTH_S)
    assert max(asked.covered) == pytest.approx(2 * LENGTH_S)
    shares = asked.trace.shares.until(round(answer.duration * RATE), asked.trace.shares.tokens)
    assert [(each.samples, each.tokens) for each in shares.values()] == [(2 * len(sample()), 6)]


async def test_a_model_that_hears_nothing_reads_without_decoding_twice(
    ask: Callable[..., Asked],
) -> None:
    model = answering(hears_s=0.0)
    asked = ask(model)
    answer = await asked.answer(RecordingPart(VOICE), ASKED)
    assert "from 0.02" in texts(model.questions[0][0])
    assert "scripted/one hears no sound" in answer.notices[0].sentence


async def test_a_recording_in_which_nobody_speaks_is_read_as_such(
    ask: Callable[..., Asked],
) -> None:
    model = answering(hears_s=0.0)
    answer = await ask(model).answer(RecordingPart(SILENCE), ASKED)
    assert "(Nobody speaks in this recording.)" in texts(model.questions[0][0])
    assert answer.duration == 2.0


def piped(data: bytes, folder: Path) -> Path:
    pipe = folder / "pipe"
    os.mkfifo(pipe)
    threading.Thread(target=pipe.write_bytes, args=[data], daemon=True).start()
    return pipe


@pytest.mark.parametrize(
    "opened", [lambda data, _: io.BytesIO(data), piped], ids=["stream", "pipe"]
)
async def test_what_can_be_read_only_once_is_read_though_it_was_begun_to_be_heard(
    ask: Callable[..., Asked], tmp_path: Path, opened: Callable[[bytes, Path], AudioInput]
) -> None:
    model = answering(hears_s=1.0)
    answer = await ask(model).answer(RecordingPart(opened(VOICE, tmp_path)), ASKED)
    assert answer.duration == LENGTH_S
    assert "from 0.02" in texts(model.questions[0][0])


def transcript(*words: str, duration: float) -> Transcript:
    segments = [Segment(text, 600.0 * n, 600.0 * n + 5) for n, text in enumerate(words)]
    return Transcript(tuple(segments), duration, "other/model")


async def test_a_transcript_of_the_caller_is_read_and_its_recording_not_opened(
    ask: Callable[..., Asked],
) -> None:
    model = answering(hears_s=5.0)
    asked = ask(model)
    known = transcript("one", "two", "three", duration=1300.0)
    answer = await asked.answer(RecordingPart("/there/is/none.wav", transcript=known), ASKED)
    assert "[0:00:00] one\n\n[0:10:00] two\n\n[0:20:00] three" in texts(model.questions[0][0])
    assert (answer.duration, model.windows) == (1300.0, [])
    assert "other/model transcribed the recording" in answer.notices[0].sentence


async def test_a_short_recording_is_heard_though_it_was_transcribed(
    ask: Callable[..., Asked],
) -> None:
    model = answering()
    asked = ask(model)
    known = transcript("one", duration=LENGTH_S)
    answer = await asked.answer(RecordingPart(VOICE, transcript=known), ASKED)
    assert model.questions[0][0].samples == len(sample())
    assert asked.trace.shares.tokens == answer.tokens == 3


async def test_what_did_not_fit_is_said_with_its_time(ask: Callable[..., Asked]) -> None:
    model = answering(hears_s=0.0, reads=len("[0:00:00] one\n\n[0:10:00] t"))
    asked = ask(model)
    known = transcript("one", "two", "three", duration=1300.0)
    answer = await asked.answer(RecordingPart(b"", transcript=known), ASKED)
    unread = next(each for each in answer.notices if each.code == "unread_text")
    assert "read 57 % of the words, until about 0:10:00:" in unread.sentence
    assert "VOXGATE_CONTEXT_TOKENS" in unread.sentence
    both = [RecordingPart(b"", transcript=known)] * 2
    answer = await asked.answer(*both, ASKED)
    unread = next(each for each in answer.notices if each.code == "unread_text")
    assert "read 57 % of the words: the rest" in unread.sentence


async def test_an_answer_by_a_schema_that_was_cut_off_is_marked(ask: Callable[..., Asked]) -> None:
    asked = ask(answering(honours=frozenset({"max_tokens"})))
    options = Options(max_tokens=2)
    answer = await asked.answer(ASKED, options=options)
    assert (answer.text, answer.finish, answer.notices) == ("about a ", "length", ())
    answer = await asked.answer(ASKED, options=options, schema="{}")
    assert codes(answer) == ["incomplete_answer"]
    assert "'max_tokens' (2)" in answer.notices[0].sentence
    answer = await asked.answer(ASKED, schema="{}")
    assert (answer.finish, answer.notices) == ("stop", ())


@pytest.mark.parametrize("seed", [-5, 2**63, 10**30])
async def test_any_whole_number_is_a_seed(ask: Callable[..., Asked], seed: int) -> None:
    model = answering(honours=frozenset({"temperature", "seed"}))
    asked = ask(model)
    for each in (seed, seed, 7):
        await asked.answer(ASKED, options=Options(temperature=0.5, seed=each))
    first, second, third = (question.options.seed for question, _ in model.questions)
    assert first is not None
    assert 0 <= first < 2**63
    assert (second, third) == (first, 7)


async def test_options_of_sampling_count_and_others_are_refused(ask: Callable[..., Asked]) -> None:
    honours = frozenset({"max_tokens", "stop", "temperature", "seed"})
    model = answering(honours=honours)
    asked = ask(model)
    answer = await asked.answer(ASKED, options=Options(temperature=0.5, top_p=0.9, stop=("x",)))
    assert codes(answer) == ["unused_option"]
    given = model.questions[0][0].options
    assert (given.temperature, given.top_p, given.stop) == (0.5, 1.0, ("x",))
    assert given.seed is not None
    await asked.answer(ASKED)
    assert model.questions[1][0].options == Options()
    with raises("unsupported_option", "before its JSON is complete"):
        await asked.answer(ASKED, options=Options(stop=("x",)), schema="{}")
    for options in (Options(language="de"), Options(prompt="Train"), Options(task="translate")):
        with raises("unsupported_option", "option of transcripts, not of questions"):
            await asked.answer(RecordingPart("/there/is/none.wav"), options=options)
    with raises("unsupported_option", "'frequency_penalty'"):
        await asked.answer(ASKED, options=Options(frequency_penalty=1.0))
    assert len(model.questions) == 2


async def test_messages_that_ask_nothing_are_refused(ask: Callable[..., Asked]) -> None:
    asked = ask(answering())
    with raises("invalid_request", "last message"):
        await asked.session.answer([], model=asked.model)
    with raises("invalid_request", "last message"):
        await asked.session.answer([AskedMessage("assistant", (ASKED,))], model=asked.model)
    with raises("invalid_request", "empty"):
        await asked.session.answer([AskedMessage("user", ())], model=asked.model)


# --- models that only transcribe ------------------------------------------------------------------


async def test_a_text_model_reads_what_the_requested_model_wrote(
    ask: Callable[..., Asked],
) -> None:
    """Also one that hears: who asks for a model wants its words."""
    whisper = Scripted(name="a/whisper", says=lambda *_: "the train stopped")
    text = answering(name="a/text")
    asked = ask(whisper, text, answer_model="a/text")
    answer = await asked.answer(RecordingPart(VOICE), ASKED)
    assert answer.model == "a/text"
    assert (whisper.questions, text.windows) == ([], [])
    ((question, sounds),) = text.questions
    assert "the train stopped" in texts(question)
    assert sounds == []
    assert codes(answer) == ["read_not_heard"]
    assert "a/whisper answers no questions. So a/whisper transcribed" in answer.notices[0].sentence
    shares = asked.trace.shares.until(len(sample()), asked.trace.shares.tokens)
    assert {slug: (each.samples, each.tokens) for slug, each in shares.items()} == {
        "local/a/whisper": (len(sample()), 3),
        "local/a/text": (0, 3),
    }
    plan = await asked.session.plan_answer("a/whisper")
    assert [each.slug for each in plan.providers] == ["local/a/text", "local/a/whisper"]


async def test_without_a_model_that_answers_the_question_is_refused_at_once(
    ask: Callable[..., Asked],
) -> None:
    question = RecordingPart("/there/is/none.wav"), ASKED
    with raises("unsupported_option", r"scripted/one does not answer.*voxgate models pull mistral"):
        await ask(Scripted()).answer(*question)
    with raises("unsupported_option", r"Ask one that does: a/text\. .*answer_model"):
        await ask(Scripted(), answering(name="a/text")).answer(*question)
    with raises("no_endpoints", "'answer_model' .* is a/text, which does not answer"):
        await ask(Scripted(), Scripted(name="a/text"), answer_model="a/text").answer(*question)
    with raises("model_not_found", "a/txt"):
        await ask(Scripted(), Scripted(name="a/text"), answer_model="a/txt").answer(*question)
