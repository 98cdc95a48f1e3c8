"""Windows that a provider fails at fall to the next one of the route; what was recognised stays."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.pipeline.test_job import FOUR, decoders
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate.audio.source import Source
from voxgate.errors import EngineError, UpstreamError, VoxgateError
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import TranscriptionJob
from voxgate.pipeline.route import Route, SharedProvider
from voxgate.pipeline.trace import Trace
from voxgate.routing.breaker import FIRST_PAUSE_S
from voxgate.routing.health import HealthBook
from voxgate.routing.tally import EndedAttempt
from voxgate.settings import Settings
from voxgate.transcript.values import Options, Segment
from voxgate.upstreams import Endpoint, Upstream

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.spool import Audio
    from voxgate.transcript.values import Event, Transcript

__all__ = ["decoders"]  # the fixture

WINDOWS = 4  # of `FOUR`


def elsewhere(name: str, provider: Scripted) -> SharedProvider:
    upstream = Upstream(name, "compatible", f"http://{name}.example/v1")
    return SharedProvider.of(provider, Endpoint("scripted/one", upstream, "one"))


class Clock:
    """A clock that stands still, so that a breaker opens and stays so, until a test moves it."""

    now = 1000.0

    def __call__(self) -> float:
        return self.now


class Routed:
    """A recording along a route of scripted providers."""

    def __init__(self, *providers: Scripted) -> None:
        self.providers = providers
        shared = [elsewhere(f"number{n}", each) for n, each in enumerate(providers)]
        self.clock = Clock()
        self.health = HealthBook(self.clock)
        self.route = Route(tuple(shared), self.health)
        self.trace = Trace()

    async def run(self, data: bytes, decoders: DecoderPool, **more: Any) -> Transcript:
        first = self.route.first
        options = more.pop("options", Options())
        with Source.open(data, Settings(), name="a.wav") as source:
            return await TranscriptionJob(
                source=source,
                options=accept_options(first.name, first.capabilities, options),
                route=self.route,
                decoders=decoders,
                settings=Settings(),
                trace=self.trace,
                **more,
            ).transcript()

    def attempts(self) -> list[tuple[str, str | None]]:
        """Return who was asked, and the error of each."""
        return [(each.endpoint.partition("/")[0], each.error) for each in self.trace.attempts]

    def starts(self, number: int) -> list[int]:
        """Return where the windows begin that a provider was given."""
        return [window.start for window in self.providers[number].windows]


def failed(count: int = 1) -> list[VoxgateError]:
    return [UpstreamError("The provider failed. Try again.") for _ in range(count)]


async def test_only_the_failed_window_is_redone_elsewhere(decoders: DecoderPool) -> None:
    first, second = Scripted(faults={2: failed()}), Scripted(says=lambda *_: "elsewhere")
    routed = Routed(first, second)
    transcript = await routed.run(encode(FOUR, "x.wav"), decoders)
    texts = [segment.text for segment in transcript.segments]
    assert [text == "elsewhere" for text in texts] == [False, False, True, False]
    assert len(routed.starts(0)) == WINDOWS
    assert routed.starts(1) == [routed.starts(0)[2]]
    assert routed.attempts() == [
        ("number0", None),
        ("number0", None),
        ("number0", "upstream_failed"),
        ("number1", None),
        ("number0", None),
    ]
    samples = round(transcript.duration * RATE)
    shares = routed.trace.shares.until(samples)
    assert sum(share.samples for share in shares.values()) == samples
    assert shares["number1/one"].samples == pytest.approx(samples / WINDOWS, rel=0.3)


async def test_a_provider_that_dies_costs_one_window_each_until_its_breaker_opens(
    decoders: DecoderPool,
) -> None:
    """Who is known to be down is not asked any more."""
    recording = encode(np.concatenate([FOUR] * 4), "x.wav")
    dead = Scripted(faults=dict.fromkeys(range(2, 4 * WINDOWS), failed(9)))
    routed = Routed(dead, Scripted())
    transcript = await routed.run(recording, decoders)
    assert len(transcript.segments) == 4 * WINDOWS
    lost = [name for name, error in routed.attempts() if error]
    assert lost == ["number0"] * 5  # so many failures in a row open it
    assert len(routed.starts(0)) == 2 + 5
    assert len(routed.starts(1)) == 4 * WINDOWS - 2


async def test_a_window_that_is_too_long_for_the_next_one_is_cut_anew(
    decoders: DecoderPool,
) -> None:
    speech = np.concatenate([sample(), np.zeros(RATE // 2, np.int16)] * 8)
    first = Scripted(window_s=120, faults={0: failed()})
    second = Scripted(window_s=8)
    routed = Routed(first, second)
    transcript = await routed.run(encode(speech, "x.wav"), decoders)
    assert [window.duration_s > 8 for window in first.windows] == [True]
    assert len(second.windows) > 2
    assert all(window.duration_s <= 8 for window in second.windows)
    assert len(transcript.segments) == len(second.windows)
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    for segment, window in zip(transcript.segments, second.windows, strict=True):
        assert segment.start == pytest.approx(window.start / RATE, abs=0.01)


async def test_speech_without_words_is_asked_for_elsewhere(decoders: DecoderPool) -> None:
    """An answer of a provider that heard nothing is no answer."""
    deaf, second = Scripted(says=lambda *_: ""), Scripted(says=lambda *_: "it was said")
    routed = Routed(deaf, second)
    transcript = await routed.run(encode(FOUR, "x.wav"), decoders)
    assert [segment.text for segment in transcript.segments] == ["it was said"] * WINDOWS
    assert transcript.notices == ()
    figures = routed.health.summary("number0/one").last_5m
    assert figures.attempts == 2 * WINDOWS  # each answer, and that it had no words


async def test_the_time_to_the_first_text_is_counted(decoders: DecoderPool) -> None:
    """Of an answer with text; one without has none."""
    routed = Routed(Scripted())
    await routed.run(encode(np.concatenate([FOUR] * 3), "x.wav"), decoders)
    figures = routed.health.summary("number0/one").last_5m
    assert figures.first_text_s
    assert figures.latency_s
    assert 0 < figures.first_text_s.p50 <= figures.latency_s.p50
    silent = Routed(Scripted(says=lambda *_: ""))
    await silent.run(encode(np.concatenate([FOUR] * 3), "x.wav"), decoders)
    assert silent.health.summary("number0/one").last_5m.first_text_s is None


async def test_silence_is_asked_for_once(decoders: DecoderPool) -> None:
    routed = Routed(Scripted(), Scripted())
    transcript = await routed.run(encode(np.zeros(10 * RATE, np.int16), "x.wav"), decoders)
    assert (transcript.text, routed.trace.attempts) == ("", [])


async def test_a_loop_is_asked_for_elsewhere(decoders: DecoderPool) -> None:
    stuck = Scripted(says=lambda *_: "and so on " * 30)
    second = Scripted(says=lambda *_: "it was said")
    transcript = await Routed(stuck, second).run(encode(FOUR, "x.wav"), decoders)
    assert [segment.text for segment in transcript.segments] == ["it was said"] * WINDOWS


@pytest.mark.parametrize(
    ("alone", "text"),
    [("", ""), ("it is quite another thing that was said here", None), ("so it goes", "it goes")],
    ids=["nothing", "more", "the same"],
)
async def test_a_prompt_is_not_what_was_said(
    decoders: DecoderPool, alone: str, text: str | None
) -> None:
    """A text of the caller's words alone is asked for once more without them."""
    parrot = Scripted(
        honours=frozenset({"prompt"}), says=lambda _, its: "it goes" if its.prompt else alone
    )
    routed = Routed(parrot)
    transcript = await routed.run(
        encode(sample(), "x.wav"), decoders, options=Options(prompt="So it goes.")
    )
    assert transcript.text == (alone if text is None else text)
    assert [options.prompt for options in parrot.options[:2]] == ["So it goes.", ""]


