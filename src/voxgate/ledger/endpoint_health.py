"""`EndpointHealths`: how endpoints did when a server last saved it.

The values are those of `voxgate.routing`, which this does not read. Of servers that share a ledger
each has its own; a server that starts gets what was saved last.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from sqlalchemy import delete, select

from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import endpoint_health_table
from voxgate.ledger.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database

KEPT = timedelta(days=1)
"""The longest span of a figure: what is older says nothing."""

_c = endpoint_health_table.c


@dataclass(frozen=True, slots=True)
class SavedEndpoint:
    """One endpoint's health, as a value of JSON."""

    endpoint: str  # its slug
    saved_at: datetime
    health: Any


class EndpointHealths:
    """The health of endpoints in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def save(self, health: Mapping[str, Any]) -> None:
        """Store the health of endpoints, by their slugs, and drop what is older than `KEPT`."""

        def save_all(connection: Connection) -> None:
            now = utc_now()
            connection.execute(delete(endpoint_health_table).where(_c.saved_at < now - KEPT))
            for slug, value in sorted(health.items()):  # in one order: others lock the rows, too
                changes = {"saved_at": now, "health": value}
                upsert(connection, endpoint_health_table, {"endpoint": slug, **changes}, changes)

        await self._database.write(save_all)

    async def load(self) -> list[SavedEndpoint]:
        """Return what was saved of each endpoint last, within `KEPT`."""
        query = select(endpoint_health_table).where(_c.saved_at >= utc_now() - KEPT)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return [SavedEndpoint(*row) for row in rows]
