"""`GenerationRecord`: what the ledger is told of a job, when it begins and when it has ended."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from voxgate.api.job import AbandonedError
from voxgate.errors import CODES
from voxgate.ledger.generation import Generation, Outcome, RecordedAttempt

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.job import Job
    from voxgate.ledger.budget import Amount
    from voxgate.pipeline.trace import Trace
    from voxgate.prices import Price
    from voxgate.providers.base import Provider

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
        self, job: Job, parsed: ParsedRequest, provider: Provider, origin: RequestOrigin
    ) -> None:
        self._job, self._parsed, self._provider, self._origin = job, parsed, provider, origin
        self.began_at = datetime.now(UTC)

    def generation(self, price: Price | None) -> Generation:
        """Return what is recorded at its beginning."""
        headers = self._origin.headers
        return Generation(
            id=self._job.id,
            key_hash=self._job.owner,
            model=self._parsed.model,
            provider=PROVIDER_NAME,
            revision=self._provider.revision,
            profile=self._provider.profile,
            created_at=self.began_at,
            user_agent=headers.get("user-agent"),
            http_referer=headers.get("http-referer"),
            app_title=headers.get("x-openrouter-title") or headers.get("x-title"),
            session_id=self._parsed.session_id or headers.get("x-session-id"),
            external_user=self._parsed.user,
            streamed=self._parsed.events is not None,
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
        return Outcome(
            status=status,
            error_code=error.code if error else None,
            audio_samples=cost.samples or (0 if job.transcript else None),
            tokens=tokens or None,
            first_text_ms=None if job.first_text_s is None else round(job.first_text_s * 1e3),
            latency_ms=round(job.seconds * 1e3),
            generation_time_ms=provider_ms,
            cost=cost,
            cancelled=isinstance(error, AbandonedError),
            provider=PROVIDER_NAME,
            attempts=[
                *_failed_attempts(trace),
                RecordedAttempt(PROVIDER_NAME, status, provider_ms),  # the whole recording
            ],
            transcript=sealed_transcript,
        )


def _failed_attempts(trace: Trace) -> list[RecordedAttempt]:
    """Return the first failed attempts at windows."""
    failures = [
        RecordedAttempt(
            PROVIDER_NAME, CODES["engine_error"].status, round(attempt.seconds * 1e3), attempt.error
        )
        for attempt in trace.attempts
        if attempt.error
    ]
    return failures[:MAX_RECORDED_ATTEMPTS]
