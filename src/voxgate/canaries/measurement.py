"""`measure`: all canaries through one endpoint, by the ordinary pipeline."""

from __future__ import annotations

import asyncio
import logging
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Final

from voxgate.canaries.recordings import digest_of
from voxgate.errors import AudioError, VoxgateError
from voxgate.evaluation.attempts import ModelRun, Recognition
from voxgate.evaluation.evaluation import evaluate
from voxgate.ledger.canary_results import CanaryResult
from voxgate.pipeline.route import Route
from voxgate.pipeline.trace import Trace

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.evaluation.pairs import ReferencedRecording
    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.route import SharedProvider
    from voxgate.pipeline.session import Session

TENANT: Final = "canaries"
"""Their share of decoders and of an endpoint is that of one more caller. No key has this hash."""

log = logging.getLogger(__name__)


async def measure(
    session: Session,
    model: ModelSpec,
    endpoint: SharedProvider,
    recordings: Sequence[ReferencedRecording],
) -> CanaryResult | None:
    """Send recordings, one after the other, and return what the endpoint made of them.

    A recording that does not reach it has no part in that: it cannot be decoded, or has no speech.
    None where none reached it, and where its engine has ended meanwhile. A recording at which the
    endpoint fails is counted. Its attempts count in the endpoint's health, as all do. Raises
    `OSError` where a recording is gone at the end.
    """
    price = session.endpoints.candidate(model, endpoint).price
    run = ModelRun(model.name)
    asked: list[ReferencedRecording] = []
    for recording in recordings:
        if not endpoint.provider.alive:
            return None
        trace, began = Trace(), time.monotonic()
        try:
            transcript = await session.transcribe(
                recording.path,
                model=Route((endpoint,), session.endpoints.health),
                name=recording.name,
                times=False,  # which another model finds, and would be loaded for
                tenant=TENANT,
                trace=trace,
            )
        except VoxgateError as error:
            if isinstance(error, AudioError) and not trace.attempts:
                log.warning("a canary cannot be sent: %s", error.sentence)
                continue
            asked.append(recording)
            run.attempts[recording.name] = error
            log.warning("%s failed at a canary: %s", endpoint.slug, error.sentence)
        else:
            if trace.attempts:
                asked.append(recording)
                took_s = time.monotonic() - began
                run.attempts[recording.name] = Recognition.of(transcript, took_s, price)
    if not asked:
        return None
    return await asyncio.to_thread(_result, endpoint, asked, run)


def _result(
    endpoint: SharedProvider, recordings: Sequence[ReferencedRecording], run: ModelRun
) -> CanaryResult:
    (figures,) = evaluate("canaries", recordings, [run]).models
    return CanaryResult(
        endpoint=endpoint.slug,
        measured_at=datetime.now(UTC),
        model=run.model,
        revision=endpoint.provider.revision,
        profile=endpoint.provider.profile,
        digest=digest_of(recordings),
        recordings=figures.recordings,
        failed=figures.failed,
        spoken=figures.spoken,
        without_text=figures.without_text,
        errors=figures.words.errors + figures.characters.errors,
        reference=figures.words.reference + figures.characters.reference,
        audio_seconds=figures.audio_s,
        processing_seconds=figures.processing_s,
        cost_nanodollars=figures.nanodollars,
    )
