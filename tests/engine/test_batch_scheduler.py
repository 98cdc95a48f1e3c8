"""Windows that share a model: admission, events, and isolation from each other.

Nothing is timed. An action in the middle of a step comes from inside: from the caller's callback,
which runs in the model's own thread, or from a model that calls back between two layers.
"""

import math
import random
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from threading import Event as Flag
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.engine.material import DEADLINE_S, Caller, wait_until
from tests.failures import raises
from tests.spoken_digits import CHECKPOINT, FILES, Spoken, phrase, takes
from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.engine.planner import PREFILL_STEPS
from voxgate.transcript.values import Delta, Done, Event, Progress, Segment
from voxgate.voxtral.decoding import DecodingResult
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.resumable import Resumable

if TYPE_CHECKING:
    from voxgate.errors import Code, VoxgateError

pytestmark = pytest.mark.usefixtures("one_thread")

POSITIONS = 850  # of a slot: any window of 30 s
PREFILL = 2 * (3 + 4)  # half layers of the encoder, and of the decoder
LARGEST_LOGIT = 13  # of the small checkpoint: 12.8 in a dozen phrases


@pytest.fixture(scope="module")
def digits() -> Voxtral:
    return Voxtral.load(CHECKPOINT, dtype=torch.float32)


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    rng = random.Random(11)
    speakers = list(takes().values())[:4]
    return [phrase(rng, its, size) for its in speakers for size in (2, 6)]


def pcm16(spoken: Spoken) -> bytes:
    return (spoken.at_16_khz() * 32768).clip(-32768, 32767).astype("<i2").tobytes()


@contextmanager
def batch(
    model: Voxtral, slots: int = 4, queue_limit: int = 32, *, static: bool = False
) -> Iterator[BatchScheduler]:
    caches = [model.new_cache(size, POSITIONS, static=static) for size in (slots, 1)]
    running = BatchScheduler(model, caches[0], caches[1], queue_limit)
    yield running
    running.stop(DEADLINE_S)


def alone(model: Voxtral, sound: bytes, **options: Any) -> DecodingResult:
    """Return the model's result for this window alone."""
    return model.generate(np.frombuffer(sound, "<i2").astype(np.float32) / 32768, **options)


def text(events: list[Event]) -> str:
    return " ".join(event.text for event in events if isinstance(event, Segment))


def at(number: int, do: Callable[[Caller], None]) -> Callable[[Caller], None]:
    """Return a callback that acts after the caller's event of that number, from 1 on."""
    return lambda caller: do(caller) if len(caller.received) == number else None


def confidence_tolerance(dtype: torch.dtype, confidence: float) -> float:
    """How far a window's confidence may move when its steps are shared.

    A product of several rows adds up in another order than one of one row, on each processor in its
    own. In float32 that stays below 1e-4. In bfloat16 each of the `PREFILL` half layers and the
    logits may round differently once, by a relative eps / 2; independent roundings add like a
    square root. The log probability of a token with probability p depends on the difference of
    two logits, each at most `LARGEST_LOGIT`, and its derivative by that is 1 - p. The mean of
    1 - p over the tokens is at most 1 - confidence.
    """
    if dtype is torch.float32:
        return 1e-4
    roundings = torch.finfo(dtype).eps / 2 * math.sqrt(PREFILL + 1)
    return (1 - confidence) * math.sqrt(2) * LARGEST_LOGIT * roundings


@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_windows_together_give_the_text_of_each_alone(
    spoken: list[Spoken], dtype: torch.dtype, static: bool
) -> None:
    """In steps of static shapes too, as on a GPU."""
    model = Voxtral.load(CHECKPOINT, dtype=dtype)
    with batch(model, static=static) as together:
        callers = [Caller(together, pcm16(one)) for one in spoken]
        results = [caller.events() for caller in callers]
    for one, events in zip(spoken, results, strict=True):
        single = alone(model, pcm16(one))
        (segment,) = (event for event in events if isinstance(event, Segment))
        assert segment.text == single.text.strip()
        assert single.confidence is not None
        tolerance = confidence_tolerance(dtype, single.confidence)
        assert segment.confidence == pytest.approx(single.confidence, abs=tolerance)
        assert events[-1] == Done(tokens=len(single.token_ids))


