"""`Submission`: a request that is complete and valid becomes a flight, and a line in the ledger."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from voxgate.api.jobs import AbandonedError, Job
from voxgate.errors import EngineError, VoxgateError
from voxgate.ledger.generations import Generation, RecordedAttempt
from voxgate.pipeline.budget import AcceptedOptions
from voxgate.pipeline.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Hashable, Mapping

    from voxgate.api.body.request_body import Upload
    from voxgate.api.dialects.negotiate import ParsedRequest
    from voxgate.api.gateway import Gateway
    from voxgate.providers.base import Provider
    from voxgate.transcript.values import Transcript

PROVIDER_NAME = "Local"
MAX_RECORDED_ATTEMPTS = (
    50  # in the ledger: failures first of all, of a recording with hundreds of windows
)

log = logging.getLogger(__name__)


class Submission:
    """One request on its way into the air."""

    def __init__(
        self,
        gateway: Gateway,
        *,
        id_: str,
        owner: str | None,
        asked: ParsedRequest,
        provider: Provider,
        upload: Upload,
        headers: Mapping[str, str],
    ) -> None:
        self._gateway, self._id, self._owner = gateway, id_, owner
        self._asked, self._upload, self._headers = asked, upload, headers
        self._provider, self._trace = provider, Trace()

    def flight(self) -> tuple[Hashable, Job]:
        """The flight that does this work: one that is under way already, or a new one.

        Raises `BusyError` of every kind, and what `Provider.admit` raises. The upload is closed
        when it is not needed any more.
        """
        flights, asked, upload = self._gateway.flights, self._asked, self._upload
        # Of an alias the model's own name; another revision is other work.
        model = (asked.model, self._provider.revision, self._provider.profile)
        what = (self._owner, model, asked.options, asked.pcm, upload.sha256, upload.name)
        if flight := flights.find(what):
            upload.close()
            return what, flight
        flight = Job(self._id, self._owner, self._trace.spans)
        try:
            self._provider.admit()  # what is under way goes on, whatever has become of its model
            flights.add(what, flight, self._work, self._landed)
        except BaseException:
            upload.close()
            raise
        return what, flight

    async def _work(self, flight: Job) -> Transcript:
        with self._upload as upload:
            await self._gateway.ledger.generations.begin(self._generation())
            upload.file.seek(0)
            return await self._gateway.session.transcribe(
                upload.file,
                model=self._provider,
                options=AcceptedOptions(self._asked.options),
                name=upload.name or "the recording",
                pcm=self._asked.pcm,
                tenant=self._owner,
                trace=self._trace,
                on_progress=lambda _: flight.heard.set(),
            )

    async def _landed(self, flight: Job) -> None:
        """Write down how it ended. A ledger that fails here costs the line, not the transcript."""
        error, transcript = flight.error, flight.transcript
        status = error.status if error else 200
        log.info(
            "%s %d %s %s in %.1f s",
            flight.id,
            status,
            self._asked.model,
            error.code if error else f"{transcript.duration:.1f} s of sound" if transcript else "",
            flight.seconds,
        )
        try:
            await self._gateway.ledger.generations.finish(
                flight.id,
                status=status,
                error_code=error.code if error else None,
                audio_seconds=transcript.duration if transcript else None,
                latency_ms=round(flight.seconds * 1e3),
                generation_time_ms=round(flight.spans.seconds("provider") * 1e3),
                cancelled=isinstance(error, AbandonedError),
                provider=PROVIDER_NAME,
                attempts=self._attempts(status),
            )
        except VoxgateError:
            log.exception("%s could not be written down", flight.id)

    def _generation(self) -> Generation:
        headers = self._headers
        return Generation(
            id=self._id,
            key_hash=self._owner,
            model=self._asked.model,
            revision=self._provider.revision,
            profile=self._provider.profile,
            created_at=datetime.now(UTC),
            user_agent=headers.get("user-agent"),
            http_referer=headers.get("http-referer"),
            app_title=headers.get("x-openrouter-title") or headers.get("x-title"),
            session_id=self._asked.session_id or headers.get("x-session-id"),
            external_user=self._asked.user,
        )

    def _attempts(self, status: int) -> list[RecordedAttempt]:
        """Every failed attempt at a window, and the whole as the last."""
        failures = [
            RecordedAttempt(
                PROVIDER_NAME, EngineError.status, round(attempt.seconds * 1e3), attempt.error
            )
            for attempt in self._trace.attempts
            if attempt.error
        ]
        spent_ms = round(self._trace.spans.seconds("provider") * 1e3)
        return [*failures[:MAX_RECORDED_ATTEMPTS], RecordedAttempt(PROVIDER_NAME, status, spent_ms)]
