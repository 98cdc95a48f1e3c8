"""Errors of the database as a `LedgerError`: where it is, the cause and the next step."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from voxgate.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.ledger.address import Address

SPACE = "Free some space on its disk"
RIGHTS = (
    "Give this user permission to write the file and its folder, or name another folder in "
    "VOXGATE_HOME"
)
BACKUP = (
    "Restore a backup of it; or move it away, so that an empty one is created, and create new keys"
)
LATER = "Another process has kept it locked for too long: try again, or end that process"
DISK = "Check the disk that it is on, or name another folder in VOXGATE_HOME"

ADVICE = {
    "SQLITE_FULL": SPACE,
    "SQLITE_CANTOPEN": RIGHTS,
    "SQLITE_PERM": RIGHTS,
    "SQLITE_READONLY": RIGHTS,
    "SQLITE_CORRUPT": BACKUP,
    "SQLITE_NOTADB": BACKUP,
    "SQLITE_BUSY": LATER,
    "SQLITE_LOCKED": LATER,
    "SQLITE_CONSTRAINT": "A generation needs an id that is new and a key that is in this ledger",
    errno.ENOSPC: SPACE,
    errno.EDQUOT: SPACE,
    errno.EACCES: RIGHTS,
    errno.EPERM: RIGHTS,
    errno.EROFS: RIGHTS,
    errno.ENOTDIR: "Name another folder in VOXGATE_HOME",
    errno.EEXIST: "Name another folder in VOXGATE_HOME",
}


UNREACHABLE = "Check that the server runs and that its address in VOXGATE_DATABASE_URL is right"
SERVER_ADVICE = {  # by the class of the SQLSTATE: PostgreSQL's manual, appendix A
    "08": UNREACHABLE,
    "23": ADVICE["SQLITE_CONSTRAINT"],
    "28": "Check the user and the password in VOXGATE_DATABASE_URL, and the server's pg_hba.conf",
    "3D": "Create the database, or name another one in VOXGATE_DATABASE_URL",
    "42": "Give the user of VOXGATE_DATABASE_URL the rights to create and write tables in it",
    "53": "Give the server more disk, memory or connections",
    "55": LATER,
    "57": "The server is starting or stopping: try again",
}


@contextmanager
def ledger_errors(address: Address) -> Iterator[None]:
    """Raise every error of the database at `address` as a `LedgerError`."""
    try:
        yield
    # The last three come from damaged rows and from numbers too large for their column.
    except (
        SQLAlchemyError,
        sqlite3.Error,
        OSError,
        ValueError,
        TypeError,
        OverflowError,
        _server_error(address),
    ) as error:
        raise LedgerError(_sentence(address, error)) from error


def _server_error(address: Address) -> type[Exception]:
    """Return what the driver of a PostgreSQL server raises where it cannot connect."""
    if address.path is not None:
        return sqlite3.Error
    import asyncpg  # noqa: PLC0415 (an extra)

    error: type[Exception] = asyncpg.PostgresError
    return error


def _sentence(address: Address, error: BaseException) -> str:
    """Return the sentence without the statement, which SQLAlchemy adds with its parameters."""
    cause = (error.orig if isinstance(error, DBAPIError) else None) or error
    if isinstance(cause, OSError):
        reason = cause.strerror or str(cause) or type(cause).__name__
    elif address.path is None:
        cause = cause.__cause__ or cause  # asyncpg's own, behind SQLAlchemy's
        reason = str(cause).partition("\n")[0]  # the lines behind it contain values
    else:
        reason = str(cause)
    advice = _server_advice(cause) if address.path is None else _file_advice(cause)
    return f"The ledger {address} cannot be used: {reason.rstrip('.')}. {advice}."


def _server_advice(cause: BaseException) -> str:
    if isinstance(cause, OSError):
        return UNREACHABLE
    state = getattr(cause, "sqlstate", None) or ""
    return SERVER_ADVICE.get(state[:2], "The server's log says more")


def _file_advice(cause: BaseException) -> str:
    if isinstance(cause, PoolTimeoutError):
        return LATER
    if isinstance(cause, OSError):
        return ADVICE.get(cause.errno or 0, DISK)
    name = getattr(cause, "sqlite_errorname", "")  # such as SQLITE_READONLY_DIRECTORY
    return ADVICE.get("_".join(name.split("_")[:2]), DISK)
