"""`Ledger`: the keys, budgets, generations, kept files and transcripts of one installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy import literal, select

from voxgate.ledger.activity import Activity
from voxgate.ledger.address import Address
from voxgate.ledger.apps import Apps
from voxgate.ledger.budgets import Budgets
from voxgate.ledger.canary_results import CanaryResults
from voxgate.ledger.database import Database
from voxgate.ledger.endpoint_health import EndpointHealths
from voxgate.ledger.endpoint_hours import EndpointHours
from voxgate.ledger.files import Files
from voxgate.ledger.generations import Generations
from voxgate.ledger.key_reconciliation import KeyReconciliation
from voxgate.ledger.keys import Keys
from voxgate.ledger.migration import migrate
from voxgate.ledger.transcripts import Transcripts
from voxgate.ledger.usage_hours import UsageHours

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self


class Ledger:
    """One database, opened by `open`. Several processes may have it open at the same time.

    Every method of `keys`, `listed_keys`, `budgets`, `generations`, `activity`, `files`,
    `transcripts`, `endpoint_health`, `canaries`, `usage_hours`, `endpoint_hours` and `apps` raises
    `LedgerError` when the database cannot be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.keys = Keys(database)
        self.listed_keys = KeyReconciliation(database)
        self.budgets = Budgets(database)
        self.generations = Generations(database)
        self.activity = Activity(database)
        self.files = Files(database)
        self.transcripts = Transcripts(database)
        self.endpoint_health = EndpointHealths(database)
        self.canaries = CanaryResults(database)
        self.usage_hours = UsageHours(database)
        self.endpoint_hours = EndpointHours(database)
        self.apps = Apps(database)

    @classmethod
    async def open(cls, where: Address | Path) -> Ledger:
        """Open a database; a path is that of a SQLite file.

        Create the file or the tables, or migrate them to this version's schema, where needed.
        Raises `LedgerError`, also for a database that a newer version wrote.
        """
        address = where if isinstance(where, Address) else Address.of_file(where)
        await migrate(address)
        return cls(Database(address))

    @property
    def failures(self) -> int:
        """How many reads and writes failed since the ledger was opened."""
        return self._database.failures

    async def check(self) -> None:
        """Read something. Raises `LedgerError` where the database cannot be read now."""
        await self._database.read(lambda connection: connection.scalar(select(literal(1))))

    async def aclose(self) -> None:
        """Finish the running writes and close the connections. May be called again."""
        await self._database.aclose()

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.aclose()
