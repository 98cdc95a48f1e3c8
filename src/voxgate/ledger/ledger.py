"""`Ledger`: the keys, the generations and the list of kept files of one installation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.ledger.database import Database
from voxgate.ledger.files import Files
from voxgate.ledger.generations import Generations
from voxgate.ledger.keys import Keys
from voxgate.ledger.migration import migrate

if TYPE_CHECKING:
    from pathlib import Path
    from types import TracebackType
    from typing import Self

LEDGER_FILE = "ledger.sqlite3"
"""The name of the file in `Settings.home`."""


class Ledger:
    """One database file, opened by `open`. Several processes may have it open at the same time.

    Every method of `keys`, `generations` and `files` raises `LedgerError` when the database cannot
    be read or written.
    """

    def __init__(self, database: Database) -> None:
        self._database = database
        self.keys = Keys(database)
        self.generations = Generations(database)
        self.files = Files(database)

    @classmethod
    async def open(cls, path: Path) -> Ledger:
        """Open the file at `path`. Create it or migrate it to this version's schema where needed.

        Raises `LedgerError`, also for a file that a newer version wrote.
        """
        await migrate(path)
        return cls(Database(path))

    async def aclose(self) -> None:
        """Finish the running writes and close the file. May be called again."""
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
