"""An upstream that dies: before a recording, or in the middle of one."""

from __future__ import annotations

import asyncio
from fractions import Fraction
from math import floor
from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.api.serving import model_spec
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from tests.upstreams import faults
from tests.upstreams.faults import always
from tests.upstreams.gateway import Clock, Elsewhere, Gateway, deltas, gateway, price
from voxgate.pipeline.session import Session
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2

    from tests.upstreams.proxy import Exchange, Fault

SPEECH = encode(sample()[: 2 * RATE], "x.flac")
OPENS = 5  # failures in a row open a breaker
PAUSE_S = 5.0  # its first


async def ask(elsewhere: Gateway, count: int, **preferences: object) -> list[str]:
    """Post so many requests at once, and return who answered each."""

    async def one(number: int) -> str:
        answer = await elsewhere.post(SPEECH, f"{number}.flac", provider=preferences)
        assert answer.status_code == 200, answer.text
        text: str = answer.json()["text"]
        return text.partition(" ")[0]

    return list(await asyncio.gather(*map(one, range(count))))


async def test_a_dead_upstream_is_left_alone_until_its_pause_is_over(tmp_path: Path) -> None:
    """Every request succeeds; of a half open breaker one at a time finds out."""
    clock = Clock()
    three = [Elsewhere("dead"), Elsewhere("second"), Elsewhere("third")]
    async with gateway(tmp_path, three, clock=clock) as elsewhere:
        dead = elsewhere.proxies["dead"]
        dead.script = always(faults.reset)
        for attempt in range(OPENS):
            assert await ask(elsewhere, 1, order=["dead", "second"]) == ["second"]
            assert dead.connections == attempt + 1
        assert set(await ask(elsewhere, 12)) <= {"second", "third"}
        assert await ask(elsewhere, 4, order=["dead", "third"]) == ["third"] * 4
        assert dead.connections == OPENS

        clock.now += PAUSE_S
        assert await ask(elsewhere, 6, order=["dead", "third"]) == ["third"] * 6
        assert dead.connections == OPENS + 1

        dead.script = always(None)
        clock.now += 2 * PAUSE_S
        assert await ask(elsewhere, 1, order=["dead"]) == ["dead"]
        assert await ask(elsewhere, 4, order=["dead"]) == ["dead"] * 4


WINDOWS, ANSWERED, AT_ONCE = 60, 20, 4
UTTERANCE = np.concatenate([sample()[: round(1.4 * RATE)], np.zeros(round(0.6 * RATE), np.int16)])
LONG = encode(np.concatenate([UTTERANCE] * WINDOWS), "x.flac")
WINDOW_S = 2.0  # so that each utterance is a window
FIRST, SECOND = price("0.0123456789", "minute"), price("0.37", "hour")


class Death:
    """Answers the first requests; then waits for as many as are in flight, and kills them all."""

    def __init__(self) -> None:
        self._killed = asyncio.Event()
        self._in_flight = 0

    def __call__(self, number: int) -> Fault | None:
        return None if number < ANSWERED else self._die

    async def _die(self, exchange: Exchange) -> None:
        self._in_flight += 1
        if self._in_flight == AT_ONCE:
            self._killed.set()
        await self._killed.wait()
        exchange.reset()


async def window_ends() -> list[int]:
    """Return the sample at which each window of the recording ends."""
    provider = Scripted(window_s=WINDOW_S, long_pause_s=8.0, margin_s=5.0)  # as a Whisper's
    models = {"scripted/one": model_spec("scripted/one", provider)}
    async with Session(Settings(), models=models, start=lambda *_: provider) as session:
        await session.transcribe(LONG, model="scripted/one")
    return [window.start + round(window.duration_s * RATE) for window in provider.windows]


