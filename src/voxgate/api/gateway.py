"""`Gateway`: the objects that all requests share, opened once and closed in order."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.api.body.request_body import recording_too_large
from voxgate.api.files.store import FileStore
from voxgate.api.health_keeper import HealthKeeper
from voxgate.api.jobs import Jobs
from voxgate.api.leases import Leases
from voxgate.api.metrics import Metrics
from voxgate.api.model_loads import ModelLoads
from voxgate.api.model_pull import ModelPull
from voxgate.api.request_rates import RequestRates
from voxgate.api.transcript_keeper import TranscriptKeeper
from voxgate.api.wrong_keys import WrongKeys
from voxgate.canaries.schedule import CanarySchedule
from voxgate.ledger.address import Address
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.retention import Retention
from voxgate.pipeline.session import Session
from voxgate.recent_problems import RecentProblems
from voxgate.remote.address_policy import AddressPolicy
from voxgate.remote.fetcher import Fetcher

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from voxgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """What all requests share: settings, engines and decoders (the session), ledger, jobs."""

    settings: Settings
    session: Session
    ledger: Ledger
    jobs: Jobs
    leases: Leases
    fetcher: Fetcher
    files: FileStore
    keeper: TranscriptKeeper
    wrong_keys: WrongKeys
    metrics: Metrics
    rates: RequestRates
    canaries: CanarySchedule
    loads: ModelLoads
    pull: ModelPull
    problems: RecentProblems

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, session: Callable[[Settings], Session] = Session
    ) -> AsyncIterator[Gateway]:
        """Open the ledger and create the session, which starts nothing. Raises `LedgerError`.

        `session` is called with settings whose limits on recordings are those on uploads.
        """
        limited = replace(
            settings,
            max_source_bytes=settings.max_upload_bytes,
            max_duration_s=settings.max_upload_s,
        )
        problems, pull = RecentProblems(), ModelPull(settings)
        async with (
            problems.kept(),
            pull.ended(),
            await Ledger.open(Address.of(settings)) as ledger,
            session(limited) as opened,
        ):
            files, jobs = FileStore(settings, ledger.files), Jobs(settings)
            leases = Leases(ledger.generations, jobs)
            retention = Retention(ledger, settings.generations_days)
            book = opened.endpoints.health
            health = HealthKeeper(ledger.endpoint_health, ledger.endpoint_hours, book)
            loads = ModelLoads(opened)
            async with (
                files.swept(),
                leases.renewed(),
                retention.swept(),
                health.kept(),
                loads.ended(),
            ):
                yield cls(
                    settings=settings,
                    session=opened,
                    ledger=ledger,
                    jobs=jobs,
                    leases=leases,
                    fetcher=_fetcher(settings),
                    files=files,
                    keeper=TranscriptKeeper(settings.transcript_key, ledger.transcripts),
                    wrong_keys=WrongKeys(),
                    metrics=Metrics(),
                    rates=RequestRates(),
                    canaries=CanarySchedule(opened, ledger.canaries),
                    loads=loads,
                    pull=pull,
                    problems=problems,
                )


def _fetcher(settings: Settings) -> Fetcher:
    """Return what fetches recordings for callers: from the operator's list, as large as uploads."""
    return Fetcher(
        settings,
        AddressPolicy.listed(settings.url_allow),
        limit=settings.max_upload_bytes,
        too_large=recording_too_large,
    )
