"""`QuestionRecordings`: the recordings of a question, each as sound to hear or as words to read.

As long as all sounds together are no longer than the model hears, they are given to it whole, with
their silence: nothing says that a question is about speech. A recording that makes them too long is
transcribed and read. Its decoding ends as soon as that is known: three hours are decoded once, as
windows, and not before that as one sound.
"""

from __future__ import annotations

from contextlib import ExitStack, aclosing, closing
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Protocol

from voxgate.answers.values import SoundPart
from voxgate.audio.decoder_process import PcmBlock, RecordingFacts
from voxgate.audio.source import Source, open_in_thread
from voxgate.audio.spool import SAMPLE_RATE, Audio, Spool
from voxgate.pipeline.answer_plan import cannot_hear
from voxgate.pipeline.job import JobProgress
from voxgate.pipeline.question_words import words_as_parts
from voxgate.pipeline.recording import decode, growing_source_notice
from voxgate.pipeline.trace import Trace
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterable, Sequence
    from types import TracebackType
    from typing import Self

    from voxgate.answers.values import Part
    from voxgate.audio.channels import SoundChoice
    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.audio.pcm import PcmDeclaration
    from voxgate.audio.source import AudioInput
    from voxgate.pipeline.answer_plan import AnswerPlan
    from voxgate.pipeline.question import RecordingPart
    from voxgate.pipeline.route import Route
    from voxgate.settings import Settings
    from voxgate.transcript.values import Transcript


class TranscribeFunction(Protocol):
    """What transcribes a recording that is too long to be heard: see `Session.transcribe`."""

    def __call__(
        self,
        source: AudioInput,
        *,
        model: Route,
        name: str | None,
        pcm: PcmDeclaration | None,
        choice: SoundChoice,
        trace: Trace,
        on_progress: Callable[[JobProgress], None],
        cover: Callable[[float], Awaitable[None]],
    ) -> Awaitable[Transcript]:
        """Return its transcript. Raises `VoxgateError`."""


@dataclass(slots=True)
class QuestionRecording:
    """A recording of a question. It is heard where it has `sound`, and else read."""

    part: RecordingPart
    source: Source | None = None  # where its decoding was begun
    sound: Audio | None = None
    transcript: Transcript | None = None
    notices: list[Notice] = field(default_factory=list)

    @property
    def name(self) -> str:
        """What it is called in a sentence."""
        return self.source.name if self.source else self.part.name or "the recording"

    @property
    def seconds(self) -> float:
        """Seconds of its decoded sound; 0 until they are known."""
        if self.sound is not None:
            return self.sound.duration_s
        return self.transcript.duration if self.transcript else 0.0

    @property
    def parts(self) -> Sequence[Part]:
        """What stands for it in a message, once it is prepared."""
        if self.sound is not None:
            return (SoundPart(self.sound.samples),)
        return words_as_parts(self.transcript) if self.transcript else ()