def cost(texts: list[str], ends: list[int], samples: int) -> int:
    """Return the nano-dollars: each window by who recognised it, with the pause before it."""
    ends = [*ends[:-1], samples]  # what follows the last is its own
    spans = [end - start for start, end in zip([0, *ends], ends, strict=False)]
    firsts = sum(n for n, text in zip(spans, texts, strict=True) if text == "first")
    seconds = samples - firsts
    dollars = Fraction(firsts, 60 * RATE) * Fraction(FIRST.amount)
    dollars += Fraction(seconds, 3600 * RATE) * Fraction(SECOND.amount)
    return floor(dollars * 10**9 + Fraction(1, 2))


@pytest.mark.parametrize("stream", [False, True])
async def test_what_is_in_flight_alone_is_recognised_elsewhere(
    tmp_path: Path, *, stream: bool
) -> None:
    """Each part costs what its provider charges, and nothing that was shown is taken back."""
    described = {"window_s": WINDOW_S}
    two = [
        Elsewhere("first", price=FIRST, upstream={"concurrency": AT_ONCE}, endpoint=described),
        Elsewhere("second", price=SECOND, endpoint=described),
    ]
    async with gateway(tmp_path, two, clock=Clock()) as elsewhere:
        elsewhere.proxies["first"].script = Death()
        answer = await elsewhere.post(
            LONG, provider={"order": ["first"]}, stream=str(stream).lower()
        )
        assert answer.status_code == 200, answer.text
        record, told = await elsewhere.record(answer), await elsewhere.fact(answer)
        asked = elsewhere.asked()
    texts, usage = read(answer, stream=stream)
    assert len(texts) == WINDOWS
    assert texts.count("first") == ANSWERED
    assert asked["second"] == WINDOWS - ANSWERED  # each once, and no other
    lost = asked["first"] - ANSWERED
    assert AT_ONCE < lost <= OPENS - 1 + AT_ONCE  # the next find out that it is dead
    assert len(told["provider_responses"]) == lost + 2
    assert told["provider_name"] == "second"  # recognised most
    samples = len(UTTERANCE) * WINDOWS
    assert record.audio_samples == samples
    assert record.cost_nanodollars == cost(texts, await window_ends(), samples)
    assert usage["cost"] * 1e9 == pytest.approx(record.cost_nanodollars, abs=0.1)


def read(answer: httpx2.Response, *, stream: bool) -> tuple[list[str], dict[str, float]]:
    """Return who recognised each window, and the usage."""
    if not stream:
        body = answer.json()
        text, usage = body["text"], body["usage"]
    else:
        parts, done = deltas(answer)
        text, usage = "".join(parts), done["usage"]
        assert done["text"] == text
        assert len(parts) == WINDOWS
    return [part.split()[-1] for part in text.split(" heard ")[:-1]], usage


@pytest.mark.parametrize("stream", [False, True])
async def test_without_another_one_what_was_shown_alone_is_paid(
    tmp_path: Path, *, stream: bool
) -> None:
    """A stream ends with the error, after the text that nothing takes back."""
    only = Elsewhere(
        "only", price=FIRST, upstream={"concurrency": 1}, endpoint={"window_s": WINDOW_S}
    )
    recording = encode(np.concatenate([UTTERANCE] * 4), "x.flac")
    async with gateway(tmp_path, [only]) as elsewhere:
        elsewhere.proxies["only"].script = lambda number: None if number < 2 else faults.reset
        answer = await elsewhere.post(recording, stream=str(stream).lower())
        record = await elsewhere.record(answer)
    error = "only cannot be used now. Try again later, or ask for another model"
    assert error in answer.text
    assert record.error_code == "upstream_failed"
    if not stream:
        assert (answer.status_code, record.cost_nanodollars) == (502, 0)
        return
    parts, last = deltas(answer)
    assert len(parts) == 2
    assert last["error"]["message"].startswith(error)
    samples = record.audio_samples
    assert samples is not None
    assert 1.5 < samples / len(UTTERANCE) <= 2
    assert record.cost_nanodollars == FIRST.nanodollars(samples)
