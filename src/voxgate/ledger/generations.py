"""`Generations`: every request for a transcription, with its key, its outcome and its cost.

A generation contains neither the speech, nor its text, nor the name of the file. While it is under
way it has a lease, which its server renews: one whose lease has ended belongs to a server that was
killed, and any other closes it. It ends once, in one transaction with what is spent of its key's
budget and with the sums of the day: nothing is billed twice.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, delete, select, update

from voxgate import split_cost
from voxgate.errors import CODES, VoxgateError
from voxgate.ledger.budget import Amount
from voxgate.ledger.budgets import settle
from voxgate.ledger.columns import utc_now
from voxgate.ledger.generation import Delivered, Generation, Met, Outcome
from voxgate.ledger.generation_search import select_newest
from voxgate.ledger.group_commit import GroupCommit
from voxgate.ledger.lifecycle import LEASE, Beginning, Ending, generation_of, record_generations
from voxgate.ledger.schema import NAME_LENGTH, generations_table
from voxgate.prices import Price
from voxgate.split_cost import PricedPart

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.generation_search import Selection

log = logging.getLogger(__name__)

MAX_MS = 2**31 - 1
"""The longest time that the columns of milliseconds can have: 24 days."""


class Generations:
    """The generations in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._changes = GroupCommit(database, record_generations)

    async def begin(self, generation: Generation, wanted: Amount | None = None) -> bool:
        """Insert a generation, with a lease, and reserve what is wanted of its key's budget.

        Return False where that is not left: it has begun then, with nothing reserved. Raises
        `LedgerError` unless its id is new and its key is in this ledger.
        """
        return await self._changes.write(Beginning(generation, wanted or Amount()))

    async def finish(self, id: str, outcome: Outcome) -> None:  # noqa: A002 (the column's name)
        """Store the outcome of a generation, once, and charge its key.

        Raises `VoxgateError` (`not_found`) unless an unfinished generation has this id.
        """
        if not await self._changes.write(Ending(id, outcome)):
            raise VoxgateError(
                f"No generation '{id[:NAME_LENGTH]}' is in progress.", code="not_found"
            )

    async def withdraw(self, id: str) -> None:  # noqa: A002 (the column's name)
        """Delete an unfinished generation, and free what it reserved."""

        def withdraw(connection: Connection) -> None:
            columns = generations_table.c
            statement = (
                delete(generations_table)
                .where(columns.id == id, columns.finished_at.is_(None))
                .returning(columns.key_hash, columns.reserved_nanodollars, columns.reserved_samples)
            )
            row = connection.execute(statement).one_or_none()
            if row is not None and row.key_hash is not None:
                reserved = Amount(row.reserved_nanodollars, row.reserved_samples)
                settle(connection, row.key_hash, cost=Amount(), reserved=reserved)

        await self._database.write(withdraw)

    async def renew(self, delivered: Mapping[str, Delivered]) -> None:
        """Extend the leases of generations, by id, and note what was delivered of each."""
        until = utc_now() + LEASE
        rows = [
            {"renewed": id_, "until": until, "sent_samples": samples, "sent_tokens": tokens}
            for id_, (samples, tokens) in sorted(delivered.items())
        ]
        if rows:
            await self._database.write(lambda connection: connection.execute(_RENEW, rows))

    async def close_expired(self) -> list[str]:
        """End the generations whose lease has ended. Return their ids.

        What was noted as delivered is charged, at the price that the generation began with. One
        that cannot be ended is logged, and left for a version that can read it.
        """
        query = select(generations_table.c.id).where(generations_table.c.lease_until < utc_now())
        expired = await self._database.read(lambda connection: connection.scalars(query).all())
        closed = list[str]()
        # Each in a transaction of its own: one that changes rows of several keys and models could
        # be in a deadlock with another, and would hold SQLite's only write lock for all of them.
        for id_ in expired:
            try:
                if await self._database.write(partial(_close, id_=id_)):
                    closed.append(id_)
            except VoxgateError as error:
                log.error("%s cannot be ended: %s", id_, error.sentence)  # noqa: TRY400
        return closed

    async def remove_before(self, moment: datetime, most: int) -> int:
        """Delete the oldest generations, `most` at most, that began before. Return how many.

        One that is under way stays: it has a lease.
        """
        columns = generations_table.c
        old = (
            select(columns.id)
            .where(columns.created_at < moment, columns.lease_until.is_(None))
            .order_by(columns.created_at)
            .limit(most)
        )
        statement = delete(generations_table).where(columns.id.in_(old))
        return await self._database.write(lambda connection: connection.execute(statement).rowcount)

    async def find(self, id: str, key_hash: str | None) -> Generation | None:  # noqa: A002
        """Return the generation with this id and key, or None. Another key's is not returned."""
        query = select(generations_table).where(
            generations_table.c.id == id,
            generations_table.c.key_hash.is_not_distinct_from(key_hash),
        )

        def select_one(connection: Connection) -> Generation | None:
            row = connection.execute(query).mappings().one_or_none()
            # The query clips a long id, and the clipped id may be that of another generation.
            return generation_of(row) if row is not None and row["id"] == id else None

        return await self._database.read(select_one)

    async def get(self, id: str) -> Generation | None:  # noqa: A002
        """Return the generation with this id, of whichever key; None for an unknown one."""
        query = select(generations_table).where(generations_table.c.id == id)

        def select_one(connection: Connection) -> Generation | None:
            row = connection.execute(query).mappings().one_or_none()
            return generation_of(row) if row is not None and row["id"] == id else None  # as above

        return await self._database.read(select_one)

    async def newest(self, selection: Selection, most: int) -> list[Generation]:
        """Return the newest generations of a selection, `most` at most, the newest first.

        Raises `UsageError` where the one before which they began is not in the ledger any more.
        """
        return await self._database.read(
            lambda connection: select_newest(connection, selection, most)
        )


_RENEW = (
    update(generations_table)
    .where(
        generations_table.c.id == bindparam("renewed"), generations_table.c.finished_at.is_(None)
    )
    .values(
        lease_until=bindparam("until"),
        delivered_samples=bindparam("sent_samples"),
        delivered_tokens=bindparam("sent_tokens"),
    )
)


def _close(connection: Connection, *, id_: str) -> bool:
    """End a generation whose server was killed, in the caller's transaction."""
    query = (
        select(generations_table)
        .where(generations_table.c.id == id_, generations_table.c.lease_until < utc_now())
        .with_for_update()  # its server may have renewed it since it was listed, or do so now
    )
    row = connection.execute(query).mappings().one_or_none()
    if row is None:
        return False
    return record_generations(connection, [Ending(id_, _interrupted(generation_of(row)))])[0]


def _interrupted(generation: Generation) -> Outcome:
    """Return the outcome of a generation whose server was killed."""
    delivered, tokens = generation.delivered_samples, generation.delivered_tokens
    price = Price.parse(generation.price) if generation.price else None
    answered = tokens if generation.api_type else 0  # of an answer all of them, whatever the sound
    part = PricedPart(delivered, tokens - answered, price, answered)
    alive_until = generation.lease_until or utc_now()
    alive_ms = round((alive_until - generation.created_at).total_seconds() * 1e3)
    return Outcome(
        status=CODES["interrupted"].status,
        latency_ms=min(max(0, alive_ms), MAX_MS),
        error_code="interrupted",
        audio_samples=delivered or None,
        tokens=tokens or None,
        cost=Amount(split_cost.nanodollars([part]), delivered),
        cancelled=True,
        met=Met(generation.model, "unavailable"),
    )
