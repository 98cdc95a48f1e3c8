"""`Gateway`: what all requests share, opened once and closed in order."""

from __future__ import annotations

from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.api.jobs import Jobs
from voxgate.ledger.ledger import LEDGER_FILE, Ledger
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    from voxgate.settings import Settings


@dataclass(frozen=True, slots=True)
class Gateway:
    """The server's parts: limits, engines and decoders, keys and generations, work in the air."""

    settings: Settings
    session: Session
    ledger: Ledger
    flights: Jobs

    @classmethod
    @asynccontextmanager
    async def open(
        cls, settings: Settings, session: Callable[[Settings], Session] = Session
    ) -> AsyncIterator[Gateway]:
        """Open the ledger, start nothing else. Raises `LedgerError`.

        `session` makes the path for recordings; its limits are those of uploads.
        """
        limited = replace(
            settings,
            max_source_bytes=settings.max_upload_bytes,
            max_duration_s=settings.max_upload_s,
        )
        async with (
            await Ledger.open(settings.home / LEDGER_FILE) as ledger,
            session(limited) as recordings,
        ):
            yield cls(settings, recordings, ledger, Jobs(settings))
