"""`TranscriptionJob`: one recording from its source to its transcript."""

from __future__ import annotations

import asyncio
from collections import defaultdict
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.audio.spool import SAMPLE_RATE
from voxgate.audio.vad import LONGEST_REGION_S, SpeechRules
from voxgate.models.capabilities import unused_option_notice
from voxgate.pipeline.agreement import believed, stray_notice
from voxgate.pipeline.alignment import RecordingAligner
from voxgate.pipeline.budget import OptionBudget, draw_seed
from voxgate.pipeline.drafts import RecordingDrafts
from voxgate.pipeline.final_segments import FinalSegments
from voxgate.pipeline.loops import trusted
from voxgate.pipeline.position import Position
from voxgate.pipeline.recogniser import WindowRecogniser
from voxgate.pipeline.recording import RecordingSound
from voxgate.pipeline.review import untranscribed_notice
from voxgate.pipeline.text_work import characters_of, compute
from voxgate.pipeline.trace import Trace
from voxgate.pipeline.translation import untranslated_notice
from voxgate.pipeline.window import main_language
from voxgate.pipeline.window_order import WindowOrder
from voxgate.pipeline.window_slots import WindowSlots
from voxgate.transcript.values import Transcript

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable

    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.source import Source
    from voxgate.audio.windows import Window
    from voxgate.pipeline.budget import AcceptedOptions
    from voxgate.pipeline.review import Placed
    from voxgate.pipeline.route import Route, SharedProvider
    from voxgate.pipeline.window_text import WindowText
    from voxgate.settings import Settings
    from voxgate.transcript.values import Notice, Options, Segment


JobPhase: TypeAlias = Literal["decoding", "loading", "recognising"]
"""What a recording waits for: its first window; the model, until it begins that window; words."""


@dataclass(frozen=True, slots=True)
class JobProgress:
    """How much of a recording is transcribed, in seconds of its timeline."""

    done_s: float  # recognised, or known to contain no speech
    total_s: float | None  # from the header until all is decoded; None where it has no duration
    phase: JobPhase = "recognising"


@dataclass(frozen=True, slots=True)
class FinalPiece:
    """The next segments of a transcript: nothing changes them any more.

    `language` is the one that was asked for, or else the one of the first words, where it was
    detected. `tokens` are, for each segment, those of the windows that end with it.
    """

    segments: tuple[Segment, ...]
    language: str | None
    tokens: tuple[int, ...] = ()


