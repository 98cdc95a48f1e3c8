"""`inspect_ledger`: whether a ledger can be read and is whole. It changes nothing."""

from __future__ import annotations

from contextlib import aclosing
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.errors import LedgerError
from voxgate.ledger.database import Database
from voxgate.ledger.migration import schema_of

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from voxgate.ledger.address import Address

MOST_FAULTS = 20
"""The most faults that are listed: a damaged file may have millions."""


@dataclass(frozen=True, slots=True)
class Inspection:
    """What a ledger was found to be."""

    database: str
    """The program and its version, such as `SQLite 3.40.1`."""

    schema: str | None
    """The number of its schema; None for a database without tables."""

    faults: tuple[str, ...]
    """What is wrong in a SQLite file. A PostgreSQL server checks itself."""


async def inspect_ledger(address: Address) -> Inspection:
    """Read the whole of a SQLite file, or ask a PostgreSQL server. Servers go on meanwhile.

    Raises `LedgerError` for a ledger that does not exist, cannot be read, or is of a newer version.
    """
    check_exists(address)
    async with aclosing(Database(address)) as database:
        schema = await database.read(lambda connection: schema_of(connection, address))
        if address.path is None:
            version = await _text(database, "SHOW server_version")
            return Inspection(f"PostgreSQL {version}", schema, ())
        version = await _text(database, "SELECT sqlite_version()")
        faults = (*await database.read(_damage), *await database.read(_strays))
        return Inspection(f"SQLite {version}", schema, faults)


def check_exists(address: Address) -> None:
    """Raise `LedgerError` for a SQLite file that is not there: SQLite would create it."""
    if address.path is not None and not address.path.exists():
        raise LedgerError(
            f"There is no ledger at {address}. `voxgate db upgrade` creates an empty one, and so "
            f"does `voxgate serve`; VOXGATE_HOME names another folder."
        )


async def _text(database: Database, statement: str) -> str:
    return await database.read(
        lambda connection: str(connection.exec_driver_sql(statement).scalar_one())
    )


def _damage(connection: Connection) -> list[str]:
    """Return what is wrong with pages and indexes."""
    found = connection.exec_driver_sql(f"PRAGMA integrity_check({MOST_FAULTS})").scalars().all()
    return [] if list(found) == ["ok"] else [str(fault) for fault in found]


def _strays(connection: Connection) -> list[str]:
    """Return which rows name a row of another table that is not there."""
    rows = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchmany(MOST_FAULTS)
    return [f"row {row[1]} of {row[0]} names a row of {row[2]} that is not there" for row in rows]
