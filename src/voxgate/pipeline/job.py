"""One recording through the whole path: decode, find speech, cut, recognise, join."""

from __future__ import annotations

import asyncio
import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.audio.decoder_process import PcmBlock, RecordingFacts, SpeechProbabilities
from voxgate.audio.spool import SAMPLE_RATE, Audio, Spool
from voxgate.audio.vad import SpeechDetector, SpeechRules
from voxgate.audio.windows import WindowPlanner
from voxgate.fair_queue import FairQueue
from voxgate.models.capabilities import unused_option_notice
from voxgate.pipeline.budget import OptionBudget, draw_seed
from voxgate.pipeline.trace import Trace
from voxgate.pipeline.window import place_window, recognise_window
from voxgate.transcript.merge import join_segments, truncate_segments
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Callable, Hashable

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.source import Source
    from voxgate.audio.windows import Window
    from voxgate.pipeline.window import RecognisedWindow
    from voxgate.providers.base import Provider
    from voxgate.settings import Settings
    from voxgate.transcript.values import Options, Segment, Transcript


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How far a recording has come, in seconds of its timeline."""

    done_s: float  # recognised, or known to be without speech
    total_s: float | None  # by the header until it is counted; None while nobody knows
    counted: bool  # whether the total is counted in samples


class TranscriptionJob:
    """One recording's way through the path; made once, awaited once.

    The decoder runs ahead of the provider: the first window is recognised while the rest is still
    being decoded. Sound waits in the spool, not in memory.
    """

    def __init__(
        self,
        *,
        source: Source,
        options: Options,
        provider: Provider,
        decoders: DecoderPool,
        settings: Settings,
        lane: FairQueue | None = None,
        party: Hashable = None,
        trace: Trace | None = None,
        standing: Callable[[JobProgress], None] = lambda _: None,
    ) -> None:
        """`lane` is shared by all runs of one provider: windows of different recordings take turns.

        Those turns are shared fairly between parties, by seconds of sound; `party` is this run's.
        `standing` is told first when the first block of sound is decoded.
        """
        self._source, self._asked, self._provider = source, options, provider
        self._lane = lane or FairQueue(provider.capabilities.concurrency)
        self._party = party
        self._rules = SpeechRules(longest_s=provider.capabilities.window_s)
        self._trace = trace or Trace()
        self._decoders, self._settings = decoders, settings
        self._report = standing
        self._declared_s: float | None = None
        self._complete = False
        honoured, idle = provider.capabilities.honoured(options)
        self._budget = OptionBudget(draw_seed(honoured, provider.capabilities))
        self._notices = [unused_option_notice(provider.name, name) for name in idle]
        self._recognised: list[tuple[RecognisedWindow, tuple[Segment, ...]]] = []
        self._open: dict[int, float] = {}  # window index -> seconds up to where all is done

    async def transcript(self) -> Transcript:
        """Run. Raises `VoxgateError`: what cannot be done is said before it is begun."""
        self._provider.capabilities.check(self._provider.name, self._asked)
        # A semaphore of one lets windows through in the order in which they come.
        at_once = 1 if self._budget.ordered else self._provider.capabilities.concurrency
        slots = asyncio.Semaphore(at_once)
        with contextlib.closing(Spool(self._settings.spool_dir)) as self._spool:
            try:
                async with asyncio.TaskGroup() as group:
                    async for window in self._windows():
                        self._open[window.index] = window.start_s
                        group.create_task(self._recognise(window, slots))
            except ExceptionGroup as failures:
                # Every window fails alike when the engine does: one sentence says it.
                raise failures.exceptions[0] from failures
            self._tell()
            # Hours have 100 000 words, and those take seconds.
            return await asyncio.to_thread(self._join)

    async def _windows(self) -> AsyncIterator[Window]:
        """Windows of the recording, each as soon as its sound is in the spool."""
        detector, planner = SpeechDetector(self._rules), WindowPlanner(self._rules.longest_s)
        async with contextlib.aclosing(self._decoded()) as decoded:
            async for item in decoded:
                if isinstance(item, PcmBlock):
                    first = not self._spool.samples
                    self._spool.append(item.pcm16)
                    if first:
                        self._tell()
                elif isinstance(item, SpeechProbabilities):
                    regions = detector.feed(item.probabilities)
                    for window in planner.feed(regions, detector.settled):
                        yield window
                elif isinstance(item, RecordingFacts):
                    self._declared_s = item.declared_s
                else:
                    self._notices.append(item)
        self._complete = True
        if self._source.grown():
            self._notices.append(_grown(self._source.name))
        for window in planner.feed(detector.finish(self._spool.samples), self._spool.samples):
            yield window
        for window in planner.finish():
            yield window

    async def _decoded(self) -> AsyncGenerator[DecoderEvent]:
        """What the decoder says, with the time that was spent waiting for it."""
        async with contextlib.aclosing(self._decoders.decode(self._source, self._party)) as decoded:
            while True:
                with self._trace.spans.measure("decode"):
                    item = await anext(decoded, None)
                if item is None:
                    return
                yield item

    async def _recognise(self, window: Window, slots: asyncio.Semaphore) -> None:
        # A run has no more windows in the lane than the provider takes at once: a long recording
        # does not make a short one wait for its end.
        async with slots:
            if not self._budget.spent:
                await self._hear(window)
        del self._open[window.index]
        self._tell()

    async def _hear(self, window: Window) -> None:
        """Have the window recognised, and put it where it belongs."""
        audio = Audio(self._spool, window.start, min(window.end, self._spool.samples))

        def heard(seconds: float) -> None:
            self._open[window.index] = window.start_s + seconds
            self._tell()

        async with self._lane.turn(self._party, audio.duration_s):
            with self._trace.spans.measure("provider"):
                recognised = await recognise_window(
                    window,
                    audio,
                    self._provider,
                    self._budget.window(window.index),
                    heard=heard,
                    trace=self._trace.attempts,
                )
        times = self._provider.capabilities.times
        segments = await asyncio.to_thread(place_window, recognised, times, self._rules.pad_s)
        self._budget = self._budget.after(segments, recognised.tokens)
        self._recognised.append((recognised, segments))

    def _tell(self) -> None:
        """Report how far everything is done: up to the earliest window that is not."""
        decoded = self._spool.samples / SAMPLE_RATE
        total = decoded if self._complete else self._declared_s
        self._report(JobProgress(min(self._open.values(), default=decoded), total, self._complete))

    def _join(self) -> Transcript:
        in_order = sorted(self._recognised, key=lambda heard: heard[0].window.index)
        windows = [recognised for recognised, _ in in_order]
        segments = tuple(segment for _, said in in_order for segment in said)
        if self._budget.end is not None:
            segments = truncate_segments(segments, self._budget.end)
        languages = [window.language for window in windows if window.language]
        return join_segments(
            segments,
            duration=self._spool.samples / SAMPLE_RATE,
            model=self._provider.name,
            revision=self._provider.revision,
            profile=self._provider.profile,
            language=max(set(languages), key=languages.count, default=self._asked.language),
            notices=[
                *self._notices,
                *(notice for window in windows for notice in window.notices),
            ],
        )


def _grown(name: str) -> Notice:
    return Notice(
        "growing_source",
        f"{name} grew while it was read. It was transcribed as it was at the beginning; run again "
        f"when the recording has ended.",
    )
