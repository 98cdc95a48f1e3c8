"""`JobSubmission`: turns a complete and valid request into a job and a row in the ledger."""

from __future__ import annotations

import logging
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic, cast

from opentelemetry import trace

from voxgate import tracing
from voxgate.api.charge import Charge
from voxgate.api.generation_record import GenerationRecord
from voxgate.api.job import GENERATION, AnyJob, JobT
from voxgate.errors import LedgerError
from voxgate.pipeline.trace import Trace
from voxgate.prices import SAMPLES_PER_S, Cost

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence
    from typing import Any

    from voxgate.api.dialects.model_request import ModelRequest
    from voxgate.api.gateway import Gateway
    from voxgate.api.generation_record import RequestOrigin
    from voxgate.api.request_log import RequestEntry
    from voxgate.ledger.generation import Generation, Outcome
    from voxgate.ledger.key import Key
    from voxgate.pipeline.route import Route, SharedProvider

log = logging.getLogger(__name__)

MAX_LOGGED_FAILURES = 10
"""Causes of failed attempts that one job may add to the log."""


class JobSubmission(ABC, Generic[JobT]):
    """One request that is ready to run. Call `submit` once."""

    def __init__(
        self,
        gateway: Gateway,
        kind: Callable[[str, str | None, Trace], JobT],
        *,
        entry: RequestEntry,
        key: Key | None,
        parsed: ModelRequest,
        route: Route,
        origin: RequestOrigin,
        also: Sequence[SharedProvider] = (),
        answer_tokens: int = 0,
    ) -> None:
        """`kind` creates its job. `also` may be asked for a part of it beside the route.

        `answer_tokens` are the most of an answer that is a part of it.
        """
        self._gateway, self._entry = gateway, entry
        self._owner = key.hash if key else None
        self._request, self._origin = parsed, origin
        self.requested_model = origin.model
        self.route, self._trace = route, Trace()
        self._trace.shares.first = route.providers[0].slug
        self._job = kind(entry.id, self._owner, self._trace)
        self._generation = GenerationRecord(self._job, parsed, route, origin)
        self._prices = {
            each.slug: gateway.settings.prices.find(
                each.provider.name, self._generation.began_at, each.upstream
            )
            for each in (*route.providers, *also)
        }
        self._charge = Charge(
            gateway.ledger,
            self._job,
            self._prices,
            self._trace.shares,
            key,
            generation=self._begun,
            answer_tokens=answer_tokens,
        )

    def submit(self) -> tuple[Hashable, JobT]:
        """Return the job for this request and its key: an equal one that exists, or a new one.

        Raises `BusyError` of every kind, and what `Route.admitted` raises. The recordings are
        closed when they are no longer needed.
        """
        jobs, key = self._gateway.jobs, (self._owner, self._identity())
        if job := cast("JobT | None", jobs.find(key)):  # an identity is one of a kind of jobs
            self.discard()
            if job.span_context:
                trace.get_current_span().add_link(job.span_context, {GENERATION: job.id})
            return key, job
        job = self._job
        try:
            self.route = self.route.admitted()  # an existing job goes on in any case
            self._trace.shares.first = self.route.providers[0].slug
            jobs.add(key, job, self._work, self._record)
            self._entry.has_job = self._logged_by_job
        except BaseException:
            self.discard()
            raise
        return key, job

    @abstractmethod
    def discard(self) -> None:
        """Close the recordings, instead of `submit`."""

    @abstractmethod
    def _identity(self) -> Hashable:
        """Return what is equal for equal requests of one kind."""

    @abstractmethod
    async def _work(self, job: JobT) -> Any:
        """Do the work, and return its result."""

    @property
    @abstractmethod
    def _sound_origin(self) -> str | None:
        """The hosts that recordings are fetched from."""

    @property
    def _logged_by_job(self) -> bool:
        return True

    def _begun(self) -> Generation:
        """Return the record of the beginning, with the price of who is asked first."""
        first = self.route.providers[0]
        return self._generation.generation(first, self._prices[first.slug])

    async def _record(self, job: JobT) -> None:
        """Record the outcome. If the ledger fails here, the caller still gets the result."""
        self._log_end(job)
        outcome = self._outcome(job)
        self._gateway.metrics.ended(self._request.model, outcome)
        trace.get_current_span().set_attribute(
            "voxgate.audio.seconds", outcome.cost.samples / SAMPLES_PER_S
        )
        with tracing.span("ledger finish"):
            try:
                await self._charge.begin()  # one that failed before there was sound
            except LedgerError as failure:  # it may be there: a connection broke at the commit
                log.error("%s may have no record: %s", job.id, failure.sentence)  # noqa: TRY400
            await self._gateway.leases.finish(job.id, outcome)

    def _outcome(self, job: JobT) -> Outcome:
        """Return how the job ended, and tell the job its cost."""
        result = job.result
        # Of one that failed in the middle, what a caller has is charged.
        tokens = _tokens(job)
        seconds = result.duration if result else job.delivered_s
        cost = self._charge.of(seconds, self._charged_tokens(job))
        by_token = any(price.by_token for price in self._prices.values() if price)
        job.cost = Cost(cost.nanodollars, tokens if by_token else None)
        return self._generation.outcome(cost, tokens, self._trace, self._sealed(job))

    def _charged_tokens(self, job: JobT) -> int:
        """Return the tokens that cost something, where a price is by the token."""
        return _tokens(job)

    def _sealed(self, _job: JobT) -> bytes | None:
        """Return the text, encrypted, where it is kept."""
        return None

    def _log_end(self, job: JobT) -> None:
        """Write the line of the log."""
        error, result = job.error, job.result
        if error:
            self._entry.code = error.code
        for notice in result.notices if result else ():
            self._entry.note(notice)
        for failure in self._trace.failures[:MAX_LOGGED_FAILURES]:
            if failure.error and not (error and error.sentence == failure.sentence):
                self._entry.note_failure(failure.error, failure.sentence)
        sound = f"{result.duration:.1f} s of sound " if result else ""
        origin = f"from {self._sound_origin} " if self._sound_origin else ""
        self._entry.write(
            error.status if error else 200,
            f"{self._request.model} {sound}{origin}in {job.seconds:.1f} s",
            model=self._request.model,
            audio_s=result.duration if result else None,
            origin=self._sound_origin or None,
        )

    def _describe_span(self) -> None:
        """Say in the span of the job what is asked of which model."""
        facts = {
            "voxgate.model": self._request.model,
            "voxgate.revision": self.route.first.revision,
            "voxgate.profile": self.route.first.profile,
            "voxgate.dialect": self._origin.dialect,
            "voxgate.streamed": self._request.streamed,
        }
        given = {name: value for name, value in facts.items() if value is not None}
        trace.get_current_span().set_attributes(given)


def _tokens(job: AnyJob) -> int:
    """Return the tokens of the result; of one that failed in the middle, those a caller has."""
    return job.result.tokens if job.result else job.delivered_tokens
