"""Jobs with real decoding and a scripted provider: order, retries, failures, progress."""

from __future__ import annotations

import asyncio
import os
from itertools import groupby
from random import Random
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from tests.engine.material import DEADLINE_S
from tests.failures import raises
from tests.scripted import Scripted
from tests.sounds import RATE, encode, sample
from voxgate import errors
from voxgate.audio.decoder_pool import DecoderPool
from voxgate.audio.source import Source
from voxgate.pipeline.budget import accept_options
from voxgate.pipeline.job import JobProgress, TranscriptionJob
from voxgate.pipeline.route import Route
from voxgate.pipeline.text_work import SHORT_CHARACTERS
from voxgate.settings import Settings
from voxgate.transcript.values import Decoding, Options, Transcript

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from pathlib import Path

    from voxgate.audio.source import AudioInput

SILENCE = np.zeros(5 * RATE, np.int16)
FOUR = np.concatenate([sample(), SILENCE] * 4)  # four utterances, each a window of its own


@pytest.fixture
async def decoders() -> AsyncIterator[DecoderPool]:
    async with DecoderPool(Settings()) as decoders:
        yield decoders


async def run(
    data: AudioInput, provider: Scripted, decoders: DecoderPool, settings: Settings, **more: Any
) -> Transcript:
    options = more.pop("options", Options())
    accepted = accept_options(provider.name, provider.capabilities, options)
    with Source.open(data, settings, name="a.wav") as source:
        return await TranscriptionJob(
            source=source,
            options=accepted,
            route=Route.to(provider),
            decoders=decoders,
            settings=settings,
            **more,
        ).transcript()


async def test_windows_are_utterances_in_order(decoders: DecoderPool, tmp_path: Path) -> None:
    provider = Scripted()
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings(spool_dir=tmp_path))
    assert transcript.duration == len(FOUR) / RATE
    assert transcript.language == "en"
    assert transcript.model == "scripted/one"
    assert len(transcript.segments) == 4
    period = len(FOUR) / 4 / RATE
    for number, segment in enumerate(transcript.segments):
        assert segment.start == pytest.approx(number * period, abs=0.5)
        assert segment.end == pytest.approx(number * period + len(sample()) / RATE, abs=0.7)
    assert list(tmp_path.iterdir()) == []


TIME = np.arange(30 * RATE) / RATE
WITHOUT_SPEECH = {
    "silence": np.zeros(30 * RATE),
    "noise": np.random.default_rng(4).normal(0, 500, 30 * RATE),
    "chord": np.stack([2000 * np.sin(2 * np.pi * f * TIME) for f in (220, 277, 330)]).sum(0),
}


@pytest.mark.parametrize("name", WITHOUT_SPEECH)
async def test_without_speech_the_provider_is_not_called(name: str, decoders: DecoderPool) -> None:
    data = WITHOUT_SPEECH[name].astype(np.int16)
    provider = Scripted()
    transcript = await run(encode(data, "x.wav"), provider, decoders, Settings())
    assert (transcript.text, transcript.segments, provider.windows) == ("", (), [])
    assert transcript.duration == 30


async def test_windows_run_concurrently_and_are_joined_in_order(
    decoders: DecoderPool,
) -> None:
    """The first window is answered last."""
    others = asyncio.Barrier(3)
    first = asyncio.Event()

    async def gate(number: int) -> None:
        if number == 0:
            await first.wait()
        else:
            await others.wait()
            first.set()

    provider = Scripted(concurrency=4, gate=gate)
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert provider.most_running == 4
    starts = [segment.start for segment in transcript.segments]
    assert starts == sorted(starts)
    assert len(starts) == 4


async def test_a_crash_costs_an_attempt_not_the_recording(decoders: DecoderPool) -> None:
    faults: dict[int, list[errors.VoxgateError]] = {
        1: [errors.EngineError("died", code="engine_died")],
        3: [
            errors.EngineError("hung", code="engine_stalled"),
            errors.EngineError("died", code="engine_died"),
        ],
    }
    provider = Scripted(faults=faults)
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert len(transcript.segments) == 4
    assert len(provider.windows) == 7


