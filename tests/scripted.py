"""The one fake: a scripted provider, for what no real engine does on demand."""

from __future__ import annotations

import asyncio
import re
from collections import defaultdict
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

from voxgate.answers.values import Answered, TextPart
from voxgate.audio.windows import LONG_PAUSE_S
from voxgate.models.capabilities import Capabilities
from voxgate.transcript.values import Delta, Done, Progress, Segment, Word

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Mapping, Sequence

    from voxgate.answers.values import AnswerEvent, Finish, Question
    from voxgate.audio.spool import Audio
    from voxgate.errors import VoxgateError
    from voxgate.transcript.values import Decoding, Event, Options, TimeSource


@dataclass
class Scripted:
    """Answers every window with one segment that names the window's place.

    `faults` gives, by the window's number of arrival, the errors of its first attempts; `gate` is
    awaited before each answer, with that number; `says` makes the answer of that number and of the
    options: a text, of which each word is a token. `hears` makes it of the window's sound and the
    options instead. `language` makes the language of that number, and its probability. `honours`
    are options that the model fulfils.
    """

    window_s: float = 30.0
    long_pause_s: float = LONG_PAUSE_S
    margin_s: float = 0.0
    concurrency: int = 1
    calls: int | None = None
    faults: dict[int, list[VoxgateError]] = field(default_factory=dict)
    gate: Callable[[int], object] | None = None
    says: Callable[[int, Options], str] | None = None
    hears: Callable[[Audio, Options], str] | None = None
    honours: frozenset[str] = frozenset()
    times: Literal["word", "segment", "none"] = "segment"
    confidence: float | None = None
    aligns: bool = False
    drafts: bool = False
    answers: Callable[[Question], str] | None = None
    hears_s: float = 0.0
    reads: int = 10**6
    questions: list[tuple[Question, list[Audio]]] = field(default_factory=list)
    name: str = "scripted/one"
    revision: str | None = None
    profile: str | None = None
    alive: bool = True
    has_room: bool = True
    vocabulary: bool = False
    translates: bool = False
    names_language: bool = False
    doubt: str | None = None
    decoding: Decoding | None = None
    language: Callable[[int], tuple[str, float | None]] = lambda _: ("en", None)
    windows: list[Audio] = field(default_factory=list)
    options: list[Options] = field(default_factory=list)
    aligned: list[tuple[str, str | None]] = field(default_factory=list)
    running: int = 0
    most_running: int = 0
    refusals: list[VoxgateError] = field(default_factory=list)
    warmed: bool = False
    closed: bool = False

    def __post_init__(self) -> None:
        self.script(self.faults)

    def script(self, faults: Mapping[int, Sequence[VoxgateError]]) -> None:
        """Begin anew with a recording of which these windows fail."""
        self._numbers: dict[int, int] = {}
        self._left = defaultdict(list, {n: list(errors) for n, errors in faults.items()})

    @property
    def capabilities(self) -> Capabilities:
        return Capabilities(
            window_s=self.window_s,
            long_pause_s=self.long_pause_s,
            margin_s=self.margin_s,
            languages=("en", "de"),
            times=self.times,
            concurrency=self.concurrency,
            calls=self.calls,
            options=self.honours,
            translates=self.translates,
            names_language=self.names_language,
            vocabulary=self.vocabulary,
            aligns=self.aligns,
            drafts=self.drafts,
            counts_tokens=self.says is not None,
            answers=self.answers is not None,
            hears_s=self.hears_s,
        )

    async def transcribe(self, window: Audio, options: Options) -> AsyncGenerator[Event]:
        number = self._numbers.setdefault(window.start, len(self._numbers))
        self.windows.append(window)
        self.options.append(options)
        self.running += 1
        self.most_running = max(self.most_running, self.running)
        try:
            if self.gate and (waiting := self.gate(number)):
                await waiting  # type: ignore[misc]
            await asyncio.sleep(0)
            if self._left[number]:
                raise self._left[number].pop(0)
            yield Progress(window.duration_s / 2)
            text = f"from {window.start_s:.2f}" if not self.says else self.says(number, options)
            if self.hears:
                text = self.hears(window, options)
            source: TimeSource = "speech_region" if self.times == "none" else "recognised"
            if text:
                yield Segment(
                    text,
                    0.0,
                    window.duration_s,
                    confidence=self.confidence,
                    time_source=source,
                    doubt=self.doubt,
                    decoding=self.decoding,
                )
            language, probability = self.language(number)
            if options.language:
                language, probability = options.language, None
            yield Done(
                language,
                tokens=len(text.split()) if self.says else 0,
                language_probability=probability,
            )
        finally:
            self.running -= 1

    async def align(self, window: Audio, text: str, language: str | None) -> AsyncGenerator[Event]:
        """Put the text's words at the window's end, a tenth of a second each."""
        number = self._numbers.setdefault(window.start, len(self._numbers))
        self.windows.append(window)
        self.aligned.append((text, language))
        await asyncio.sleep(0)
        if self._left[number]:
            raise self._left[number].pop(0)
        written = text.split()
        start = window.duration_s - len(written) / 10
        words = tuple(
            Word(word, start + at / 10, start + (at + 1) / 10, 0.9, "aligned")
            for at, word in enumerate(written)
        )
        yield Segment(text, start, window.duration_s, words, 0.9, "aligned")
        yield Done(language)

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent]:
        """Write the answer word by word; `max_tokens` cuts it off. Its faults are those of 0."""
        assert self.answers
        self.questions.append((question, list(sounds)))
        if self.gate and (waiting := self.gate(0)):
            await waiting  # type: ignore[misc]
        await asyncio.sleep(0)
        if self._left[0]:
            raise self._left[0].pop(0)
        parts = [part for message in question.messages for part in message.parts]
        texts = [part for part in parts if isinstance(part, TextPart)]
        unread = sum(max(0, len(each.text) - self.reads) for each in texts if each.may_be_cut)
        heard = round(12.5 * question.samples / 16_000)
        read = sum(len(each.text.split()) for each in texts)
        words = re.findall(r"\S+\s*|^\s+", self.answers(question))
        most = question.options.max_tokens or len(words)
        yield Progress(0.0)
        for word in words[:most]:
            yield Delta(word)
            await asyncio.sleep(0)
        finish: Finish = "length" if len(words) > most else "stop"
        yield Answered(finish, heard + read, min(len(words), most), heard, unread)

    def admit(self) -> None:
        for error in self.refusals[:1]:
            self.refusals.remove(error)
            raise error

    async def warm(self) -> None:
        self.warmed = True

    async def aclose(self) -> None:
        self.closed = True
