"""`TranscriptionJob`: one recording from its source to its transcript."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.audio.decoder_process import PcmBlock, RecordingFacts, SpeechProbabilities
from voxgate.audio.vad import LONGEST_REGION_S, SpeechRules
from voxgate.fair_queue import FairQueue
from voxgate.models.capabilities import unused_option_notice
from voxgate.pipeline.alignment import RecordingAligner
from voxgate.pipeline.budget import OptionBudget, draw_seed, warmer
from voxgate.pipeline.channel import ChannelSound
from voxgate.pipeline.review import (
    believed,
    holes,
    loop,
    marked_loop,
    stray_notice,
    stray_windows,
    trusted,
    untranscribed_notice,
    without_repeats,
)
from voxgate.pipeline.trace import Trace
from voxgate.pipeline.window import main_language, place_window, recognise_window
from voxgate.transcript.merge import join_segments, of_channel, truncate_segments
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.source import Source
    from voxgate.audio.windows import Window
    from voxgate.pipeline.alignment import Aligner
    from voxgate.pipeline.budget import AcceptedOptions
    from voxgate.pipeline.review import Placed
    from voxgate.providers.base import Provider
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Transcript


JobPhase: TypeAlias = Literal["decoding", "loading", "recognising"]
"""What a recording waits for: its first window; the model, until it begins that window; words."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How much of a recording is transcribed, in seconds of its timeline."""

    done_s: float  # recognised, or known to contain no speech
    total_s: float | None  # from the header until all is decoded; None where it has no duration
    phase: JobPhase = "recognising"


