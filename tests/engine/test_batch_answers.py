"""Answers beside windows: the same texts as alone, slots of their own, and isolation.

Nothing is timed: what happens in the middle of a step comes from a caller's own callback.
"""

import json
import random
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from itertools import pairwise
from queue import Queue
from threading import Event
from typing import Any

import jsonschema
import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.material import DEADLINE_S, Caller, wait_until
from tests.engine.test_batch_scheduler import POSITIONS, Calling, alone, pcm16, text
from tests.failures import raises
from tests.spoken_digits import CHECKPOINT, FILES, Spoken, phrase, takes
from voxgate.answers.values import Answered, AnswerEvent, Message, Question, SoundPart, TextPart
from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.engine.planner import PREFILL_STEPS
from voxgate.engine.queue import QuestionRequest
from voxgate.errors import UsageError
from voxgate.transcript.values import Delta, Options
from voxgate.voxtral.answering import AnswerState
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.resumable import run_to_end

pytestmark = pytest.mark.usefixtures("one_thread")

CAPACITY = 2048
TOKENS = 10
LAYERS = 4  # of the decoder
SCHEMA = json.dumps(
    {"type": "array", "items": {"type": "integer", "minimum": 0, "maximum": 9}, "maxItems": 4}
)


@pytest.fixture(scope="module")
def model(tmp_path_factory: pytest.TempPathFactory) -> Voxtral:
    """Hears digits, and never wants to end a text."""
    folder = tmp_path_factory.mktemp("endless")
    for file in FILES:
        (folder / file.name).write_bytes(file.read_bytes())
    weights = load_file(folder / "model.safetensors")
    weights["language_model.lm_head.weight"][[2, 11]] = 0.0
    save_file(weights, folder / "model.safetensors")
    return Voxtral.load(folder, dtype=torch.float32)


@pytest.fixture(scope="module")
def digits() -> Voxtral:
    return Voxtral.load(CHECKPOINT, dtype=torch.float32)


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    rng = random.Random(11)
    return [phrase(rng, its, size) for its in list(takes().values())[:2] for size in (2, 6)]


@contextmanager
def both(
    model: Voxtral,
    windows: int = 3,
    answers: int = 3,
    question_limit: int = 8,
    *,
    static: bool = False,
) -> Iterator[BatchScheduler]:
    cache = model.new_cache(windows, POSITIONS, static=static)
    answer_cache = model.new_cache(answers, CAPACITY, static=static)
    running = BatchScheduler(model, cache, answer_cache, question_limit=question_limit)
    yield running
    running.stop(DEADLINE_S)