@pytest.mark.parametrize(
    ("doubtful", "code"), [("", "untranscribed_speech"), ("and so on " * 30, "doubtful_text")]
)
async def test_a_second_look_that_fails_does_not_lose_the_first(
    decoders: DecoderPool, doubtful: str, code: str
) -> None:
    """What is known of the recording is given, and the window that is in doubt is marked."""
    seen = set[int]()

    def once(number: int) -> None:
        """Fail at a window that was asked for before."""
        if number in seen:
            raise failed()[0]
        seen.add(number)

    first = Scripted(gate=once, says=lambda number, _: doubtful if number == 1 else "it was said")
    down = Scripted(faults=dict.fromkeys(range(WINDOWS), failed(9)))
    routed = Routed(first, down)
    transcript = await routed.run(encode(FOUR, "x.wav"), decoders)
    texts = [segment.text for segment in transcript.segments]
    assert texts.count("it was said") == WINDOWS - 1
    (notice,) = transcript.notices
    assert notice.code == code
    assert [error for _, error in routed.attempts()].count("upstream_failed") >= 2


ENGLISH = "and so my fellow americans ask not what your country can do for you but what you can do"
GERMAN = "und deshalb fragt nicht was euer land für euch tun kann sondern was ihr tun könnt"


@pytest.mark.parametrize(
    ("options", "wrong", "right"),
    [
        (Options(language="de"), ENGLISH, GERMAN),
        (Options(language="en"), "и поэтому спрашивайте не что страна может сделать", ENGLISH),
        (Options(task="translate"), GERMAN, ENGLISH),
    ],
    ids=["a translation", "another script", "no translation"],
)
async def test_another_language_is_asked_for_elsewhere(
    decoders: DecoderPool, options: Options, wrong: str, right: str
) -> None:
    first = Scripted(says=lambda *_: wrong, translates=True)
    second = Scripted(says=lambda *_: right, translates=True)
    data = encode(sample(), "x.wav")
    transcript = await Routed(first, second).run(data, decoders, options=options)
    assert (transcript.text, transcript.notices) == (right, ())
    alone = await Routed(first).run(data, decoders, options=options)
    (notice,) = alone.notices
    assert alone.text == wrong
    assert notice.code == ("untranslated_text" if options.task == "translate" else "other_language")
    assert (await Routed(second).run(data, decoders, options=options)).notices == ()


