"""`EndpointHours`: how many attempts at each endpoint succeeded and failed, by the hour.

They are what the servers of a ledger counted, added up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import delete, select, tuple_

from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import endpoint_hours_table
from voxgate.ledger.upsert import upsert_statement
from voxgate.ledger.usage_hours import HOURS_KEPT

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database

_c = endpoint_hours_table.c


class HourOfEndpoint(NamedTuple):
    """One hour of UTC, by its beginning, of one endpoint, by its slug."""

    endpoint: str
    hour: datetime


class EndpointHours:
    """The counts in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, counts: Mapping[HourOfEndpoint, tuple[int, int]]) -> None:
        """Add attempts that succeeded and that failed to what is there."""
        rows = [
            {"endpoint": slug, "hour": hour, "succeeded": succeeded, "failed": failed}
            for (slug, hour), (succeeded, failed) in sorted(counts.items())  # in one order: locks
        ]

        def add(connection: Connection) -> None:
            names = ("succeeded", "failed")
            statement = upsert_statement(
                connection.dialect.name,
                endpoint_hours_table,
                lambda new: {name: _c[name] + new[name] for name in names},
            )
            connection.execute(statement, rows)

        if rows:
            await self._database.write(add)

    async def find(
        self, endpoints: Collection[str], since: datetime
    ) -> dict[HourOfEndpoint, tuple[int, int]]:
        """Return the attempts at endpoints since a moment that succeeded and that failed."""
        query = select(endpoint_hours_table).where(_c.endpoint.in_(endpoints), _c.hour >= since)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {
            HourOfEndpoint(slug, hour): (succeeded, failed)
            for slug, hour, succeeded, failed in rows
        }

    async def remove_old(self, most: int) -> int:
        """Delete hours that are older than `HOURS_KEPT`, `most` at most. Return how many."""
        key = [_c.endpoint, _c.hour]
        old = select(*key).where(_c.hour < utc_now() - HOURS_KEPT).order_by(*key).limit(most)
        statement = delete(endpoint_hours_table).where(tuple_(*key).in_(old))
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)