async def test_a_repeated_failure_fails_the_recording(
    decoders: DecoderPool, tmp_path: Path
) -> None:
    provider = Scripted(
        faults={1: [errors.EngineError("died", code="engine_died")] * 9}, concurrency=2
    )
    with raises("engine_died"):
        await run(encode(FOUR, "x.wav"), provider, decoders, Settings(spool_dir=tmp_path))
    assert provider.running == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_permanent_error_is_tried_once(decoders: DecoderPool) -> None:
    provider = Scripted(faults={0: [errors.EngineStartError("no")]})
    with pytest.raises(errors.EngineStartError):
        await run(encode(sample(), "x.wav"), provider, decoders, Settings())
    assert len(provider.windows) == 1


async def test_an_unknown_language_is_refused_before_any_work(
    decoders: DecoderPool,
) -> None:
    provider = Scripted()
    with raises("unsupported_language", match="en, de"):
        await run(b"no audio", provider, decoders, Settings(), options=Options("fr"))


async def test_the_language_reaches_the_provider(decoders: DecoderPool) -> None:
    provider = Scripted()
    await run(encode(sample(), "x.wav"), provider, decoders, Settings(), options=Options("de"))
    assert provider.options == [Options("de")]


async def test_progress_grows_to_the_whole(decoders: DecoderPool) -> None:
    seen: list[JobProgress] = []
    await run(encode(FOUR, "x.wav"), Scripted(), decoders, Settings(), on_progress=seen.append)
    done = [status.done_s for status in seen]
    assert done == sorted(done)
    phases = [phase for phase, _ in groupby(status.phase for status in seen)]
    assert phases == ["decoding", "loading", "recognising"]
    assert seen[-1] == JobProgress(len(FOUR) / RATE, len(FOUR) / RATE)


async def test_progress_counts_later_windows_that_are_done_first(decoders: DecoderPool) -> None:
    seen: list[float] = []
    others_done = asyncio.Event()

    def on_progress(status: JobProgress) -> None:
        seen.append(status.done_s)
        if status.phase == "recognising" and status.done_s > 0.7 * len(FOUR) / RATE:
            others_done.set()

    provider = Scripted(
        concurrency=4, gate=lambda number: others_done.wait() if number == 0 else None
    )
    async with asyncio.timeout(DEADLINE_S):  # the first window waits for the position
        await run(encode(FOUR, "x.wav"), provider, decoders, Settings(), on_progress=on_progress)
    assert seen == sorted(seen)


