"""`CanaryResults`: what endpoints made of recordings with known words, the last of each."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, select

from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import canaries_table
from voxgate.ledger.upsert import upsert

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database

KEPT = timedelta(days=30)
MOST = 100
"""So many results of an endpoint are kept, for so long."""

HOUR_S = 3600

_c = canaries_table.c


@dataclass(frozen=True, slots=True)
class CanaryResult:
    """One endpoint and all recordings, once. Those that failed have no part in the figures."""

    endpoint: str  # its slug
    measured_at: datetime
    model: str
    revision: str | None  # of its checkpoint, where that is known
    profile: str | None
    digest: str  # of the recordings and their references: those of one digest can be compared
    recordings: int  # with a text, which may be empty
    failed: int
    spoken: int  # of the recordings, those in which words are said
    without_text: int  # of these
    errors: int
    reference: int  # words, or characters of scripts without spaces
    audio_seconds: float
    processing_seconds: float
    cost_nanodollars: int | None  # by the configured price; None where there is none

    @property
    def word_error_rate(self) -> float | None:
        """Errors for each word of the references; None where these have none."""
        return self.errors / self.reference if self.reference else None

    @property
    def coverage(self) -> float | None:
        """Which share of the recordings with speech has a text."""
        return 1 - self.without_text / self.spoken if self.spoken else None

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of processing for each second of sound."""
        return self.processing_seconds / self.audio_seconds if self.audio_seconds > 0 else None

    @property
    def nanodollars_per_hour(self) -> int | None:
        """What an hour of sound costs."""
        if self.cost_nanodollars is None or self.audio_seconds <= 0:
            return None
        return round(self.cost_nanodollars * HOUR_S / self.audio_seconds)


class CanaryResults:
    """The results in a ledger. Servers that share it have them in common."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, result: CanaryResult) -> None:
        """Store a result, and drop what is older than `KEPT` or than the endpoint's last `MOST`."""

        def add(connection: Connection) -> None:
            row = asdict(result)
            upsert(connection, canaries_table, row, row)
            connection.execute(delete(canaries_table).where(_c.measured_at < utc_now() - KEPT))
            own = select(_c.measured_at).where(_c.endpoint == result.endpoint)
            newest_first = own.order_by(_c.measured_at.desc())
            first_dropped = newest_first.offset(MOST).limit(1).scalar_subquery()
            connection.execute(
                delete(canaries_table).where(
                    _c.endpoint == result.endpoint, _c.measured_at <= first_dropped
                )
            )

        await self._database.write(add)

    async def load(self) -> dict[str, list[CanaryResult]]:
        """Return the results by the slugs of endpoints, each one's oldest first."""
        query = (
            select(canaries_table)
            .where(_c.measured_at >= utc_now() - KEPT)
            .order_by(_c.endpoint, _c.measured_at)
        )
        rows = await self._database.read(
            lambda connection: list(connection.execute(query).mappings())
        )
        found: dict[str, list[CanaryResult]] = {}
        for row in rows:
            found.setdefault(row["endpoint"], []).append(CanaryResult(**row))
        return found