class TranscriptionJob:
    """One recording's way through the pipeline. Create it once and await `transcript` once.

    The decoder runs ahead of the provider: the first window is recognised while the rest is still
    being decoded. Decoded sound is kept in the spool on disk, not in memory. A window's segments
    are given out when nothing can change them any more; the transcript is all that was given out.
    """

    def __init__(
        self,
        *,
        source: Source,
        options: AcceptedOptions,
        route: Route,
        decoders: DecoderPool,
        settings: Settings,
        aligner: SharedProvider | None = None,
        drafter: SharedProvider | None = None,
        tenant: Hashable = None,
        trace: Trace | None = None,
        on_progress: Callable[[JobProgress], None] = lambda _: None,
        on_final: Callable[[FinalPiece], None] = lambda _: None,
        cover: Callable[[float], Awaitable[None]] | None = None,
        whole: bool = True,
    ) -> None:
        """`route` names who may recognise its windows.

        `aligner` finds the times of words that are recognised without. `drafter` hears windows
        first, for models that check its words. `tenant` is the one that this job is for.
        `on_progress` is first called when the first block of sound is decoded. `on_final` is called
        with the transcript's segments, in order, each once. `cover` is awaited before sound is
        recognised, with the seconds of the recording that will have been; what it raises ends the
        job. Unless the `whole` recording is wanted, decoding stops where the options end the text.
        """
        model = route.first.capabilities
        self._on_progress, self._on_final, self._whole = on_progress, on_final, whole
        self._cover, self._longest_s = cover, settings.max_duration_s
        rules = SpeechRules(min(LONGEST_REGION_S, route.shortest_window_s))
        trace = trace or Trace()
        self._route, self._shares = route, trace.shares
        self._shares.first = route.providers[0].slug
        self._sound = RecordingSound(
            source,
            decoders,
            folder=settings.spool_dir,
            rules=rules,
            model=model,
            tenant=tenant,
            trace=trace,
            on_sound=self._report,
        )
        language = options.options.language
        self._recogniser = WindowRecogniser(
            route,
            aligner=RecordingAligner(aligner, language, tenant) if aligner else None,
            drafts=RecordingDrafts(drafter, self._sound.audio, tenant) if drafter else None,
            audio=self._sound.audio,
            padding_s=rules.pad_s,
            tenant=tenant,
            trace=trace,
        )
        self._budget = OptionBudget(draw_seed(options.options, model))
        self._slots = WindowSlots(model, ordered=self._budget.ordered)
        self._phase: JobPhase = "decoding"
        self._position = Position()
        self._texts: dict[int, WindowText] = {}  # window index -> its text, the newest
        self._strays: dict[int, Notice] = {}  # window index -> that its language was changed
        self._orders = defaultdict[int, WindowOrder](WindowOrder)  # by channel
        self._final = FinalSegments(self._budget.options.stop)
        self._language = language  # of what is given out
        self._unused = [unused_option_notice(route.first.name, name) for name in options.unused]

    async def transcript(self) -> Transcript:
        """Transcribe the recording. Raises `VoxgateError`."""
        with self._sound:
            try:
                async with (
                    asyncio.TaskGroup() as self._tasks,
                    aclosing(self._sound.windows()) as windows,
                ):
                    async for window in windows:
                        self._begin(window)
                        if self._budget.spent and not self._whole:
                            break
                    self._slots.note_end_of_sound()
                    await self._cover_sound()
                    self._advance()
            except ExceptionGroup as failures:
                # When the engine fails, every window fails in the same way: one error is enough.
                raise failures.exceptions[0] from failures
            self._phase = "recognising"
            self._report()
            return await compute(self._join, characters_of(self._final.segments))

    def _begin(self, window: Window) -> None:
        self._position.expect(window)
        self._orders[window.channel].expect(window)
        if self._phase == "decoding":
            self._phase = "loading"
            self._report()
        self._tasks.create_task(self._finish_window(window))

    async def _finish_window(self, window: Window) -> None:
        async with self._slots:
            if self._budget.spent:
                self._orders[window.channel].settle(window.index, None)
            else:
                await self._cover_sound()
                await self._add_text(window)
        self._position.finish(window)
        self._phase = "recognising"
        self._report()
        self._advance()

    async def _cover_sound(self) -> None:
        """Cover all of the recording by its stated length, if that is possible, else what came."""
        if self._cover:
            stated_s = self._sound.total_s or 0.0
            believed_s = stated_s if stated_s <= self._longest_s else 0.0
            await self._cover(max(believed_s, self._sound.seconds))

    async def _add_text(self, window: Window) -> None:
        """Recognise a window for the first time."""
        order = self._orders[window.channel]
        language = self._budget.options.language
        options, progress = self._options(window.index, language), self._window_progress(window)
        first = await self._recogniser.recognise(window, options, progress)
        if not self._budget.ordered:
            first = await self._recogniser.without_echo(first, options, progress)
            first = await self._recogniser.in_language(first, options, progress)
        placed = await self._recogniser.without_loop(
            first, options, progress, once_more=not self._budget.ordered
        )
        self._budget = self._budget.after(placed[1], placed[0].tokens)
        if self._budget.ordered:  # the end of the text would come before what is filled in
            self._texts[window.index] = await self._recogniser.complete(placed)
            order.settle(window.index, self._texts[window.index])
        else:
            self._texts[window.index] = await self._fill_holes(placed)
            order.add(self._texts[window.index])
            if order.has_words:
                self._slots.note_words()

    def _options(self, index: int, language: str | None) -> Options:
        options = self._budget.window(index)
        return options if options.language == language else replace(options, language=language)

    async def _fill_holes(self, placed: Placed) -> WindowText:
        """Return the window's text with what was left out of it at first."""
        window = placed[0].window
        known = [*(text.first for text in self._texts.values()), placed]
        main, _ = main_language([each for each, segments in known if segments])
        return await self._recogniser.fill_holes(
            placed, self._budget.window(window.index), main, self._window_progress(window)
        )

    def _window_progress(self, window: Window) -> Callable[[float], None]:
        def on_progress(seconds: float) -> None:
            self._phase = "recognising"
            self._position.move(window, seconds)
            self._report()

        return on_progress

    def _advance(self) -> None:
        """Give out what is final, and recognise windows again that stray in language."""
        for order in self._orders.values():
            for text, language in order.strays(complete=self._sound.divided):
                self._tasks.create_task(self._correct_stray(order, text, language))
        for order in self._orders.values():
            for text in order.take():
                self._final.add(text)
                self._count(text)
                self._texts[text.window.index] = replace(text, segments=())  # once is enough
                if text.segments and self._language is None:
                    self._language = text.first[0].language
        awaited = {number: order.start_s for number, order in self._orders.items()}
        frontiers = self._sound.next_starts_s | {
            number: start_s for number, start_s in awaited.items() if start_s is not None
        }
        given, tokens = self._final.give(
            frontiers,
            self._sound.seconds,
            end=self._budget.end,
            ended=self._budget.spent or (self._sound.divided and not self._position.unfinished),
        )
        if given:
            self._on_final(FinalPiece(given, self._language, tokens))

    def _count(self, text: WindowText) -> None:
        """Note whose text is final."""
        for end_s, slug, tokens in text.parts():
            self._shares.add(end_s, slug, tokens)

    async def _correct_stray(self, order: WindowOrder, first: WindowText, language: str) -> None:
        """Recognise a window again that was taken for another language than those around."""
        index = first.window.index
        async with self._slots:
            second = await self._recogniser.recognise_again(
                first.window, self._options(index, language), self._window_progress(first.window)
            )
            if second and trusted(second) and believed(first.first, second):
                self._strays[index] = stray_notice(first.first[0], language)
                self._texts[index] = await self._fill_holes(second)
        order.settle(index, self._texts[index])
        self._advance()

    def _report(self) -> None:
        done_s = 0.0
        if self._phase != "decoding":  # until then it is not known whether anybody spoke
            done_s = self._position.seconds(self._sound.divided_s)
        self._on_progress(JobProgress(done_s, self._sound.total_s, self._phase))

    def _join(self) -> Transcript:
        texts = [text for _, text in sorted(self._texts.items())]
        notices = [
            *self._unused,
            *self._sound.notices,
            *(notice for _, notice in sorted(self._strays.items())),
        ]
        if empty := [hole for text in texts for hole in text.empty]:
            notices.append(untranscribed_notice(empty))
        windows = [recognised for text in texts for recognised in text.recognised]
        notices += [notice for window in windows for notice in window.notices]
        options = self._budget.options
        if options.task == "translate" and (notice := untranslated_notice(self._final.segments)):
            notices.append(notice)
        language, probability = main_language(windows)
        provider = self._route.find(self._shares.main(round(self._sound.seconds * SAMPLE_RATE)))
        return Transcript(
            segments=self._final.segments,
            duration=self._sound.seconds,
            model=provider.name,
            revision=provider.revision,
            profile=provider.profile,
            language=language or options.language,
            task=options.task,
            language_probability=None if options.language else probability,
            notices=tuple(dict.fromkeys(notices)),
            tokens=sum(window.tokens for window in windows),
        )
