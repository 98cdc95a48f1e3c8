"""`Submission`: turns a complete and valid request into a job and a row in the ledger."""

from __future__ import annotations

import logging
from contextlib import closing
from typing import TYPE_CHECKING, cast

from opentelemetry import trace

from voxgate import tracing
from voxgate.api.charge import Charge
from voxgate.api.generation_record import GenerationRecord
from voxgate.api.job import GENERATION, AbandonedError
from voxgate.api.transcript_job import TranscriptJob
from voxgate.errors import LedgerError
from voxgate.pipeline.budget import AcceptedOptions
from voxgate.pipeline.trace import Trace
from voxgate.prices import SAMPLES_PER_S, Cost

if TYPE_CHECKING:
    from collections.abc import Hashable

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.gateway import Gateway
    from voxgate.api.generation_record import RequestOrigin
    from voxgate.api.recording import Recording
    from voxgate.api.request_log import RequestEntry
    from voxgate.ledger.generation import Generation, Outcome
    from voxgate.ledger.key import Key
    from voxgate.pipeline.route import Route
    from voxgate.transcript.values import Transcript

log = logging.getLogger(__name__)

MAX_LOGGED_FAILURES = 10
"""Causes of failed attempts that one recording may add to the log."""


class Submission:
    """One request that is ready to run. Call `submit` once."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        entry: RequestEntry,
        key: Key | None,
        parsed: ParsedRequest,
        route: Route,
        recording: Recording,
        origin: RequestOrigin,
        keeps: bool = False,
        provisional: bool = False,
    ) -> None:
        """`keeps` says that its transcript is kept.

        A provisional one needs `confirm` or `withdraw`: until then its end is not recorded.
        """
        self._gateway, self._entry = gateway, entry
        self._owner = key.hash if key else None
        self.parsed, self._recording, self._origin = parsed, recording, origin
        self.requested_model = origin.model
        self.route, self._trace = route, Trace()
        self._trace.shares.first = route.providers[0].slug
        self._keeps, self._provisional = keeps, provisional
        self._ended = False  # while it was provisional
        self._job = TranscriptJob(entry.id, self._owner, self._trace)
        self._generation = GenerationRecord(self._job, parsed, route, origin)
        self._prices = {
            each.slug: gateway.settings.prices.find(
                each.provider.name, self._generation.began_at, each.upstream
            )
            for each in route.providers
        }
        self._charge = Charge(
            gateway.ledger,
            self._job,
            self._prices,
            self._trace.shares,
            key,
            generation=self._begun,
        )

    def submit(self) -> tuple[Hashable, TranscriptJob]:
        """Return the job for this request and its key: an equal one that exists, or a new one.

        Raises `BusyError` of every kind, and what `Route.admitted` raises. The recording is closed
        when it is no longer needed.
        """
        jobs, parsed, recording = self._gateway.jobs, self.parsed, self._recording
        # The model's own name, not an alias. Another revision or profile may give another text.
        first = self.route.first
        model = (parsed.model, first.revision, first.profile, parsed.preferences)
        # Whether times are wanted makes another text only where a model may have none.
        times = parsed.times or not self.route.lacks_word_times
        options = parsed.options, parsed.pcm, parsed.choice, times, parsed.whole, self._keeps
        key = (self._owner, model, options, recording.identity)
        if job := cast("TranscriptJob | None", jobs.find(key)):
            recording.close()
            if job.span_context:
                trace.get_current_span().add_link(job.span_context, {GENERATION: job.id})
            return key, job
        job = self._job
        try:
            self.route = self.route.admitted()  # an existing job goes on in any case
            self._trace.shares.first = self.route.providers[0].slug
            jobs.add(key, job, self._transcribe, self._record)
            self._entry.has_job = not self._provisional
        except BaseException:
            recording.close()
            raise
        return key, job

    def discard(self) -> None:
        """Close the recording, instead of `submit`."""
        self._recording.close()

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

    def keep_nothing(self) -> None:
        """Keep no transcript, whatever the key keeps: its caller asked for that."""
        self._keeps = False

    def _begun(self) -> Generation:
        """Return the record of the beginning, with the price of who is asked first."""
        first = self.route.providers[0]
        return self._generation.generation(first, self._prices[first.slug])

    async def _transcribe(self, job: TranscriptJob) -> Transcript:
        self._describe_span()
        with closing(self._recording) as recording:
            source = await recording.open(self._trace.stages)
            return await self._gateway.session.transcribe(
                source,
                model=self.route,
                options=AcceptedOptions(self.parsed.options),
                name=recording.name or "the recording",
                pcm=self.parsed.pcm,
                choice=self.parsed.choice,
                times=self.parsed.times,
                tenant=self._owner,
                trace=self._trace,
                on_progress=lambda _: job.decoding.set(),
                on_final=job.give,
                cover=self._charge.cover,
                whole=self.parsed.whole,
            )

    async def _record(self, job: TranscriptJob) -> None:
        """Record the outcome. If the ledger fails here, the caller still gets the transcript."""
        if self._provisional:
            self._ended = True
            self._gateway.leases.hold(job)
            return
        self._log_end(job)
        outcome = self._outcome(job)
        self._gateway.metrics.ended(self.parsed.model, outcome)
        trace.get_current_span().set_attribute(
            "voxgate.audio.seconds", outcome.cost.samples / SAMPLES_PER_S
        )
        with tracing.span("ledger finish"):
            try:
                await self._charge.begin()  # one that failed before there was sound
            except LedgerError as failure:  # it may be there: a connection broke at the commit
                log.error("%s may have no record: %s", job.id, failure.sentence)  # noqa: TRY400
            await self._gateway.leases.finish(job.id, outcome)

    def _outcome(self, job: TranscriptJob) -> Outcome:
        """Return how the job ended, and tell the job its cost."""
        transcript = job.result
        # Of a transcript that failed in the middle, what a caller has is charged.
        tokens = transcript.tokens if transcript else job.delivered_tokens
        cost = self._charge.of(transcript.duration if transcript else job.delivered_s, tokens)
        by_token = any(price.by_token for price in self._prices.values() if price)
        job.cost = Cost(cost.nanodollars, tokens if by_token else None)
        sealed = self._gateway.keeper.sealed(job) if self._keeps else None
        return self._generation.outcome(cost, tokens, self._trace, sealed)

    def _log_end(self, job: TranscriptJob) -> None:
        """Write the line of the log."""
        error, transcript = job.error, job.result
        if error:
            self._entry.code = error.code
        for notice in transcript.notices if transcript else ():
            self._entry.note(notice)
        for failure in self._trace.failures[:MAX_LOGGED_FAILURES]:
            if failure.error and not (error and error.sentence == failure.sentence):
                self._entry.note_failure(failure.error, failure.sentence)
        sound = f"{transcript.duration:.1f} s of sound " if transcript else ""
        origin = f"from {self._recording.origin} " if self._recording.origin else ""
        self._entry.write(
            error.status if error else 200,
            f"{self.parsed.model} {sound}{origin}in {job.seconds:.1f} s",
            model=self.parsed.model,
            audio_s=transcript.duration if transcript else None,
            origin=self._recording.origin or None,
        )

    def _describe_span(self) -> None:
        """Say in the span of the job what is asked of which model."""
        facts = {
            "voxgate.model": self.parsed.model,
            "voxgate.revision": self.route.first.revision,
            "voxgate.profile": self.route.first.profile,
            "voxgate.dialect": self._origin.dialect,
            "voxgate.streamed": self.parsed.events is not None,
        }
        given = {name: value for name, value in facts.items() if value is not None}
        trace.get_current_span().set_attributes(given)