@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
def test_each_window_keeps_its_own_options(
    digits: Voxtral, spoken: list[Spoken], static: bool
) -> None:
    """Whatever options its neighbours have."""
    asked: list[dict[str, Any]] = [
        {"temperature": 1.5, "seed": 7},
        {"max_tokens": 3},
        {},
        {"temperature": 1.5, "seed": 8},
        {"stop": (spoken[1].said[3].word,)},
        {"frequency_penalty": 2.0, "presence_penalty": 2.0},
    ]
    sound = spoken[1]
    with batch(digits, static=static) as together:
        callers = [Caller(together, pcm16(sound), **options) for options in asked]
        results = [text(caller.events()) for caller in callers]
    assert results == [alone(digits, pcm16(sound), **options).text.strip() for options in asked]
    assert len(set(results)) >= 5  # two of them may end at the same word


def test_others_get_their_text_during_a_prefill(digits: Voxtral, spoken: list[Spoken]) -> None:
    """Counted in events: steps of the new window between two tokens of the old one."""
    order: list[str] = []
    later: list[Caller] = []
    with batch(digits) as together:

        def new(_: Caller) -> None:
            order.append("n")

        def old(caller: Caller) -> None:
            order.append("o")
            if len(caller.received) == PREFILL + 1:
                later.extend(Caller(together, pcm16(spoken[0]), after=new) for _ in range(3))

        Caller(together, pcm16(spoken[1]), after=old).events()
        for caller in later:
            caller.events()
    waits = "".join(order).rstrip("n").split("o")
    assert any(waits)
    # Before its own tokens the new ones add a token each to a round.
    assert max(map(len, waits)) <= PREFILL_STEPS + len(later)


def test_a_full_cache_lets_windows_wait(digits: Voxtral, spoken: list[Spoken]) -> None:
    seen: set[tuple[int, int]] = set()
    with batch(digits, slots=3) as full:
        callers: list[Caller] = []

        def look(_: Caller) -> None:
            seen.add((full.active, full.queued))

        def crowd(_: Caller) -> None:
            callers.extend(Caller(full, pcm16(one), after=look) for one in spoken[1:7])

        callers.append(Caller(full, pcm16(spoken[0]), after=at(1, crowd)))
        wait_until(lambda: len(callers) == 7)
        texts = [text(caller.events()) for caller in callers]
        assert full.step_age_s is None
    assert texts == [alone(digits, pcm16(one)).text.strip() for one in spoken[:7]]
    assert max(active for active, _ in seen) == 3
    assert max(queued for _, queued in seen) >= 4


def test_too_many_are_refused(digits: Voxtral, spoken: list[Spoken]) -> None:
    refused: list[VoxgateError] = []
    with batch(digits, slots=1, queue_limit=1) as full:

        def crowd(caller: Caller) -> None:
            Caller(full, pcm16(spoken[0]))
            with raises("engine_busy", match="1 windows waiting") as error:
                full.add(caller.request)
            refused.append(error.value)

        Caller(full, pcm16(spoken[0]), after=at(1, crowd)).events()
    assert refused


def test_windows_end_in_the_order_they_came(digits: Voxtral, spoken: list[Spoken]) -> None:
    done: list[str] = []

    def finish(name: str) -> Callable[[Caller], None]:
        def note(caller: Caller) -> None:
            if isinstance(caller.received[-1], Done):
                done.append(name)

        return note

    with batch(digits, slots=2) as scheduler:
        callers: list[Caller] = []

        def join(caller: Caller) -> None:
            if len(caller.received) == 2:
                callers.extend(
                    Caller(scheduler, pcm16(spoken[1]), finish(name))
                    for name in ("second", "third", "fourth")
                )
            finish("first")(caller)

        callers.append(Caller(scheduler, pcm16(spoken[1]), after=join))
        wait_until(lambda: len(callers) == 4)
        for caller in callers:
            caller.events()
    assert done == ["first", "second", "third", "fourth"]