async def test_each_cause_is_named_where_all_fail(decoders: DecoderPool) -> None:
    refused = UpstreamError("No such language.", code="upstream_refused")
    routed = Routed(
        Scripted(faults={0: failed(9)}), Scripted(faults={0: [refused]}, says=lambda *_: "x")
    )
    with pytest.raises(VoxgateError) as raised:
        await routed.run(encode(sample(), "x.wav"), decoders)
    assert raised.value.code == "upstream_failed"
    # Each cause once, for whoever reads it: of either the next step may help.
    assert str(raised.value) == "No such language. The provider failed. Try again."
    # Each once, then the one at which a retry may help.
    assert routed.attempts() == [
        ("number0", "upstream_failed"),
        ("number1", "upstream_refused"),
        ("number0", "upstream_failed"),
    ]


async def test_a_slow_provider_is_hedged(decoders: DecoderPool) -> None:
    """The second answers for a first that never does; without a hedge nobody is asked for it."""
    never = asyncio.Event()
    slow, second = Scripted(gate=lambda _: never.wait()), Scripted(says=lambda *_: "hedged")
    routed = Routed(slow, second)
    for _ in range(20):
        routed.health.record("number0/one", EndedAttempt("succeeded", 0.05))
    routed.route = replace(routed.route, hedges=True)
    transcript = await routed.run(encode(FOUR, "x.wav"), decoders)
    assert [segment.text for segment in transcript.segments] == ["hedged"] * WINDOWS
    assert routed.attempts() == [("number1", None)] * WINDOWS
    assert slow.running == 0


async def test_a_fast_provider_is_not_hedged(decoders: DecoderPool) -> None:
    routed = Routed(Scripted(), Scripted())
    routed.route = replace(routed.route, hedges=True)
    await routed.run(encode(FOUR, "x.wav"), decoders)
    assert routed.attempts() == [("number0", None)] * WINDOWS


