"""`Submission`: a request for a transcript that is ready to run."""

from __future__ import annotations

from contextlib import closing
from dataclasses import replace
from typing import IO, TYPE_CHECKING

from voxgate.answers.instructions import extraction
from voxgate.answers.values import MOST_ANSWER_TOKENS, TextPart
from voxgate.api.job import AbandonedError
from voxgate.api.job_submission import JobSubmission
from voxgate.api.transcript_job import TranscriptJob
from voxgate.audio.arriving import ArrivingFile
from voxgate.audio.channels import SoundChoice
from voxgate.pipeline.budget import AcceptedOptions
from voxgate.pipeline.question import AskedMessage, RecordingPart

if TYPE_CHECKING:
    from collections.abc import Hashable, Sequence

    from voxgate.api.admission import Admission, Fittings
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.dialects.response_format import DataRequest
    from voxgate.api.gateway import Gateway
    from voxgate.api.generation_record import RequestOrigin
    from voxgate.api.recording import Recording
    from voxgate.api.request_log import RequestEntry
    from voxgate.ledger.key import Key
    from voxgate.pipeline.route import SharedProvider
    from voxgate.transcript.values import Transcript


class Submission(JobSubmission[TranscriptJob]):
    """One request for a transcript that is ready to run. Call `submit` once."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        entry: RequestEntry,
        key: Key | None,
        admission: Admission[ParsedRequest],
        recording: Recording,
        origin: RequestOrigin,
        answering: Sequence[SharedProvider] = (),
        keeps: bool = False,
        provisional: bool = False,
    ) -> None:
        """`answering` may be asked for its data. `keeps` says that its transcript is kept.

        A provisional one needs `confirm` or `withdraw`: until then its end is not recorded.
        """
        parsed = admission.parsed
        super().__init__(
            gateway,
            TranscriptJob,
            entry=entry,
            key=key,
            parsed=parsed,
            route=admission.route,
            origin=origin,
            also=answering,
            answer_tokens=(parsed.options.max_tokens or MOST_ANSWER_TOKENS) if parsed.data else 0,
        )
        self.parsed, self._fittings, self._recording = parsed, admission.fittings, recording
        self._keeps, self._provisional = keeps, provisional
        self._ended = False  # while it was provisional

    def discard(self) -> None:
        """Close the recording, instead of `submit`."""
        self._recording.close()

    def takes_over(self, whole: Fittings[ParsedRequest]) -> bool:
        """Take over the fields of a request that is whole now, unless they make it another one."""
        first = whole.by_provider.get(self.route.providers[0])
        if whole.asked.preferences.zdr:
            self._keeps = False
        same = whole.variants == self._fittings.variants
        if first is None or not same or not first.parsed.asks_the_same(self.parsed):
            return False
        self.parsed = first.parsed
        return True

    async def confirm(self) -> None:
        """Record the end of the job, once it comes, in ledger and log."""
        self._provisional, self._entry.has_job = False, True
        if self._ended:
            self._gateway.leases.release(self._job)
            await self._record(self._job)

    async def withdraw(self) -> None:
        """Cancel the job, and remove it from the ledger. Raises `LedgerError`."""
        self._job.cancel(AbandonedError("The upload was not completed, or changed the request."))
        await self._job.done.wait()
        self._gateway.leases.release(self._job)
        await self._gateway.ledger.generations.withdraw(self._job.id)

    def _identity(self) -> Hashable:
        parsed = self.parsed
        # Whether times are wanted makes another text only where a model may have none.
        times = parsed.times or not self._fittings.lacks_word_times
        options = parsed.preferences, parsed.pcm, parsed.choice, times, parsed.whole, self._keeps
        return self._fittings.variants, options, parsed.data, self._recording.identity

    @property
    def _sound_origin(self) -> str | None:
        return self._recording.origin

    @property
    def _logged_by_job(self) -> bool:
        return not self._provisional

    async def _work(self, job: TranscriptJob) -> Transcript:
        self._describe_span()
        with closing(self._recording) as recording:
            source = await recording.open(self._trace.stages)
            transcript = await self._gateway.session.transcribe(
                source,
                model=self.route,
                options=AcceptedOptions(self.parsed.options),
                name=recording.name or "the recording",
                pcm=self.parsed.pcm,
                choice=self.parsed.choice,
                times=self.parsed.times,
                tenant=self._owner,
                trace=self._trace,
                on_progress=lambda _: self._note_sound(job),
                on_final=job.give,
                cover=self._charge.cover,
                whole=self.parsed.whole,
            )
            if self.parsed.data is None:
                return transcript
            assert not isinstance(source, ArrivingFile)  # noqa: S101 (no stream has data)
            return await self._with_data(self.parsed.data, source, transcript)

    def _note_sound(self, job: TranscriptJob) -> None:
        job.decoding.set()
        if not self._provisional:  # `withdraw` would not find what has not quite begun
            self._charge.begin_early()

    async def _with_data(
        self, data: DataRequest, source: IO[bytes], transcript: Transcript
    ) -> Transcript:
        """Return the transcript with the data. Raises what `Session.answer` raises.

        Then nothing is charged: the caller has neither.
        """
        parsed = self.parsed
        source.seek(0)
        recording = RecordingPart(
            source,
            self._recording.name or "the recording",
            transcript,
            parsed.pcm,
            SoundChoice(parsed.choice.track),
            parsed.options.language,
        )
        answer = await self._gateway.session.answer(
            [
                AskedMessage(
                    "user", (recording, TextPart(extraction(data.schema, data.description)))
                )
            ],
            model=self.route,
            options=parsed.answer_options,
            schema=data.schema,
            tenant=self._owner,
            trace=self._trace,
        )
        return replace(
            transcript,
            structured=answer.structured,
            tokens=transcript.tokens + answer.tokens,
            notices=(*transcript.notices, *answer.notices),
        )

    async def _record(self, job: TranscriptJob) -> None:
        if self._provisional:
            self._ended = True
            self._gateway.leases.hold(job)
            return
        await super()._record(job)

    def _sealed(self, job: TranscriptJob) -> bytes | None:
        return self._gateway.keeper.sealed(job) if self._keeps else None