async def test_the_first_window_starts_before_the_end_is_there(decoders: DecoderPool) -> None:
    """The end of the pipe is only written once the provider has the first window."""
    data = encode(FOUR, "x.wav")
    asked = asyncio.Event()
    read_fd, write_fd = os.pipe()

    async def write() -> None:
        with os.fdopen(write_fd, "wb") as pipe:
            await asyncio.to_thread(pipe.write, data[: len(data) // 2])
            pipe.flush()
            await asked.wait()
            await asyncio.to_thread(pipe.write, data[len(data) // 2 :])

    writing = asyncio.create_task(write())
    with os.fdopen(read_fd, "rb") as pipe:
        provider = Scripted(gate=lambda _: asked.set())
        transcript = await run(pipe, provider, decoders, Settings())
    await writing
    assert len(transcript.segments) == 4


async def test_a_cancelled_recording_leaves_nothing(decoders: DecoderPool, tmp_path: Path) -> None:
    began = asyncio.Event()

    async def gate(_: int) -> None:
        began.set()
        await asyncio.Event().wait()

    provider = Scripted(gate=gate)
    task = asyncio.create_task(
        run(encode(FOUR, "x.wav"), provider, decoders, Settings(spool_dir=tmp_path))
    )
    await began.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert provider.running == 0
    assert list(tmp_path.iterdir()) == []


async def test_a_bad_recording_fails_with_its_name(decoders: DecoderPool) -> None:
    with raises("not_audio", match=r"a\.wav"):
        await run(b"words, words", Scripted(), decoders, Settings())


async def test_a_truncated_recording_gives_a_notice(decoders: DecoderPool) -> None:
    data = encode(sample(), "x.flac")
    transcript = await run(data[: len(data) // 2], Scripted(), decoders, Settings())
    assert {notice.code for notice in transcript.notices} >= {"truncated_audio"}
    assert transcript.segments


async def test_joining_does_not_block_the_loop(decoders: DecoderPool) -> None:
    """The words of hours take seconds to join."""
    turns = at_end = 0

    async def others() -> None:
        nonlocal turns
        while True:
            await asyncio.sleep(0)
            turns += 1

    def on_progress(_: JobProgress) -> None:
        nonlocal at_end
        at_end = turns

    other = asyncio.create_task(others())
    letters = Random(0)
    long = " ".join("".join(letters.choices("abcdefgh", k=7)) for _ in range(SHORT_CHARACTERS // 8))
    provider = Scripted(says=lambda *_: f"{long} is longer")
    transcript = await run(
        encode(sample(), "x.flac"), provider, decoders, Settings(), on_progress=on_progress
    )
    other.cancel()
    assert transcript.segments
    assert turns > at_end


ABLE = frozenset({"temperature", "top_p", "seed", "max_tokens", "stop"})


async def of_four(decoders: DecoderPool, provider: Scripted, options: Options) -> Transcript:
    """The transcript of four utterances, each a window of its own."""
    return await run(encode(FOUR, "x.wav"), provider, decoders, Settings(), options=options)


async def test_each_window_draws_by_a_seed_of_its_own(decoders: DecoderPool) -> None:
    """For every concurrency, order and number of attempts."""
    faults: dict[int, list[errors.VoxgateError]] = {
        1: [errors.EngineError("died", code="engine_died")]
    }
    drawn: list[set[tuple[int, int | None]]] = []
    for provider in (Scripted(honours=ABLE, faults=faults), Scripted(honours=ABLE, concurrency=4)):
        await of_four(decoders, provider, Options(temperature=0.5, seed=7))
        seeds = [asked.seed for asked in provider.options]
        drawn.append({(w.start, seed) for w, seed in zip(provider.windows, seeds, strict=True)})
        assert len(set(seeds)) == 4
    assert drawn[0] == drawn[1]


async def test_without_a_seed_every_request_draws_another(decoders: DecoderPool) -> None:
    first, second = Scripted(honours=ABLE), Scripted(honours=ABLE)
    for provider in (first, second):
        await of_four(decoders, provider, Options(temperature=0.5))
    seeds = {asked.seed for asked in (*first.options, *second.options)}
    assert len(seeds) == 8
    assert None not in seeds


async def test_an_unused_hint_gives_a_notice_and_is_not_passed_on(
    decoders: DecoderPool,
) -> None:
    provider = Scripted()
    transcript = await of_four(decoders, provider, Options(temperature=0.5, seed=7))
    assert set(provider.options) == {Options()}
    assert [notice.sentence.split("'")[1] for notice in transcript.notices] == [
        *("temperature", "seed")
    ]


async def test_an_unsupported_option_is_refused_before_any_work(
    decoders: DecoderPool,
) -> None:
    provider = Scripted()
    with raises("unsupported_option", match="scripted/one cannot fulfil 'max_tokens'"):
        await run(b"no audio", provider, decoders, Settings(), options=Options(max_tokens=3))


async def test_tokens_are_counted_over_all_windows_in_order(decoders: DecoderPool) -> None:
    def says(number: int, options: Options) -> str:
        words = ("one two", "three four", "five six", "seven")[number].split()
        return " ".join(words[: options.max_tokens])

    provider = Scripted(honours=ABLE, concurrency=4, says=says)
    transcript = await of_four(decoders, provider, Options(max_tokens=5))
    assert transcript.text == "one two three four five"
    assert transcript.duration == len(FOUR) / RATE
    assert [asked.max_tokens for asked in provider.options] == [5, 3, 1]
    starts = [window.start for window in provider.windows]
    assert starts == sorted(starts)
    assert provider.most_running == 1


@pytest.mark.parametrize(
    ("stop", "text", "heard"),
    [
        (("four",), "one two three", 2),
        (("six seven",), "one two three four five", 4),  # across the border of two windows
        (("seven", "two"), "one", 1),
        (("one",), "", 1),
        (("eight",), "one two three four five six seven", 4),
    ],
)
async def test_the_joined_text_ends_before_a_stop(
    decoders: DecoderPool, stop: tuple[str, ...], text: str, heard: int
) -> None:
    words = ("one two", "three four", "five six", "seven")
    provider = Scripted(honours=ABLE, concurrency=4, says=lambda number, _: words[number])
    transcript = await of_four(decoders, provider, Options(stop=stop))
    assert transcript.text == text
    assert len(provider.windows) == heard
    assert {asked.stop for asked in provider.options} == {()}  # what is cut there is not found here


async def test_progress_reaches_the_end_though_windows_are_skipped(decoders: DecoderPool) -> None:
    seen: list[JobProgress] = []
    provider = Scripted(honours=ABLE, says=lambda *_: "word")
    data = encode(FOUR, "x.wav")
    options = Options(max_tokens=1)
    await run(data, provider, decoders, Settings(), options=options, on_progress=seen.append)
    assert len(provider.windows) == 1
    assert seen[-1] == JobProgress(len(FOUR) / RATE, len(FOUR) / RATE)


async def test_a_model_without_times_gets_the_times_of_speech_regions(
    decoders: DecoderPool,
) -> None:
    """Two notes with a pause between that is too short to end a window."""
    pause = np.zeros(RATE, np.int16)
    data = encode(np.concatenate([sample(), pause, sample()]), "x.wav")
    provider = Scripted(times="none", confidence=0.5, says=lambda *_: " ".join("abcdefghijklmnop"))
    transcript = await run(data, provider, decoders, Settings())
    assert len(provider.windows) == 1
    assert transcript.text == " ".join("abcdefghijklmnop")
    assert len(transcript.segments) > 1
    for segment in transcript.segments:
        assert (segment.time_source, segment.confidence) == ("speech_region", 0.5)
        for word in segment.words:
            assert segment.start <= word.start <= word.end <= segment.end
            assert word.time_source == "interpolated"
    assert [word.text for word in transcript.words] == transcript.text.split()
    border = (len(sample()) + RATE / 2) / RATE
    assert not any(s.start < border < s.end for s in transcript.segments)


async def test_the_languages_probability_is_the_mean_of_its_windows(decoders: DecoderPool) -> None:
    languages = [("en", 0.5), ("de", 0.9), ("en", 0.75), ("en", None)]
    provider = Scripted(language=languages.__getitem__)
    transcript = await of_four(decoders, provider, Options())
    assert transcript.language == "en"
    seconds = [window.duration_s for window in provider.windows]
    mean = (0.5 * seconds[0] + 0.75 * seconds[2]) / (seconds[0] + seconds[2])
    assert transcript.language_probability == pytest.approx(mean)
    chosen = await of_four(decoders, provider, Options(language="en"))
    assert chosen.language_probability is None


async def test_doubt_reaches_the_transcript(decoders: DecoderPool) -> None:
    decoding = Decoding(-0.5, 2.5, 0.25, 0.2)
    stopping = frozenset({"stop"})
    provider = Scripted(
        doubt="repeats itself", decoding=decoding, translates=True, honours=stopping
    )
    transcript = await of_four(decoders, provider, Options(task="translate", stop=("3",)))
    assert transcript.task == "translate"
    assert transcript.segments
    assert {(s.doubt, s.decoding) for s in transcript.segments} == {("repeats itself", decoding)}


async def test_a_window_that_strays_in_language_is_recognised_in_that_around_it(
    decoders: DecoderPool,
) -> None:
    provider = Scripted(language=lambda number: ("cy", 0.3) if number == 2 else ("en", 0.99))
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert [options.language for options in provider.options] == [None] * 4 + ["en"]
    assert [notice.code for notice in transcript.notices] == ["stray_language"]
    assert len(transcript.segments) == 4


async def test_a_language_that_changes_surely_is_kept(decoders: DecoderPool) -> None:
    provider = Scripted(language=lambda number: ("de" if number > 1 else "en", 0.99))
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert len(provider.windows) == 4
    assert transcript.notices == ()


async def test_speech_without_words_is_recognised_once_more(decoders: DecoderPool) -> None:
    texts = iter(["one", "", "two", "three", "four"])
    provider = Scripted(says=lambda *_: next(texts))
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert transcript.text == "one two three four"
    assert transcript.notices == ()


async def test_speech_that_stays_without_words_is_reported(decoders: DecoderPool) -> None:
    provider = Scripted(says=lambda number, _: "" if number == 1 else "word")
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert len(provider.windows) == 5
    (notice,) = transcript.notices
    assert notice.code == "untranscribed_speech"
    period = len(FOUR) / 4 / RATE
    assert f"0:{period:.0f}" in notice.sentence


async def test_a_text_with_a_limit_is_not_reviewed(decoders: DecoderPool) -> None:
    """Its windows run in order: the end of the text would come before the middle."""
    provider = Scripted(says=lambda *_: "", honours=frozenset({"stop"}))
    await run(
        encode(FOUR, "x.wav"), provider, decoders, Settings(), options=Options(stop=("word",))
    )
    assert len(provider.windows) == 4


LOOP = "thank you " * 8


@pytest.mark.parametrize("stays", [False, True])
async def test_a_loop_is_recognised_once_more_and_marked_if_it_stays(
    stays: bool, decoders: DecoderPool
) -> None:
    def says(number: int, options: Options) -> str:
        return LOOP if number == 1 and (stays or not options.temperature) else f"window {number}"

    provider = Scripted(says=says, honours=frozenset({"temperature", "seed"}))
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    assert [options.temperature for options in provider.options] == [0, 0, 0.4, 0, 0]
    doubts = [segment.doubt for segment in transcript.segments]
    codes = [notice.code for notice in transcript.notices]
    if stays:
        assert transcript.segments[1].text == LOOP.strip()
        assert doubts == [None, "repeats itself", None, None]
        assert codes == ["doubtful_text"]
        assert "'thank you' again and again" in transcript.notices[0].sentence
    else:
        assert transcript.text == "window 0 window 1 window 2 window 3"
        assert (doubts, codes) == ([None] * 4, [])


@pytest.mark.parametrize("limit", [None, 1000])
async def test_a_loop_that_cannot_be_recognised_otherwise_is_marked(
    limit: int | None, decoders: DecoderPool
) -> None:
    """The model takes no temperature, or the order of the windows counts."""
    honours = {"max_tokens", "temperature"} if limit else set()
    provider = Scripted(says=lambda *_: LOOP, honours=frozenset(honours))
    options = Options(max_tokens=limit)
    data = encode(FOUR[: len(FOUR) // 4], "x.wav")
    transcript = await run(data, provider, decoders, Settings(), options=options)
    assert len(provider.options) == 1
    assert [segment.doubt for segment in transcript.segments] == ["repeats itself"]
    assert [notice.code for notice in transcript.notices] == ["doubtful_text"]


@pytest.mark.parametrize("looped", [False, True])
async def test_a_stray_window_that_loops_in_the_other_language_keeps_its_text(
    looped: bool, decoders: DecoderPool
) -> None:
    def says(number: int, options: Options) -> str:
        return LOOP if looped and options.language else f"window {number} in {options.language}"

    provider = Scripted(says=says, language=lambda n: ("de", 0.4) if n == 1 else ("en", 0.99))
    transcript = await run(encode(FOUR, "x.wav"), provider, decoders, Settings())
    second = "window 1 in None" if looped else "window 1 in en"
    assert transcript.text == f"window 0 in None {second} window 2 in None window 3 in None"
    codes = [notice.code for notice in transcript.notices]
    assert codes == ([] if looped else ["stray_language"])