class TranscriptionJob:
    """One recording's way through the pipeline. Create it once and await `transcript` once.

    The decoder runs ahead of the provider: the first window is recognised while the rest is still
    being decoded. Decoded sound is kept in the spool on disk, not in memory.
    """

    def __init__(
        self,
        *,
        source: Source,
        options: AcceptedOptions,
        provider: Provider,
        decoders: DecoderPool,
        settings: Settings,
        queue: FairQueue | None = None,
        aligner: Aligner | None = None,
        tenant: Hashable = None,
        trace: Trace | None = None,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
    ) -> None:
        """`queue` is shared by all jobs of one provider, fairly between tenants by seconds.

        `aligner` finds the times of the words that the provider recognises. `tenant` is the one
        that this job is for. `on_progress` is first called when the first block of sound is
        decoded.
        """
        self._source, self._provider = source, provider
        self._queue = queue or FairQueue(provider.capabilities.concurrency)
        self._tenant = tenant
        longest_s = min(LONGEST_REGION_S, provider.capabilities.window_s)
        self._rules = SpeechRules(longest_s)
        self._trace = trace or Trace()
        self._decoders, self._settings = decoders, settings
        self._on_progress = on_progress
        self._declared_s: float | None = None
        self._decoded = False
        self._phase: JobPhase = "decoding"
        self._aligner = (
            None if aligner is None else RecordingAligner(aligner, options.options.language, tenant)
        )
        self._budget = OptionBudget(draw_seed(options.options, provider.capabilities))
        self._notices = [unused_option_notice(provider.name, name) for name in options.unused]
        self._recognised: dict[int, Placed] = {}  # window index -> its text
        self._filled: dict[int, list[Placed]] = {}  # window index -> texts of its holes
        self._empty: dict[int, list[Window]] = {}  # window index -> holes that stay without words
        self._unfinished: dict[int, float] = {}  # window index -> time up to which it is done, s
        self._channels: dict[int, ChannelSound] = {}
        self._window_numbers = itertools.count()

    async def transcript(self) -> Transcript:
        """Transcribe the recording. Raises `VoxgateError`."""
        # A semaphore of one admits windows in the order in which they come.
        limit = 1 if self._budget.ordered else self._provider.capabilities.concurrency
        slots = asyncio.Semaphore(limit)
        with contextlib.ExitStack() as self._open:
            try:
                async with asyncio.TaskGroup() as group:
                    async for window in self._windows():
                        self._unfinished[window.index] = window.start_s
                        if self._phase == "decoding":
                            self._phase = "loading"
                            self._report()
                        group.create_task(self._finish_window(window, slots))
                # Whether a window is like its neighbours is known when all are there.
                if not self._budget.ordered:
                    await self._correct_strays(slots)
            except ExceptionGroup as failures:
                # When the engine fails, every window fails in the same way: one error is enough.
                raise failures.exceptions[0] from failures
            self._phase = "recognising"
            self._report()
            # Hours of speech have 100 000 words: joining them takes seconds.
            return await asyncio.to_thread(self._join)

    async def _windows(self) -> AsyncIterator[Window]:
        """Yield the recording's windows, each as soon as its sound is in the spool."""
        async with contextlib.aclosing(self._decode()) as events:
            async for event in events:
                if isinstance(event, PcmBlock):
                    first = not self._channels
                    self._channel(event.channel).append(event)
                    if first:
                        self._report()
                elif isinstance(event, SpeechProbabilities):
                    for window in self._channel(event.channel).listen(event):
                        yield window
                elif isinstance(event, RecordingFacts):
                    self._declared_s = event.declared_s
                else:
                    self._notices.append(event)
        self._decoded = True
        if self._source.grown():
            self._notices.append(_growing_source_notice(self._source.name))
        for channel in self._channels.values():
            for window in channel.finish():
                yield window

    def _channel(self, number: int) -> ChannelSound:
        """Return the sound of a channel; a new one at its first event."""
        if number not in self._channels:
            sound = ChannelSound(
                self._settings.spool_dir,
                self._rules,
                self._provider.capabilities,
                self._window_numbers,
                number,
            )
            self._channels[number] = self._open.enter_context(contextlib.closing(sound))
        return self._channels[number]

    async def _decode(self) -> AsyncGenerator[DecoderEvent]:
        """Yield the decoder's events, and measure the time spent waiting for them."""
        decoding = self._decoders.decode(self._source, self._tenant)
        async with contextlib.aclosing(decoding) as events:
            while True:
                with self._trace.spans.measure("decode"):
                    event = await anext(events, None)
                if event is None:
                    return
                yield event

    async def _finish_window(self, window: Window, slots: asyncio.Semaphore) -> None:
        # A job has no more windows in the queue than the provider takes at once. The queue is
        # first in, first out for one tenant: otherwise a short recording would wait for all
        # windows of the tenant's long one.
        async with slots:
            if not self._budget.spent:
                placed = await self._recognise(window, self._budget.options.language)
                recognised, segments = await self._without_loop(placed)
                self._budget = self._budget.after(segments, recognised.tokens)
                self._recognised[window.index] = recognised, segments
                if not self._budget.ordered:
                    await self._fill_holes((recognised, segments))
        del self._unfinished[window.index]
        self._phase = "recognising"
        self._report()

    async def _recognise(
        self, window: Window, language: str | None, options: Options | None = None
    ) -> Placed:
        """Recognise the window and put its segments on the recording's timeline.

        `options` are others than the budget's.
        """
        audio = self._channels[window.channel].audio(window)

        def on_progress(seconds: float) -> None:
            self._phase = "recognising"
            if window.index in self._unfinished:
                done_s = window.start_s + seconds  # less, when a part is recognised once more
                self._unfinished[window.index] = max(self._unfinished[window.index], done_s)
                self._report()

        async with self._queue.slot(self._tenant, audio.duration_s):
            with self._trace.spans.measure("provider"):
                recognised = await recognise_window(
                    window,
                    audio,
                    self._provider,
                    replace(options or self._budget.window(window.index), language=language),
                    on_progress=on_progress,
                    trace=self._trace.attempts,
                )
        if self._aligner is not None:
            with self._trace.spans.measure("align"):
                recognised = await self._aligner.align(recognised, audio)
        times = self._provider.capabilities.times
        segments = await asyncio.to_thread(place_window, recognised, times, self._rules.pad_s)
        return recognised, of_channel(segments, window.channel or None)

    async def _without_loop(self, first: Placed) -> Placed:
        """Recognise a window whose text goes round in a loop once more; mark it if it stays so."""
        if (unit := loop(first)) is None:
            return first
        window = first[0].window
        options = warmer(self._budget.window(window.index), self._provider.capabilities)
        if options is not None and not self._budget.ordered:
            again = await self._recognise(window, self._budget.options.language, options)
            if again[1] and loop(again) is None:
                return again
        return marked_loop(first, unit)

    async def _fill_holes(self, placed: Placed) -> None:
        """Recognise a window's stretches of speech without words, each as a window of its own."""
        index, known = placed[0].window.index, self._budget.options.language
        main, _ = main_language([each for each, segments in self._recognised.values() if segments])
        self._filled[index], self._empty[index] = [], []
        for hole in holes(placed, self._provider.capabilities.times, main):
            again = await self._recognise(hole.window, known or hole.language)
            if trusted(again):
                self._filled[index].append(without_repeats(again, placed))
            else:
                self._empty[index].append(hole.window)

    async def _correct_strays(self, slots: asyncio.Semaphore) -> None:
        """Recognise windows again that were taken for another language than those around."""
        in_order = [placed for _, placed in sorted(self._recognised.items())]
        async with asyncio.TaskGroup() as group:
            for channel in self._channels:
                own = [placed for placed in in_order if placed[0].window.channel == channel]
                for place, language in stray_windows(own).items():
                    group.create_task(self._correct_stray(own[place], language, slots))

    async def _correct_stray(self, first: Placed, language: str, slots: asyncio.Semaphore) -> None:
        async with slots:
            second = await self._recognise(first[0].window, language)
            if believed(first, second):
                self._notices.append(stray_notice(first[0], language))
                self._recognised[first[0].window.index] = second
                await self._fill_holes(second)

    @property
    def _seconds(self) -> float:
        """Seconds of decoded sound."""
        return max((channel.seconds for channel in self._channels.values()), default=0.0)

    def _report(self) -> None:
        """Report the progress: everything before the earliest unfinished window is done."""
        decoded_s = self._seconds
        total_s = decoded_s if self._decoded else self._declared_s
        decoding = self._phase == "decoding"  # whether there was speech until now is not known
        done_s = 0.0 if decoding else min(self._unfinished.values(), default=decoded_s)
        self._on_progress(JobProgress(done_s, total_s, self._phase))

    def _join(self) -> Transcript:
        in_order = [
            placed
            for index, whole in sorted(self._recognised.items())
            for placed in (whole, *self._filled.get(index, ()))
        ]
        if empty := [hole for _, found in sorted(self._empty.items()) for hole in found]:
            self._notices.append(untranscribed_notice(empty))
        windows = [recognised for recognised, _ in in_order]
        segments = tuple(segment for _, placed in in_order for segment in placed)
        if self._budget.end is not None:
            segments = truncate_segments(segments, self._budget.end)
        options = self._budget.options
        language, probability = main_language(windows)
        return join_segments(
            segments,
            duration=self._seconds,
            model=self._provider.name,
            revision=self._provider.revision,
            profile=self._provider.profile,
            language=language or options.language,
            task=options.task,
            language_probability=None if options.language else probability,
            notices=[
                *self._notices,
                *(notice for window in windows for notice in window.notices),
            ],
        )


def _growing_source_notice(name: str) -> Notice:
    return Notice(
        "growing_source",
        f"{name} grew while it was read. It was transcribed as it was at the beginning; run again "
        f"when the recording has ended.",
    )
