"""Errors of the database as a `LedgerError`: its path, the cause and the next step."""

from __future__ import annotations

import errno
import sqlite3
from contextlib import contextmanager
from typing import TYPE_CHECKING

from sqlalchemy.exc import DBAPIError, SQLAlchemyError

from voxgate.errors import LedgerError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

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


@contextmanager
def ledger_errors(path: Path) -> Iterator[None]:
    """Raise every error of the database at `path` as a `LedgerError`."""
    try:
        yield
    # The last three come from damaged rows and from numbers too large for their column.
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, TypeError, OverflowError) as error:
        raise LedgerError(_sentence(path, error)) from error


def _sentence(path: Path, error: BaseException) -> str:
    """Return the sentence without the statement, which SQLAlchemy adds with its parameters."""
    cause = (error.orig if isinstance(error, DBAPIError) else None) or error
    reason = (isinstance(cause, OSError) and cause.strerror) or str(cause)
    return f"The ledger {path} cannot be used: {reason.rstrip('.')}. {_advice(cause)}."


def _advice(cause: BaseException) -> str:
    if isinstance(cause, OSError):
        return ADVICE.get(cause.errno or 0, DISK)
    name = getattr(cause, "sqlite_errorname", "")  # such as SQLITE_READONLY_DIRECTORY
    return ADVICE.get("_".join(name.split("_")[:2]), DISK)
