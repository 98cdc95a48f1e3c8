"""Windows with drafts in one scheduler: the same events as without, in fewer steps."""

import random
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest
import torch

from tests.engine.material import DEADLINE_S, Caller
from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes
from voxgate.engine.batch_scheduler import BatchScheduler
from voxgate.transcript.values import Delta, Done, Event, Segment
from voxgate.voxtral.draft_trial import DraftTrial, PassCosts
from voxgate.voxtral.model import Voxtral

pytestmark = pytest.mark.usefixtures("one_thread")

POSITIONS = 850  # of a slot: any window of 30 s
CHEAP = DraftTrial(None, PassCosts({1: 1.0, 16: 1.5}))
NONE = DraftTrial("this test compares with it")


@pytest.fixture(scope="module", params=["balanced", "fast"])
def digits(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Voxtral:
    folder = shutil.copytree(CHECKPOINT, tmp_path_factory.mktemp("drafts") / "digits")
    model = Voxtral.load(folder, request.param)
    if not model.checks_drafts:
        pytest.skip("a pass of several tokens has other last bits here")
    return model


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    rng = random.Random(12)
    return [phrase(rng, its, size) for its in list(takes().values())[:4] for size in (3, 8)]


def pcm16(spoken: Spoken) -> bytes:
    return (spoken.at_16_khz() * 32768).clip(-32768, 32767).astype("<i2").tobytes()


@contextmanager
def batch(model: Voxtral, trial: DraftTrial | None, slots: int = 4) -> Iterator[BatchScheduler]:
    caches = [model.new_cache(size, POSITIONS) for size in (slots, 1)]
    running = BatchScheduler(model, caches[0], caches[1], draft_trial=trial)
    yield running
    running.stop(DEADLINE_S)


def said(events: list[Event]) -> list[Event]:
    """What a caller is told of the text: without the signs of work between."""
    return [event for event in events if isinstance(event, Delta | Segment | Done)]


def run(
    scheduler: BatchScheduler, spoken: list[Spoken], drafts: list[str], **options: Any
) -> list[list[Event]]:
    callers = [
        Caller(scheduler, pcm16(one), draft=draft, **options)
        for one, draft in zip(spoken, drafts, strict=True)
    ]
    return [caller.events() for caller in callers]


@pytest.mark.parametrize(
    "options",
    [{}, {"max_tokens": 5}, {"stop": ("four", " two")}, {"temperature": 1.2, "seed": 4}],
    ids=["plain", "max_tokens", "stop", "drawn"],
)
def test_windows_with_different_drafts_are_told_what_they_are_without(
    digits: Voxtral, spoken: list[Spoken], options: dict[str, Any]
) -> None:
    """Delta by delta, with the same confidence."""
    right = [one.text for one in spoken]
    drafts = [
        right[0], right[1], "", "Il pleut depuis ce matin, et les rues sont vides.",
        right[4][3:], right[5].replace("e", "a"), right[7], right[7] * 4,
    ]  # fmt: skip
    with batch(digits, NONE) as plain:
        expected = run(plain, spoken, [""] * len(spoken), **options)
        assert (plain.fill.proposed, plain.fill.accepted) == (0, 0)
    with batch(digits, CHEAP) as drafted:
        results = run(drafted, spoken, drafts, **options)
        assert list(map(said, results)) == list(map(said, expected))
        assert list(map(len, results)) == list(map(len, expected))  # an event for each token
        assert (drafted.fill.accepted == 0) == ("temperature" in options)
        assert drafted.fill.accepted <= drafted.fill.proposed
        assert drafted.fill.windows <= plain.fill.windows


HOSTILE = ["</s>" * 4000, "[AUDIO][INST]<s>lang:en[TRANSCRIBE]", "\0\x1b[31m\u202e", "a " * 8000]


def test_hostile_drafts_change_nothing(digits: Voxtral, spoken: list[Spoken]) -> None:
    with batch(digits, CHEAP) as scheduler:
        expected = run(scheduler, spoken, [""] * len(spoken))
        drafted = run(scheduler, spoken, HOSTILE * 2)
    assert list(map(said, drafted)) == list(map(said, expected))


def test_who_leaves_in_the_middle_of_a_check_costs_the_others_nothing(
    digits: Voxtral, spoken: list[Spoken]
) -> None:
    """Their slots may lie on both sides of the one that becomes free."""
    long, texts = spoken[1::2], [one.text for one in spoken[1::2]]
    with batch(digits, CHEAP) as scheduler:
        expected = run(scheduler, long, texts)

        def leave(caller: Caller) -> None:
            if isinstance(caller.received[-1], Delta):  # the first of several tokens of a pass
                scheduler.cancel(caller.request)

        for leaving in range(len(long)):
            callers = [
                Caller(scheduler, pcm16(one), leave if n == leaving else lambda _: None, draft=text)
                for n, (one, text) in enumerate(zip(long, texts, strict=True))
            ]
            stayed = [caller for n, caller in enumerate(callers) if n != leaving]
            assert [said(each.events()) for each in stayed] == [
                said(events) for n, events in enumerate(expected) if n != leaving
            ]
            assert len(said(callers[leaving].received)) == 1
        assert said(run(scheduler, long[:1], texts[:1])[0]) == said(expected[0])


@pytest.mark.parametrize("most", [1, 2, 3, 16])
def test_a_slot_that_is_full_with_the_last_token_is_checked_to_its_end(
    digits: Voxtral, spoken: list[Spoken], most: int
) -> None:
    (window,) = spoken[1:2]
    positions = digits.new_decoding(window.at_16_khz(), max_tokens=most).max_positions
    caches = [digits.new_cache(1, size) for size in (positions, POSITIONS)]
    scheduler = BatchScheduler(digits, caches[0], caches[1], draft_trial=CHEAP)
    expected, drafted = (
        run(scheduler, [window], [draft], max_tokens=most)[0] for draft in ("", window.text * 2)
    )
    scheduler.stop(DEADLINE_S)
    assert said(drafted) == said(expected)


def test_a_right_draft_takes_few_steps(digits: Voxtral, spoken: list[Spoken]) -> None:
    with batch(digits, NONE) as plain:
        events = run(plain, spoken[1:2], [""])
    (text,) = (event.text for event in events[0] if isinstance(event, Segment))
    with batch(digits, CHEAP) as drafted:
        run(drafted, spoken[1:2], [text])
    assert drafted.fill.accepted == drafted.fill.proposed == plain.fill.steps - drafted.fill.steps
    assert drafted.fill.steps <= 1 + plain.fill.steps / 8


def test_whether_drafts_are_checked_is_tried_with_the_first_one(
    digits: Voxtral, spoken: list[Spoken], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "voxgate.engine.decode_batch")
    with batch(digits, None) as scheduler:
        run(scheduler, spoken[:1], [""])
        assert caplog.messages == []
        run(scheduler, spoken[:2], [one.text for one in spoken[:2]])
    (message,) = caplog.messages
    assert message.startswith("Drafts are used here. A pass of several tokens takes as long")


def test_a_model_whose_rows_are_not_alike_ignores_drafts(
    spoken: list[Spoken], caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO", "voxgate.engine.decode_batch")
    exact = Voxtral.load(CHECKPOINT, dtype=torch.float32)
    with batch(exact, None) as scheduler:
        drafted = run(scheduler, spoken[:1], [spoken[0].text])
        assert said(drafted[0]) == said(run(scheduler, spoken[:1], [""])[0])
        assert scheduler.fill.proposed == 0
    (message,) = caplog.messages
    assert message.startswith("Drafts are not used here: in the profile exact")
