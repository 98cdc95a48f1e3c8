"""Answers that are none: no words for speech, half of a text, another language than English."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from tests.upstreams.gateway import Elsewhere, deltas, gateway, price
from voxgate.errors import EngineError
from voxgate.transcript.values import Segment

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator
    from pathlib import Path

    from voxgate.audio.spool import Audio
    from voxgate.transcript.values import Event, Options
    from voxgate.upstreams import UpstreamKind

SPEECH = sample()[: 3 * RATE]
RECORDING = encode(SPEECH, "x.flac")
SILENCE = encode(np.zeros(3 * RATE, np.int16), "x.flac")
DEAR, CHEAP = price("0.5", "second"), price("0.001", "second")
KINDS: tuple[UpstreamKind, ...] = ("compatible", "openai", "mistral", "openrouter")


def deaf() -> Scripted:
    return Scripted(hears=lambda *_: "")


@pytest.mark.parametrize("names", [("a-deaf", "z-hears"), ("z-deaf", "a-hears")])
async def test_no_words_for_speech_is_no_answer(tmp_path: Path, names: tuple[str, str]) -> None:
    """Of every kind of upstream: the next one is asked, once, and alone is paid."""
    first, second = names
    silent = [Elsewhere(f"{first}-{kind}", kind, DEAR, deaf()) for kind in KINDS]
    async with gateway(tmp_path, [*silent, Elsewhere(second, price=CHEAP)]) as elsewhere:
        for number, each in enumerate(silent, 1):
            order = {"order": [each.name], "only": [each.name, second]}
            answer = await elsewhere.post(RECORDING, provider=order)
            assert answer.json()["text"].startswith(f"{second} heard")
            assert "x-voxgate-warning" not in answer.headers
            told = await elsewhere.fact(answer)
            assert (told["provider_name"], told["total_cost"]) == (second, 0.003)
            assert elsewhere.asked()[each.name] == 1
            assert elsewhere.asked()[second] == number
            tried = [each["error_code"] for each in told["provider_responses"]]
            assert tried == [None, None]  # an answer, and no failure


async def test_a_hole_in_a_text_costs_what_who_fills_it_charges(tmp_path: Path) -> None:
    """The rest of the window is of the provider that recognised it."""
    whole = sample()[: 9 * RATE]

    class LeavesOut(Scripted):
        """Has words for the first and the last seconds alone."""

        async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event]:
            async for event in super().transcribe(window, options):
                if not isinstance(event, Segment):
                    yield event
                elif window.duration_s > 6.0:  # it is asked for the hole once more, there
                    yield Segment("before", 0.0, 2.0)
                    yield Segment("after", 6.0, window.duration_s)

    providers = [
        Elsewhere("first", price=DEAR, provider=LeavesOut()),
        Elsewhere("second", price=CHEAP),
    ]
    async with gateway(tmp_path, providers) as elsewhere:
        answer = await elsewhere.post(encode(whole, "x.flac"), provider={"order": ["first"]})
        told = await elsewhere.fact(answer)
        (hole,) = elsewhere.providers["second"].windows
        assert elsewhere.asked() == {"first": 1, "second": 1}
    words = answer.json()["text"].split()
    assert (words[0], words[1], words[-1]) == ("before", "second", "after")
    dollars = hole.duration_s * 0.001 + (9 - hole.duration_s) * 0.5
    assert told["total_cost"] == pytest.approx(dollars, rel=0.02)
    assert told["provider_name"] == "first"  # which recognised most


async def test_silence_is_asked_of_nobody_and_costs_once(tmp_path: Path) -> None:
    providers = [Elsewhere("first", price=CHEAP), Elsewhere("second", price=DEAR)]
    async with gateway(tmp_path, providers) as elsewhere:
        answer = await elsewhere.post(SILENCE, provider={"order": ["first"]})
        assert answer.json()["text"] == ""
        assert answer.json()["usage"]["cost"] == 0.003
        assert elsewhere.asked() == {"first": 0, "second": 0}


async def test_what_nobody_hears_is_asked_of_each_once_and_marked(tmp_path: Path) -> None:
    providers = [
        Elsewhere("first", price=CHEAP, provider=deaf()),
        Elsewhere("second", price=DEAR, provider=deaf()),
    ]
    async with gateway(tmp_path, providers) as elsewhere:
        answer = await elsewhere.post(RECORDING, provider={"order": ["first"]})
        assert (answer.status_code, answer.json()["text"]) == (200, "")
        assert answer.headers["x-voxgate-warning"] == "untranscribed_speech"
        assert answer.json()["usage"]["cost"] == 0.003
        assert elsewhere.asked() == {"first": 1, "second": 1}


BREAKS = 6  # windows; the one of number k breaks off after so many segments


class BreaksOff(Scripted):
    async def transcribe(self, window: Audio, _: Options) -> AsyncGenerator[Event]:
        number = self._numbers.setdefault(window.start, len(self._numbers))
        for place in range(number):
            yield Segment("half", place / 10, (place + 1) / 10)
        raise EngineError("The engine broke off. Try again.", code="engine_stalled")


@pytest.mark.parametrize("stream", ["true", "false"])
async def test_half_a_text_is_never_shown(tmp_path: Path, stream: str) -> None:
    """A model that fails after any number of segments: its windows are recognised elsewhere."""
    utterance = np.concatenate([SPEECH, np.zeros(4 * RATE, np.int16)])
    recording = encode(np.concatenate([utterance] * BREAKS), "x.flac")
    broken = BreaksOff(concurrency=2)
    async with gateway(tmp_path, [Elsewhere("second")], here=broken) as elsewhere:
        answer = await elsewhere.post(recording, provider={"order": ["local"]}, stream=stream)
        assert elsewhere.asked() == {"second": BREAKS}
    if stream == "true":
        parts, done = deltas(answer)
        text = done["text"]
        assert "".join(parts) == text
    else:
        text = answer.json()["text"]
    assert "half" not in text
    assert text.count("second heard") == BREAKS


GERMAN = (
    "Guten Tag, ich rufe an, weil der Zug nach München heute morgen wieder nicht gefahren ist und "
    "niemand am Bahnhof uns sagen konnte, wann der nächste kommt oder ob wir unser Geld bekommen."
)
ENGLISH = "Good morning, I am calling because the train to Munich did not run again today."


async def test_a_translation_that_is_none_is_marked(tmp_path: Path) -> None:
    """An upstream that ignores the task; one that has none is not asked."""
    providers = [
        Elsewhere("mistral", "mistral"),
        Elsewhere("ignores", provider=Scripted(hears=lambda *_: GERMAN, translates=True)),
        Elsewhere("obeys", provider=Scripted(hears=lambda *_: ENGLISH, translates=True)),
    ]
    async with gateway(tmp_path, providers) as elsewhere:
        path, answers = "/audio/translations", {}
        for name in ("ignores", "obeys"):
            order = {"order": ["mistral", name], "only": ["mistral", name]}
            answers[name] = await elsewhere.post(RECORDING, path=path, provider=order)
        alone = await elsewhere.post(RECORDING, path=path, provider={"only": ["mistral"]})
        asked = elsewhere.asked()
    assert answers["ignores"].json()["text"] == GERMAN
    assert answers["ignores"].headers["x-voxgate-warning"] == "untranslated_text"
    assert answers["obeys"].json()["text"] == ENGLISH
    assert "x-voxgate-warning" not in answers["obeys"].headers
    assert alone.status_code == 404
    assert "cannot translate" in alone.json()["error"]["message"]
    assert asked["mistral"] == 0