def about(*parts: str | bytes | TextPart, schema: str | None = None, **options: Any) -> Question:
    """A question of texts and sounds."""
    asked = tuple(
        TextPart(part) if isinstance(part, str)
        else SoundPart(len(part) // 2) if isinstance(part, bytes)
        else part
        for part in parts
    )  # fmt: skip
    return Question((Message("user", asked),), Options(**options), schema)


class Asker:
    """Gives a scheduler one question and records its events, as `Caller` does with a window."""

    def __init__(
        self,
        scheduler: BatchScheduler,
        question: Question,
        pcm16: bytes = b"",
        after: Callable[["Asker"], None] = lambda _: None,
    ) -> None:
        self.received: list[AnswerEvent] = []
        self.ended: Queue[Exception | None] = Queue()
        self._after = after
        self.request = QuestionRequest(question, pcm16, self._record, self.ended.put)
        scheduler.add(self.request)

    def events(self) -> list[AnswerEvent]:
        if error := self.ended.get(timeout=DEADLINE_S):
            raise error
        return self.received

    def _record(self, event: AnswerEvent) -> None:
        self.received.append(event)
        self._after(self)


def answer_text(events: Sequence[AnswerEvent]) -> str:
    return "".join(event.text for event in events if isinstance(event, Delta))


def answered_alone(model: Voxtral, question: Question, sound: bytes = b"") -> str:
    samples = np.frombuffer(sound, "<i2").astype(np.float32) / 32768
    sizes = [
        part.samples
        for message in question.messages
        for part in message.parts
        if isinstance(part, SoundPart)
    ]
    sounds = np.split(samples, np.cumsum(sizes)[:-1]) if sizes else []
    state = model.new_answer(question, sounds, CAPACITY)
    cache = model.new_cache(1, CAPACITY)
    slot = cache.allocate()
    logits = run_to_end(model.encode_and_prefill(cache, slot, state))
    while state.choose_next(logits):
        (logits,) = run_to_end(model.step(cache, [slot], [state.last_token]))
    return state.result().text


@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
def test_answers_and_windows_together_give_the_texts_of_each_alone(
    model: Voxtral, spoken: list[Spoken], static: bool
) -> None:
    sounds = [pcm16(one) for one in spoken]
    questions = [
        (about("What is this?", sounds[0], max_tokens=TOKENS), sounds[0]),
        (about("Which digits?", max_tokens=TOKENS), b""),
        (about(sounds[1], "and", sounds[2], schema=SCHEMA), sounds[1] + sounds[2]),
        (about("Digits?", schema=SCHEMA), b""),
        (about("Draw.", max_tokens=TOKENS, temperature=1.5, seed=3), b""),
        (about("Until", max_tokens=400, stop=("e", "o")), b""),
    ]
    with both(model, static=static) as together:
        callers = [Caller(together, sound, max_tokens=9) for sound in sounds]
        askers = [Asker(together, question, sound) for question, sound in questions]
        texts = [text(caller.events()) for caller in callers]
        answers = [asker.events() for asker in askers]
        assert (together.active, together.queued, together.step_age_s) == (0, 0, None)
    assert texts == [alone(model, sound, max_tokens=9).text.strip() for sound in sounds]
    for (question, sound), events in zip(questions, answers, strict=True):
        *_, end = events
        assert isinstance(end, Answered)
        assert answer_text(events) == answered_alone(model, question, sound)
        assert end.audio_tokens == 375 * sum(
            isinstance(part, SoundPart) for part in question.messages[0].parts
        )
        if question.schema:
            jsonschema.validate(json.loads(answer_text(events)), json.loads(SCHEMA))
            assert end.finish == "stop"
    assert [events[-1].finish for events in answers if isinstance(events[-1], Answered)] == [
        "length", "length", "stop", "stop", "length", "stop",
    ]  # fmt: skip


HALVES = 2 * (3 + LAYERS)


@pytest.mark.parametrize("events", [1, 3, HALVES, HALVES + 3])
def test_an_answer_is_cancelled_after_any_event(
    model: Voxtral, spoken: list[Spoken], events: int
) -> None:
    """In the encoder, at its first layer and later, after the first token and after the fourth."""
    sound = pcm16(spoken[0])
    question = about(sound, "What?", max_tokens=TOKENS)

    def leave(asker: Asker) -> None:
        if len(asker.received) == events:
            one.cancel(asker.request)

    with both(model, answers=1) as one:
        left = Asker(one, question, sound, after=leave)
        following = Asker(one, question, sound)
        assert answer_text(following.events()) == answered_alone(model, question, sound)
    assert len(left.received) == events
    assert left.ended.empty()


def test_full_slots_of_one_kind_do_not_hold_up_the_other(
    model: Voxtral, spoken: list[Spoken]
) -> None:
    """An answer goes on and another waits until a window has come and gone, and the reverse."""
    question = about("Count.", max_tokens=1500)
    window = pcm16(spoken[1])
    with both(model, windows=1, answers=1) as full:
        askers = [Asker(full, question) for _ in range(2)]
        wait_until(lambda: any(isinstance(each, Delta) for each in askers[0].received))
        assert text(Caller(full, window, max_tokens=5).events())
        assert (full.active, full.queued) == (1, 1)
        for asker in askers:
            full.cancel(asker.request)

        waiting: list[Asker] = []
        order: list[str] = []

        def ask(caller: Caller) -> None:
            order.append("window")
            if len(caller.received) == 1:
                callers.append(Caller(full, window, after=lambda _: order.append("second")))
                short = about("Count.", max_tokens=1)
                waiting.append(Asker(full, short, after=lambda _: order.append("answer")))

        callers = list[Caller]()
        Caller(full, window, after=ask).events()
        waiting[0].events()
        callers[0].events()
    assert order.index("answer") < len(order) - 1 - order[::-1].index("window")
    assert order.index("second") > len(order) - 1 - order[::-1].index("window")


def test_too_many_questions_are_refused(model: Voxtral) -> None:
    with both(model, answers=1, question_limit=1) as full:
        first = Asker(full, about("Count.", max_tokens=1500))
        wait_until(lambda: bool(first.received))
        Asker(full, about("Wait."))
        with raises("engine_busy", match="1 questions waiting"):
            Asker(full, about("Too much."))


def test_a_long_question_does_not_hold_up_windows(model: Voxtral, spoken: list[Spoken]) -> None:
    """Counted in its steps between the tokens of a window that decodes, and of one that comes."""
    order: list[str] = []
    steps_of_prefill = 2 * LAYERS * 3  # three pieces
    question = about("word " * 1400, max_tokens=1)
    askers: list[Asker] = []
    second: list[Caller] = []

    def note(name: str) -> Callable[[Caller], None]:
        def token(caller: Caller) -> None:
            order.append(name if isinstance(caller.received[-1], Delta) else f"{name} …")

        return token

    def ask(caller: Caller) -> None:
        note("first")(caller)
        if order.count("first") == 1 and not askers:
            askers.append(Asker(together, question, after=lambda _: order.append("question")))
            second.append(Caller(together, pcm16(spoken[0]), note("second")))

    with both(model) as together:
        first = Caller(together, pcm16(spoken[1]), ask)
        first.events()
        (asker,), (later,) = askers, second
        later.events()
        assert isinstance(asker.events()[-1], Answered)
    question_steps = [at for at, name in enumerate(order) if name == "question"]
    assert len(question_steps) >= steps_of_prefill
    tokens = [at for at, name in enumerate(order) if name == "first"]
    during = [at for at in tokens if question_steps[0] < at < question_steps[-3]]
    assert during
    assert max(b - a for a, b in pairwise(tokens)) <= 2 * PREFILL_STEPS
    assert order.index("second") < question_steps[-3]


def test_windows_go_on_while_a_question_is_read(
    model: Voxtral, spoken: list[Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A hostile text takes a second to become tokens; this one takes as long as the window."""
    recognised, read, begun = Event(), model.new_answer, list[Any]()

    def slow(*question: Any) -> AnswerState:
        begun.append(question)
        assert recognised.wait(DEADLINE_S)
        return read(*question)

    monkeypatch.setattr(model, "new_answer", slow)
    with both(model) as together:
        left = [Asker(together, about("Who asks?"))]
        wait_until(lambda: bool(begun))
        left.append(Asker(together, about("Who else?")))
        for each in left:
            together.cancel(each.request)
        question = Asker(together, about("Who is next?", max_tokens=TOKENS))
        Caller(together, pcm16(spoken[0]), max_tokens=9).events()
        recognised.set()
        assert isinstance(question.events()[-1], Answered)
        assert not any(each.received for each in left)
        assert len(begun) == 2


def test_a_question_that_cannot_be_answered_ends_alone(
    model: Voxtral, spoken: list[Spoken]
) -> None:
    sound = pcm16(spoken[0])
    good = about(sound, "What?", max_tokens=TOKENS)
    with both(model) as together:
        window = Caller(together, sound, max_tokens=9)
        first = Asker(together, good, sound)
        long = Asker(together, about("word " * 3000))
        short = Asker(together, about(sound, "What?"), sound[:-2])
        stop = Asker(together, about("a", schema=SCHEMA, stop=("]",)))
        last = Asker(together, good, sound)
        with raises("context_exceeded", match=f"takes {CAPACITY} here"):
            long.events()
        with pytest.raises(UsageError, match=f"{len(sound) // 2} samples"):
            short.events()
        with raises("unsupported_option"):
            stop.events()
        assert text(window.events()) == alone(model, sound, max_tokens=9).text.strip()
        expected = answered_alone(model, good, sound)
        assert [answer_text(each.events()) for each in (first, last)] == [expected] * 2


def test_what_was_not_read_is_said(model: Voxtral) -> None:
    with both(model) as together:
        question = about(TextPart("word " * 3000, may_be_cut=True), "Why?", max_tokens=5)
        end = Asker(together, question).events()[-1]
    assert isinstance(end, Answered)
    assert 0 < end.unread < 15_000
    assert CAPACITY - 10 < end.prompt_tokens + end.tokens <= CAPACITY


def test_an_error_in_a_step_of_answers_leaves_windows_theirs(
    model: Voxtral, spoken: list[Spoken]
) -> None:
    """The answers' cache pretends to be full: every step of theirs fails."""
    sound = pcm16(spoken[1])
    answer_cache = model.new_cache(2, CAPACITY)

    def fill(asker: Asker) -> None:
        if isinstance(asker.received[-1], Delta):
            answer_cache.lengths[:] = [CAPACITY] * 2

    together = BatchScheduler(model, model.new_cache(2, POSITIONS), answer_cache)
    window = Caller(together, sound, max_tokens=20)
    asker = Asker(together, about("Count.", max_tokens=TOKENS), after=fill)
    with pytest.raises(UsageError, match="no room"):
        asker.events()
    assert text(window.events()) == alone(model, sound, max_tokens=20).text.strip()
    after = about("Count.", max_tokens=TOKENS)
    assert answer_text(Asker(together, after).events()) == answered_alone(model, after)
    together.stop(DEADLINE_S)


def test_a_cancelled_answer_stops_within_its_step(model: Voxtral) -> None:
    layers: list[int] = []

    def between() -> None:
        layers.append(one.active)
        if len(layers) == 2:
            one.cancel(asker.request)

    with both(Calling.of(model, between)) as one:
        asker = Asker(one, about("Count.", max_tokens=1500))
        wait_until(lambda: len(layers) >= 2 and one.active == 0)
    assert len(layers) == 2


def test_stop_ends_questions_too(model: Voxtral) -> None:
    with both(model, answers=1) as one:
        askers = [Asker(one, about("Count.", max_tokens=1500)) for _ in range(2)]
        wait_until(lambda: bool(askers[0].received))
        one.stop(DEADLINE_S)
        assert (one.active, one.queued) == (0, 0)
        with raises("engine_busy"):
            Asker(one, about("Too late."))
    assert all(asker.ended.empty() for asker in askers)
