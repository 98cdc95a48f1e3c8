"""`GroupCommit`: writes of one kind that wait at the same time, in one transaction.

While a group is written, those that come wait for the next one: many callers cost little more than
one, and where many change the same row, it is locked for one commit instead of for one after
another. Where many come, a group waits a moment for more. A write that is alone waits for nobody.
"""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Generic, TypeVar

from sqlalchemy.exc import DBAPIError, InterfaceError, OperationalError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from voxgate.ledger.database import completed

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database

Item = TypeVar("Item")
Result = TypeVar("Result")

MOST_ITEMS = 200
"""The most items of a group: other processes wait for its locks, a tenth of a second or less."""

MANY = 3
"""Of so many items, a group says that the server is busy."""

GATHER_S = 0.008
"""How long the group after a busy one waits for more. Two beginnings and two ends together cost the
processor a third less than one and one, four and four half (docs/log.md)."""

AT_ONCE = 2
"""How many items of a failed group are written at the same time: others need connections, too."""

_OF_ALL = (OperationalError, InterfaceError, PoolTimeoutError, OSError)
_STATES_OF_ALL = ("08", "53", "57")
"""PostgreSQL's classes of errors for a connection, resources that are used up, and a shutdown."""


class GroupCommit(Generic[Item, Result]):
    """An operation on many items, each of which comes from a caller of its own.

    The operation returns a result for each item. Where it raises, each item is written in a
    transaction of its own, so that none fails for another: in any order, since their callers wait.
    """

    def __init__(
        self,
        database: Database,
        operation: Callable[[Connection, Sequence[Item]], Sequence[Result]],
    ) -> None:
        """The operation must lock rows in an order that all transactions keep."""
        self._database, self._operation = database, operation
        self._next: tuple[list[Item], asyncio.Task[Sequence[Result | Exception]]] | None = None
        self._one_at_a_time = asyncio.Lock()
        self._is_busy = False

    async def write(self, item: Item) -> Result:
        """Return the result of an item, once it is committed. Cancelled, wait for it all the same.

        Raises `LedgerError`, and whatever the operation raises.
        """
        if self._next is None or len(self._next[0]) == MOST_ITEMS:
            begun = list[Item]()
            self._next = begun, self._database.start(self._write_next(begun))
        items, writing = self._next
        number = len(items)
        items.append(item)
        result = (await completed(writing))[number]
        if isinstance(result, Exception):
            raise result
        return result

    async def _write_next(self, items: list[Item]) -> Sequence[Result | Exception]:
        async with self._one_at_a_time:
            if self._is_busy and len(items) < MOST_ITEMS:
                await asyncio.sleep(GATHER_S)
            self._is_busy = len(items) >= MANY
            if self._next and self._next[0] is items:
                self._next = None  # what comes from now on is in another group
            try:
                return await self._transaction(items)
            except Exception as error:
                if len(items) == 1 or _is_of_all(error.__cause__):
                    raise
            free = asyncio.Semaphore(AT_ONCE)
            return await asyncio.gather(*(self._alone(item, free) for item in items))

    async def _alone(self, item: Item, free: asyncio.Semaphore) -> Result | Exception:
        async with free:
            try:
                return (await self._transaction([item]))[0]
            except Exception as error:  # noqa: BLE001 (it is raised for its caller)
                return error

    async def _transaction(self, items: Sequence[Item]) -> Sequence[Result]:
        return await self._database.transaction(
            lambda connection: self._operation(connection, items)
        )


def _is_of_all(cause: BaseException | None) -> bool:
    """Return whether the database as a whole fails: a full file, a server that is gone.

    A lock that does not come, a deadlock or a wrong item concern some of a group alone.
    """
    if isinstance(cause, _OF_ALL):
        return True
    if not isinstance(cause, DBAPIError):
        return False
    state = getattr(cause.orig, "sqlstate", None) or ""
    return cause.connection_invalidated or state[:2] in _STATES_OF_ALL