class QuestionRecordings:
    """All recordings of one question. A context: leaving it frees the disk.

    In its timeline those that the caller has transcribed come first, then the others that are
    heard, then those that are transcribed here.
    """

    def __init__(
        self,
        parts: Iterable[RecordingPart],
        *,
        plan: AnswerPlan,
        decoders: DecoderPool,
        settings: Settings,
        transcribe: TranscribeFunction,
        tenant: Hashable,
        trace: Trace,
        on_progress: Callable[[JobProgress], None],
        cover: Callable[[float], Awaitable[None]] | None,
    ) -> None:
        """`plan` says how much sound is heard. `cover` is as that of `Session.answer`."""
        self._plan = plan
        self.all = [QuestionRecording(part, transcript=part.transcript) for part in parts]
        self._left = round(plan.hears_s * SAMPLE_RATE)  # samples that may still be heard
        self._decoders, self._settings, self._transcribe = decoders, settings, transcribe
        self._tenant, self._trace = tenant, trace
        self._on_progress, self._covers = on_progress, cover
        self._open = ExitStack()

    @property
    def seconds(self) -> float:
        """Seconds of decoded sound of all of them together, as far as they are known."""
        return sum(each.seconds for each in self.all)

    @property
    def sounds(self) -> list[Audio]:
        """The sounds to hear, in order."""
        return [each.sound for each in self.all if each.sound is not None]

    @property
    def known_s(self) -> float:
        """Seconds of those that the caller has transcribed."""
        return sum(each.seconds for each in self.all if each.part.transcript)

    @property
    def heard_s(self) -> float:
        """Seconds of those that are heard and that nobody has transcribed."""
        return sum(each.seconds for each in self.all if each.sound and not each.transcript)

    async def prepare(self) -> None:
        """Decode each recording, and transcribe those that are too long. Raises `VoxgateError`."""
        if not self._plan.hears_s and any(each.transcript is None for each in self.all):
            self._transcribers()
        for each in self.all:
            await self._listen(each)
        await self._cover(self.seconds)
        for each in self.all:
            if each.sound is None and each.transcript is None:
                await self._read(each)

    async def _cover(self, seconds: float) -> None:
        if self._covers:
            await self._covers(seconds)

    async def _listen(self, recording: QuestionRecording) -> None:
        """Decode a recording, if it is not known to be too long."""
        if self._left <= 0 or round(recording.seconds * SAMPLE_RATE) > self._left:
            return
        source = await open_in_thread(lambda: self._source(recording.part))
        recording.source = self._open.enter_context(source)
        recording.sound = await self._decode(source, recording.notices)
        if recording.sound is None:
            recording.notices.clear()  # its transcription will find them
        else:
            self._left -= recording.sound.samples
            if source.grown():
                recording.notices.append(growing_source_notice(source.name))

    def _source(self, part: RecordingPart) -> Source:
        """Open a recording so that it can be read twice."""
        source = Source.open(
            part.source,
            self._settings,
            name=part.name,
            pcm=part.pcm,
            choice=part.choice,
            language=part.language,
        )
        return source.kept(self._settings)

    async def _decode(self, source: Source, notices: list[Notice]) -> Audio | None:
        """Return the whole sound; None as soon as it is longer than what may be heard."""
        spool = self._open.enter_context(closing(Spool(self._settings.spool_dir)))
        decoding = decode(source, self._decoders, self._tenant, self._trace)
        async with aclosing(decoding) as events:
            async for event in events:
                if isinstance(event, PcmBlock):
                    spool.append(event.pcm16)
                    if spool.samples > self._left:
                        spool.close()
                        return None
                elif isinstance(event, RecordingFacts):
                    self._on_progress(JobProgress(0.0, event.declared_s, "decoding"))
                elif isinstance(event, Notice):
                    notices.append(event)
        return Audio(spool, 0, spool.samples)

    async def _read(self, recording: QuestionRecording) -> None:
        """Transcribe a recording, and add its shares to the trace."""
        transcribers = self._transcribers()
        start_s, trace = self.seconds, Trace(self._trace.stages, self._trace.attempts)

        def on_progress(progress: JobProgress) -> None:
            total_s = None if progress.total_s is None else start_s + progress.total_s
            self._on_progress(replace(progress, done_s=start_s + progress.done_s, total_s=total_s))

        async def cover(seconds: float) -> None:
            await self._cover(start_s + seconds)

        source = recording.source
        recording.transcript = transcript = await self._transcribe(
            self._open.enter_context(source.again()) if source else recording.part.source,
            model=transcribers,
            name=source.name if source else recording.part.name,
            pcm=recording.part.pcm,
            choice=recording.part.choice,
            trace=trace,
            on_progress=on_progress,
            cover=cover,
        )
        samples = round(transcript.duration * SAMPLE_RATE)
        parts = trace.shares.until(samples, transcript.tokens)
        self._trace.shares.add_recording(start_s, parts)
        recording.notices += transcript.notices

    def _transcribers(self) -> Route:
        """Return who transcribes. Raises `UsageError` where nobody does."""
        if self._plan.transcribers is None:
            raise cannot_hear(self._plan.answerers.first.name, self._plan.hears_s)
        return self._plan.transcribers

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._open.close()