async def test_a_wait_for_a_turn_is_no_slowness(decoders: DecoderPool) -> None:
    """Windows that wait for the only place at a provider are not asked for twice."""
    latency_s = 1.0
    routed = Routed(Scripted(), Scripted())
    for _ in range(20):
        routed.health.record("number0/one", EndedAttempt("succeeded", latency_s))
    routed.route = replace(routed.route, hedges=True)
    async with routed.route.providers[0].queue.slot("another", 1.0):
        running = asyncio.create_task(routed.run(encode(FOUR, "x.wav"), decoders))
        await asyncio.sleep(1.3 * latency_s)  # longer than the patience with an answer
        assert not routed.starts(1)
    await running
    assert routed.attempts() == [("number0", None)] * WINDOWS


async def test_both_may_fail_of_a_hedged_window(decoders: DecoderPool) -> None:
    routed = Routed(Scripted(faults={0: failed(9)}), Scripted(faults={0: failed(9)}))
    routed.route = replace(routed.route, hedges=True)
    with pytest.raises(VoxgateError):
        await routed.run(encode(sample(), "x.wav"), decoders)
    assert {name for name, _ in routed.attempts()} == {"number0", "number1"}


async def test_a_storm_is_no_help(decoders: DecoderPool) -> None:
    """Of one provider that is down, all windows together ask a few times, not each so often."""
    recording = encode(np.concatenate([FOUR] * 8), "x.wav")
    down = {number: failed(9) for number in range(8 * WINDOWS)}
    routed = Routed(Scripted(faults=down, concurrency=8))
    with pytest.raises(VoxgateError):
        await routed.run(recording, decoders)
    assert len(routed.trace.attempts) <= 8 + 10


async def test_an_engine_of_this_machine_is_tried_again_at_once(decoders: DecoderPool) -> None:
    provider = Scripted(faults={1: [EngineError("It ended.", code="engine_died")] * 2})
    shared = SharedProvider.of(provider)
    routed = Routed(provider)
    routed.route = Route((shared,))
    transcript = await routed.run(encode(FOUR, "x.wav"), decoders)
    assert len(transcript.segments) == WINDOWS
    assert [error for _, error in routed.attempts()].count("engine_died") == 2


@pytest.mark.parametrize("hedges", [False, True])
async def test_a_probe_that_never_began_keeps_nobody_back(
    decoders: DecoderPool, *, hedges: bool
) -> None:
    """Its recording is abandoned while it waits for a slot: the next one may find out."""
    routed = Routed(Scripted(), Scripted())
    for _ in range(5):
        routed.health.record("number0/one", EndedAttempt("failed", 1.0))
    routed.clock.now += FIRST_PAUSE_S
    routed.route = replace(routed.route, hedges=hedges)
    queue = routed.route.providers[0].queue
    async with queue.slot(), asyncio.timeout(30):
        run = asyncio.create_task(routed.run(encode(sample(), "x.wav"), decoders))
        while not queue.waiting:  # noqa: ASYNC110 (it sets nothing)
            await asyncio.sleep(0.01)
        assert not routed.health.claim("number0/one")
        run.cancel()
        await asyncio.wait([run])
    assert not routed.trace.attempts
    assert routed.health.claim("number0/one")


class Narrow(Scripted):
    """Refuses to be asked for a window otherwise than at first, and leaves out its middle."""

    first: Options | None = None

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event]:
        self.first = self.first or options
        if options != self.first or len(self.windows) == 1:
            raise UpstreamError("Its answer has 'haw', which it refuses.", code="upstream_refused")
        async for event in super().transcribe(window, options):
            if not isinstance(event, Segment) or event.text != "in two parts":
                yield event
                continue
            yield replace(event, text="in two", end=2.0)
            yield replace(event, text="parts", start=6.0)


@pytest.mark.parametrize("text", ["in two parts", "it goes", "and so on " * 30])
async def test_what_is_asked_once_more_may_be_refused(decoders: DecoderPool, text: str) -> None:
    """A hole, an echo of the prompt, a loop: the text that there is stays, and no caller is told
    that the request was wrong."""
    narrow = Narrow(
        honours=frozenset({"prompt", "temperature"}),
        says=lambda *_: text,
        language=lambda _: ("haw", None),
    )
    transcript = await Routed(narrow).run(
        encode(sample()[: 9 * RATE], "x.wav"), decoders, options=Options(prompt="So it goes.")
    )
    assert transcript.text.startswith(text[:6])
    assert transcript.language == "haw"