@pytest.mark.parametrize("events", [1, 4, PREFILL - 1, PREFILL, PREFILL + 1, PREFILL + 3])
def test_a_window_is_cancelled_after_any_event(
    digits: Voxtral, spoken: list[Spoken], events: int
) -> None:
    """In the encoder, in the prompt, after the first token and after the third."""
    with batch(digits, slots=1) as single:
        left = Caller(
            single, pcm16(spoken[1]), after=at(events, lambda me: single.cancel(me.request))
        )
        following = Caller(single, pcm16(spoken[3]))
        assert text(following.events()) == alone(digits, pcm16(spoken[3])).text.strip()
        single.cancel(following.request)  # finished: nothing happens
    assert len(left.received) == events
    assert left.ended.empty()


def test_a_waiting_window_is_cancelled_without_a_step(
    digits: Voxtral, spoken: list[Spoken]
) -> None:
    with batch(digits, slots=1) as single:
        waiting: list[Caller] = []

        def join_and_leave(_: Caller) -> None:
            waiting.append(Caller(single, pcm16(spoken[0])))
            assert single.queued == 1
            single.cancel(waiting[0].request)
            assert single.queued == 0

        first = Caller(single, pcm16(spoken[1]), after=at(1, join_and_leave))
        assert text(first.events())
        assert text(Caller(single, pcm16(spoken[1])).events())
    assert waiting[0].received == []
    assert waiting[0].ended.empty()


class Calling(Voxtral):
    """Calls `between` between the layers of a token."""

    between: Callable[[], None]

    @classmethod
    def of(cls, model: Voxtral, between: Callable[[], None]) -> "Calling":
        calling = cls(model._network, model.tokenizer, model.config)
        calling.between = between
        return calling

    def step(
        self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]
    ) -> Resumable[torch.Tensor]:
        steps = super().step(cache, slots, tokens)
        while True:
            try:
                next(steps)
            except StopIteration as end:
                logits: torch.Tensor = end.value
                return logits
            self.between()
            yield


def test_a_cancel_in_the_middle_of_a_step_leaves_the_others_theirs(
    digits: Voxtral, spoken: list[Spoken]
) -> None:
    count = Counter[str]()

    def between() -> None:
        count["layers"] += 1
        if count["layers"] == 6:
            together.cancel(callers[0].request)

    with batch(Calling.of(digits, between)) as together:
        callers = [Caller(together, pcm16(one)) for one in spoken[1:4]]
        texts = [text(caller.events()) for caller in callers[1:]]
    assert texts == [alone(digits, pcm16(one)).text.strip() for one in spoken[2:4]]
    assert callers[0].ended.empty()


def test_a_step_whose_windows_are_all_cancelled_is_stopped(
    digits: Voxtral, spoken: list[Spoken]
) -> None:
    layers: list[int] = []

    def between() -> None:
        layers.append(single.active)
        if len(layers) == 2:
            single.cancel(caller.request)

    with batch(Calling.of(digits, between)) as single:
        caller = Caller(single, pcm16(spoken[1]))
        wait_until(lambda: len(layers) >= 2 and single.active == 0)
    assert len(layers) == 2


def test_an_error_in_a_common_step_ends_its_windows_only(
    digits: Voxtral, spoken: list[Spoken], caplog: pytest.LogCaptureFixture
) -> None:
    broken: list[bool] = []

    def between() -> None:
        if not broken and together.active == 2:
            broken.append(True)
            raise MemoryError("no memory for a token")

    with batch(Calling.of(digits, between), slots=3) as together:
        callers = [Caller(together, pcm16(spoken[1])) for _ in range(4)]
        ends = [caller.ended.get(timeout=DEADLINE_S) for caller in callers]
        assert text(Caller(together, pcm16(spoken[1])).events())
    assert 1 <= sum(isinstance(end, MemoryError) for end in ends) <= 2
    assert ends[2:] == [None, None]
    assert "no memory for a token" in caplog.text


