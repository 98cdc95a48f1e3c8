"""`WindowRecogniser`: from a window's sound to its text, with what was first left out."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from opentelemetry.trace import get_current_span

from voxgate import tracing
from voxgate.errors import VoxgateError
from voxgate.pipeline.budget import with_more_randomness
from voxgate.pipeline.dispatch import Dispatcher
from voxgate.pipeline.echo import is_echo, says_otherwise
from voxgate.pipeline.loops import loop, marked_loop, trusted
from voxgate.pipeline.other_language import is_in_another_language, marked_language
from voxgate.pipeline.review import Placed, holes, without_repeats
from voxgate.pipeline.text_work import characters_of, compute
from voxgate.pipeline.window import attempt_window, place_window
from voxgate.pipeline.window_parts import divide_window, join_parts
from voxgate.pipeline.window_text import WindowText
from voxgate.routing.tally import EndedAttempt
from voxgate.transcript.merge import fit_segments, of_channel
from voxgate.transcript.text import joined

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from voxgate.audio.spool import Audio
    from voxgate.audio.windows import Window
    from voxgate.pipeline.alignment import RecordingAligner
    from voxgate.pipeline.drafts import RecordingDrafts
    from voxgate.pipeline.route import Route, SharedProvider
    from voxgate.pipeline.trace import Trace
    from voxgate.transcript.values import Options, Segment


HEARD_NOTHING = EndedAttempt("failed", 0.0)
"""What is recorded of a provider without a word for speech in which another one found words."""


class WindowRecogniser:
    """Recognises the windows of one recording, each by the first provider of its route that can."""

    def __init__(
        self,
        route: Route,
        *,
        aligner: RecordingAligner | None,
        drafts: RecordingDrafts | None = None,
        audio: Callable[[Window], Audio],
        padding_s: float,
        tenant: Hashable,
        trace: Trace,
    ) -> None:
        """`padding_s` is the sound around a region of speech; `audio` returns a window's sound.

        `drafts` are those for models that check them.
        """
        self._route, self._dispatcher = route, Dispatcher(route)
        self._aligner, self._audio, self._padding_s = aligner, audio, padding_s
        self._drafts = drafts
        self._tenant, self._trace = tenant, trace

    async def recognise(
        self,
        window: Window,
        options: Options,
        on_progress: Callable[[float], None],
        *,
        avoid: SharedProvider | None = None,
    ) -> Placed:
        """Recognise the window and put its segments on the recording's timeline.

        `on_progress` is called with the seconds of the window that are recognised. The provider to
        `avoid` is the last that is tried. Raises `VoxgateError`.
        """
        before = len(self._trace.attempts)
        with tracing.span("window", attributes=self._attributes(window)) as span:
            placed = await self._dispatcher.dispatch(
                lambda provider, on_turn: self._recognise_at(
                    provider, window, options, on_progress, on_turn
                ),
                avoid=avoid,
            )
            span.set_attribute("voxgate.window.attempts", len(self._trace.attempts) - before)
        return placed

    async def recognise_again(
        self,
        window: Window,
        options: Options,
        on_progress: Callable[[float], None],
        *,
        avoid: SharedProvider | None = None,
    ) -> Placed | None:
        """Recognise a window that has a text, or a part of it, once more.

        None where that fails: what is known of the recording is not lost for a second look, whose
        options may be a guess from the first text. The trace has its attempts.
        """
        try:
            return await self.recognise(window, options, on_progress, avoid=avoid)
        except VoxgateError:
            return None

    async def _recognise_at(
        self,
        provider: SharedProvider,
        window: Window,
        options: Options,
        on_progress: Callable[[float], None],
        on_turn: Callable[[], None],
    ) -> Placed:
        """Recognise a window at a provider, which may take shorter windows than it is."""
        capabilities = provider.capabilities
        honoured, _ = capabilities.honoured(options)
        parts = divide_window(window, capabilities)
        placed = [
            await self._recognise_part(
                provider,
                part,
                honoured,
                _later(on_progress, part.start_s - window.start_s),
                on_turn,
            )
            for part in parts
        ]
        return placed[0] if len(parts) == 1 else join_parts(window, placed)

    async def _recognise_part(
        self,
        provider: SharedProvider,
        window: Window,
        options: Options,
        on_progress: Callable[[float], None],
        on_turn: Callable[[], None],
    ) -> Placed:
        if self._drafts is not None and provider.capabilities.drafts:
            with self._trace.stages.span("draft"):  # before its slot: others use it meanwhile
                options = await self._drafts.added(window, options)
        audio = self._audio(window)
        async with provider.queue.slot(self._tenant, audio.duration_s):
            on_turn()
            get_current_span().add_event("slot granted")
            with self._trace.stages.measure("provider"):
                recognised = await attempt_window(
                    window,
                    audio,
                    provider,
                    options,
                    on_progress=on_progress,
                    trace=self._trace.attempts,
                    health=self._route.health,
                )
        if self._drafts is not None:
            self._drafts.note(joined(each.text for each in recognised.segments))
        if self._aligner is not None and provider.capabilities.times != "word":
            with self._trace.stages.span("align"):
                recognised = await self._aligner.align(recognised, audio)
        # Where the model gives no times, the text is read once for each region of speech, too.
        characters = characters_of(recognised.segments) * (1 + len(window.regions))
        segments = await compute(lambda: place_window(recognised, self._padding_s), characters)
        return recognised, of_channel(segments, window.channel or None)

    def _attributes(self, window: Window) -> dict[str, str | int | float]:
        """Return what a window's span says of it."""
        return {
            "voxgate.model": self._route.first.name,
            "voxgate.window.index": window.index,
            "voxgate.window.channel": window.channel,
            "voxgate.window.start_s": window.start_s,
            "voxgate.window.length_s": window.end_s - window.start_s,
        }

    async def without_echo(
        self, first: Placed, options: Options, on_progress: Callable[[float], None]
    ) -> Placed:
        """Recognise a window that repeats the caller's words once more, without them."""
        if not is_echo(first, options):
            return first
        plain = options.without("prompt", "vocabulary")
        provider = first[0].provider
        alone = await self.recognise_again(first[0].window, plain, on_progress, avoid=provider)
        return alone if alone and says_otherwise(alone, first) else first

    async def in_language(
        self, first: Placed, options: Options, on_progress: Callable[[float], None]
    ) -> Placed:
        """Ask another provider for a window whose text is in another language than was asked for.

        It is marked if that has no better one, and where there is no other. What a translation
        left as it was said is found in the whole text as well (`pipeline/translation.py`), and
        marked there.
        """
        if not is_in_another_language(first, options):
            return first
        window, provider = first[0].window, first[0].provider
        if len(self._route.providers) > 1:
            again = await self.recognise_again(window, options, on_progress, avoid=provider)
            if again and trusted(again) and not is_in_another_language(again, options):
                return again
        if options.task == "translate" or options.language is None:
            return first
        return marked_language(first, options.language)

    async def without_loop(
        self,
        first: Placed,
        options: Options,
        on_progress: Callable[[float], None],
        *,
        once_more: bool,
    ) -> Placed:
        """Recognise a window whose text goes round in a loop once more; mark it if it stays so.

        By another provider, where there is one. Without `once_more`, and by a model that would
        write the same again, it is only marked.
        """
        if (unit := loop(first)) is None:
            return first
        provider = first[0].provider
        otherwise = with_more_randomness(options, provider.capabilities)
        if otherwise is None and len(self._route.providers) > 1:
            otherwise = options
        if otherwise is not None and once_more:
            window = first[0].window
            again = await self.recognise_again(window, otherwise, on_progress, avoid=provider)
            if again and again[1] and loop(again) is None:
                return again
        return marked_loop(first, unit)

    async def fill_holes(
        self,
        placed: Placed,
        options: Options,
        main: str | None,
        on_progress: Callable[[float], None],
    ) -> WindowText:
        """Recognise a window's stretches of speech without words, each as a window of its own.

        By another provider than the one that left them out, where there is one. `main` is the
        language of the recording, as far as known.
        """
        filled: list[Placed] = []
        empty: list[Window] = []
        provider = placed[0].provider
        for hole in holes(placed, provider.capabilities.times, main):
            own = replace(options, language=options.language or hole.language)
            again = await self.recognise_again(hole.window, own, on_progress, avoid=provider)
            if again and trusted(again) and not is_echo(again, own):
                filled.append(without_repeats(again, placed))
                if not placed[1] and again[0].provider is not provider:
                    self._route.health.record(provider.slug, HEARD_NOTHING)
            else:
                empty.append(hole.window)
        return await self.complete(placed, filled, empty)

    async def complete(
        self, placed: Placed, filled: Sequence[Placed] = (), empty: Sequence[Window] = ()
    ) -> WindowText:
        """Return the window's text with its segments and those of its holes in one order."""
        segments = [segment for _, part in (placed, *filled) for segment in part]
        window = placed[0].window
        in_order = await compute(lambda: _in_order(segments, window), characters_of(segments))
        return WindowText(placed, tuple(filled), tuple(empty), in_order)


def _later(on_progress: Callable[[float], None], offset_s: float) -> Callable[[float], None]:
    """Return what reports the progress of a part of a window that begins so much later."""
    return lambda seconds: on_progress(offset_s + seconds)


def _in_order(segments: Sequence[Segment], window: Window) -> tuple[Segment, ...]:
    in_order = sorted(segments, key=lambda segment: (segment.start, segment.end))
    return fit_segments(in_order, window.start_s, window.end_s)
