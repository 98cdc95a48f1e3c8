"""`AnswerJob`: one question about texts and recordings, from the recordings to its answer."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate import tracing
from voxgate.answers.values import Answer, Answered, Message, Question
from voxgate.audio.spool import SAMPLE_RATE
from voxgate.errors import EngineError, UsageError, VoxgateError
from voxgate.models.capabilities import unused_option_notice
from voxgate.pipeline.answer_notices import incomplete_notice, read_notice, unread_notice
from voxgate.pipeline.attempt import recorded_attempt
from voxgate.pipeline.budget import SEED_BITS, draw_seed, window_seed
from voxgate.pipeline.dispatch import Dispatcher
from voxgate.pipeline.job import JobProgress
from voxgate.pipeline.question import RecordingPart
from voxgate.pipeline.question_recordings import QuestionRecordings
from voxgate.transcript.values import Delta

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Hashable, Iterator, Sequence

    from voxgate.answers.values import Part
    from voxgate.audio.decoder_pool import DecoderPool
    from voxgate.pipeline.answer_plan import AnswerPlan
    from voxgate.pipeline.attempt import FirstText
    from voxgate.pipeline.budget import AcceptedOptions
    from voxgate.pipeline.job import JobPhase
    from voxgate.pipeline.question import AskedMessage
    from voxgate.pipeline.question_recordings import TranscribeFunction
    from voxgate.pipeline.route import SharedProvider
    from voxgate.pipeline.trace import Trace
    from voxgate.settings import Settings
    from voxgate.transcript.values import Notice

LEAST_COST_S = 30.0
"""What an answer costs its tenant in the queue, in seconds of sound: no less than a window does,
for the model computes as long on a text."""


class _BrokenOffError(Exception):
    """An answer of which a part was given out ended with an error: nobody else is asked."""

    def __init__(self, error: VoxgateError) -> None:
        super().__init__(error.sentence)
        self.error = error


class AnswerJob:
    """One question's way through the pipeline. Create it once and await `answer` once."""

    def __init__(
        self,
        messages: Sequence[AskedMessage],
        *,
        plan: AnswerPlan,
        options: AcceptedOptions,
        schema: str | None,
        decoders: DecoderPool,
        settings: Settings,
        transcribe: TranscribeFunction,
        tenant: Hashable,
        trace: Trace,
        on_text: Callable[[str], None],
        on_progress: Callable[[JobProgress], None],
        cover: Callable[[float], Awaitable[None]] | None,
    ) -> None:
        """`transcribe` is used for recordings that are read; what is else as `Session.answer`."""
        self._messages, self._plan = messages, plan
        parts = (part for message in messages for part in message.parts)
        self._recordings = QuestionRecordings(
            [part for part in parts if isinstance(part, RecordingPart)],
            plan=plan,
            decoders=decoders,
            settings=settings,
            transcribe=transcribe,
            tenant=tenant,
            trace=trace,
            on_progress=on_progress,
            cover=cover,
        )
        drawn = draw_seed(options.options, plan.answerers.first.capabilities)
        self._options = replace(drawn, seed=_usable_seed(drawn.seed))
        first = plan.answerers.first.name
        self._unused = [unused_option_notice(first, name) for name in options.unused]
        self._schema, self._tenant, self._trace = schema, tenant, trace
        self._on_text, self._on_progress = on_text, on_progress
        self._texts: list[str] = []  # of the answer, as they came
        trace.shares.first = trace.shares.first or plan.answerers.providers[0].slug

    async def answer(self) -> Answer:
        """Answer the question. Raises `VoxgateError`."""
        with self._recordings:
            await self._recordings.prepare()
            question = self._question()
            provider, answered = await self._ask(question)
        shares, recordings = self._trace.shares, self._recordings
        if recordings.heard_s:
            shares.add(recordings.known_s + recordings.heard_s, provider.slug, 0)
        shares.add_answer(provider.slug, answered.tokens)
        return Answer(
            text="".join(self._texts),
            finish=answered.finish,
            model=provider.provider.name,
            duration=recordings.seconds,
            prompt_tokens=answered.prompt_tokens,
            tokens=answered.tokens,
            audio_tokens=answered.audio_tokens,
            notices=tuple(dict.fromkeys(self._notices(question, provider, answered))),
            revision=provider.provider.revision,
            profile=provider.provider.profile,
        )

    def _question(self) -> Question:
        """Return what is asked, with a sound or words for each recording."""
        recordings = iter(self._recordings.all)
        messages = []
        for message in self._messages:
            parts: list[Part] = []
            for part in message.parts:
                if isinstance(part, RecordingPart):
                    parts += next(recordings).parts
                else:
                    parts.append(part)
            messages.append(Message(message.role, tuple(parts)))
        return Question(tuple(messages), self._options, self._schema)

    async def _ask(self, question: Question) -> tuple[SharedProvider, Answered]:
        """Return who answered, and the end of the answer, by the first provider that can."""
        route = self._plan.listeners(question.samples)
        with tracing.span("question", attributes={"voxgate.model": route.first.name}):
            try:
                return await Dispatcher(route).dispatch(
                    lambda provider, on_turn: self._ask_at(provider, question, on_turn)
                )
            except _BrokenOffError as broken:
                raise broken.error from broken.error.__cause__

    async def _ask_at(
        self, provider: SharedProvider, question: Question, on_turn: Callable[[], None]
    ) -> tuple[SharedProvider, Answered]:
        seconds = question.samples / SAMPLE_RATE
        options, _ = provider.capabilities.honoured_in_answers(question.options)
        async with provider.queue.slot(self._tenant, max(seconds, LEAST_COST_S)):
            on_turn()
            try:
                with (
                    self._trace.stages.measure("provider"),
                    recorded_attempt(
                        provider,
                        seconds,
                        self._trace.attempts,
                        self._plan.answerers.health,
                        timed=False,
                    ) as first_text,
                ):
                    asked = replace(question, options=options)
                    return provider, await self._receive(provider, asked, first_text)
            except VoxgateError as error:
                if self._texts:
                    raise _BrokenOffError(error) from error
                raise

    async def _receive(
        self, provider: SharedProvider, question: Question, first_text: FirstText
    ) -> Answered:
        """Give out the text of an answer as it comes, and return its end."""
        self._report("loading")
        phase: JobPhase = "loading"
        async for event in provider.provider.answer(question, self._recordings.sounds):
            if phase == "loading":
                phase = "recognising"
                self._report(phase)
            if isinstance(event, Delta) and event.text:
                first_text.note()
                self._trace.shares.answerer = provider.slug
                self._texts.append(event.text)
                self._on_text(event.text)
            elif isinstance(event, Answered):
                return event
        raise EngineError(f"{provider.provider.name} broke off without an end. Try again.")

    def _report(self, phase: JobPhase) -> None:
        total_s = self._recordings.seconds
        unheard_s = sum(sound.duration_s for sound in self._recordings.sounds)
        done_s = total_s - unheard_s if phase == "loading" else total_s
        self._on_progress(JobProgress(done_s, total_s, phase))

    def _notices(
        self, question: Question, provider: SharedProvider, answered: Answered
    ) -> Iterator[Notice]:
        yield from self._unused
        for recording in self._recordings.all:
            yield from recording.notices
            if recording.sound is None and recording.transcript is not None:
                yield read_notice(recording, self._plan, provider.provider.name)
        if answered.unread:
            yield unread_notice(question, answered.unread, provider.provider.name)
        if answered.finish == "length" and self._schema is not None:
            yield incomplete_notice(self._options.max_tokens)


def _usable_seed(seed: int | None) -> int | None:
    """Return a seed that every generator takes: another for one out of its range."""
    if seed is None or 0 <= seed < 2**SEED_BITS:
        return seed
    return window_seed(seed, 0)


def check_messages(messages: Sequence[AskedMessage]) -> None:
    """Raise `UsageError` for messages that ask nothing."""
    if not messages or messages[-1].role != "user":
        raise UsageError(
            "The last message of a question must be the user's: it is what is answered. Add one."
        )
    if not all(message.parts for message in messages):
        raise UsageError(
            "A message of the question is empty. Give it a text or a recording, or leave it out."
        )