def test_an_invalid_window_ends_alone(digits: Voxtral, spoken: list[Spoken]) -> None:
    with batch(digits, slots=2) as together:
        good = [Caller(together, pcm16(one)) for one in spoken[:2]]
        bad = [
            Caller(together, b""),
            Caller(together, b"\0\0\0"),
            Caller(together, pcm16(spoken[0]), language="xx"),
            Caller(together, bytes(32_000 * 40)),
        ]
        good += [Caller(together, pcm16(one)) for one in spoken[2:4]]
        codes: list[Code] = ["invalid_request"] * 4
        codes[2] = "unsupported_language"
        for caller, code, says in zip(
            bad,
            codes,
            ("no sample", "16-bit", "'xx'", "a slot has 850"),
            strict=True,
        ):
            with raises(code, match=says):
                caller.events()
        for caller, one in zip(good, spoken, strict=False):
            assert text(caller.events()) == alone(digits, pcm16(one)).text.strip()


@pytest.mark.parametrize("static", [False, True], ids=["ordinary", "static"])
def test_a_window_that_becomes_no_number_ends_alone(
    tmp_path: Path, spoken: list[Spoken], static: bool
) -> None:
    """Its token's embedding is damaged: whoever says it computes nonsense from then on."""
    for file in FILES:
        (tmp_path / file.name).write_bytes(file.read_bytes())
    digits = Voxtral.load(CHECKPOINT, dtype=torch.float32)
    said = [alone(digits, pcm16(one)) for one in spoken]
    damaged = next(token for token in said[1].token_ids if token not in said[0].token_ids)
    weights = load_file(tmp_path / "model.safetensors")
    weights["language_model.model.embed_tokens.weight"][damaged] = torch.nan
    save_file(weights, tmp_path / "model.safetensors")
    damaged_model = Voxtral.load(tmp_path, dtype=torch.float32)
    with batch(damaged_model, slots=4, static=static) as together:
        callers = [Caller(together, pcm16(one)) for one in spoken]
        for caller, single in zip(callers, said, strict=True):
            if damaged in single.token_ids:
                with raises("engine_refused", match="not finite"):
                    caller.events()
            else:
                assert text(caller.events()) == single.text.strip()


def test_no_event_comes_after_stop(digits: Voxtral, spoken: list[Spoken]) -> None:
    begun, go = Flag(), Flag()

    def between() -> None:
        begun.set()
        assert go.wait(DEADLINE_S)

    with batch(Calling.of(digits, between)) as together:
        callers = [Caller(together, pcm16(spoken[1])) for _ in range(9)]
        assert begun.wait(DEADLINE_S)
        together.stop(0)
        counts = [len(caller.received) for caller in callers]
        go.set()
        together.stop(DEADLINE_S)
        with raises("engine_busy"):
            Caller(together, pcm16(spoken[1]))
    assert (together.active, together.queued) == (0, 0)
    assert [len(caller.received) for caller in callers] == counts
    assert all(caller.ended.empty() for caller in callers)


def test_the_age_of_a_step_is_that_of_the_whole_batch(
    digits: Voxtral, spoken: list[Spoken]
) -> None:
    ages: list[float | None] = []
    with batch(digits) as together:
        assert together.step_age_s is None
        caller = Caller(
            together, pcm16(spoken[1]), after=lambda _: ages.append(together.step_age_s)
        )
        events = caller.events()
        wait_until(lambda: together.active == 0)
        assert together.step_age_s is None
    assert len(ages) == len(events)
    assert all(age is not None and age >= 0 for age in ages[:-1])
    assert [type(event) for event in events[: PREFILL + 1]] == [Progress] * PREFILL + [Delta]
