"""`GenerationRecord`: what the ledger is told of a job, when it begins and when it has ended."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from voxgate.api.job import AbandonedError
from voxgate.errors import CODES
from voxgate.ledger.generation import AnsweredBy, Generation, Met, Outcome, RecordedAttempt
from voxgate.pipeline.attempt import ending_of
from voxgate.routing.tally import FAILURES
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.dialects.model_request import ModelRequest
    from voxgate.api.job import AnyJob
    from voxgate.ledger.budget import Amount
    from voxgate.pipeline.route import Route, SharedProvider
    from voxgate.pipeline.trace import Trace
    from voxgate.prices import Price

PROVIDER_NAME = "Local"

MAX_RECORDED_ATTEMPTS = 50
"""Failed attempts that the ledger records: a recording may have hundreds of windows."""


@dataclass(frozen=True, slots=True)
class RequestOrigin:
    """Where a request comes from."""

    dialect: str
    model: str
    """As the caller named it."""

    headers: Mapping[str, str]


class GenerationRecord:
    """The record of one job, of the request that started it."""

    def __init__(
        self, job: AnyJob, parsed: ModelRequest, route: Route, origin: RequestOrigin
    ) -> None:
        self._job, self._parsed, self._route, self._origin = job, parsed, route, origin
        self.began_at = datetime.now(UTC)

    def generation(self, first: SharedProvider, price: Price | None) -> Generation:
        """Return what is recorded at its beginning: of the first provider, with its price."""
        headers = self._origin.headers
        return Generation(
            id=self._job.id,
            key_hash=self._job.owner,
            model=first.provider.name,
            provider=provider_name(first.slug),
            revision=first.provider.revision,
            profile=first.provider.profile,
            created_at=self.began_at,
            user_agent=headers.get("user-agent"),
            http_referer=headers.get("http-referer"),
            app_title=headers.get("x-openrouter-title") or headers.get("x-title"),
            session_id=self._parsed.session_id or headers.get("x-session-id"),
            external_user=self._parsed.user,
            streamed=self._parsed.streamed,
            requested_model=self._origin.model,
            dialect=self._origin.dialect,
            app_categories=headers.get("x-openrouter-categories"),
            price=price.record() if price else None,
        )

    def outcome(
        self, cost: Amount, tokens: int, trace: Trace, sealed_transcript: bytes | None
    ) -> Outcome:
        """Return what is recorded at its end: `tokens` were delivered, for `cost`."""
        job, error = self._job, self._job.error
        status = error.status if error else 200
        provider_ms = round(trace.stages.seconds("provider") * 1e3)
        slug = trace.shares.main(cost.samples)
        main, provider = provider_name(slug), self._route.find(slug)
        return Outcome(
            status=status,
            error_code=error.code if error else None,
            audio_samples=cost.samples or (0 if job.result else None),
            tokens=tokens or None,
            first_text_ms=None if job.first_text_s is None else round(job.first_text_s * 1e3),
            latency_ms=round(job.seconds * 1e3),
            generation_time_ms=provider_ms,
            cost=cost,
            cancelled=isinstance(error, AbandonedError),
            answered_by=AnsweredBy(
                main, provider.name, revision=provider.revision, profile=provider.profile
            ),
            attempts=[
                *_failed_attempts(trace),
                *_others(trace, main),
                RecordedAttempt(main, status, provider_ms),  # the whole recording
            ],
            met=self._met(trace),
            transcript=sealed_transcript,
        )

    def _met(self, trace: Trace) -> Met | None:
        """Return how the caller met the model that was asked first; None where that says nothing.

        Its endpoint failed, too, where it refused what another one then did.
        """
        first, error = trace.shares.first, self._job.error
        model = self._route.find(first).name
        if isinstance(error, AbandonedError):
            return None
        if error is not None:
            return Met(model, "unavailable") if ending_of(error) in FAILURES else None
        failed = any(each.error and each.endpoint == first for each in trace.attempts)
        others = any(not each.error and each.endpoint != first for each in trace.attempts)
        return Met(model, "saved" if failed and others else "answered")


def provider_name(slug: str) -> str:
    """Return how records and answers call the provider of an endpoint."""
    name = slug.partition("/")[0]
    return PROVIDER_NAME if name == LOCAL else name


def _others(trace: Trace, main: str) -> list[RecordedAttempt]:
    """Return the other providers that recognised windows, each with the time that these took."""
    seconds = defaultdict[str, float](float)
    for attempt in trace.attempts:
        if attempt.error is None:
            seconds[provider_name(attempt.endpoint)] += attempt.seconds
    seconds.pop(main, None)
    return [RecordedAttempt(name, 200, round(taken * 1e3)) for name, taken in seconds.items()]


def _failed_attempts(trace: Trace) -> list[RecordedAttempt]:
    """Return the first failed attempts at windows."""
    failures = [
        RecordedAttempt(
            provider_name(attempt.endpoint),
            CODES[attempt.error].status,
            round(attempt.seconds * 1e3),
            attempt.error,
        )
        for attempt in trace.attempts
        if attempt.error
    ]
    return failures[:MAX_RECORDED_ATTEMPTS]
