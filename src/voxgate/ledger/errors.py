"""What a database says when it fails, as a `LedgerError`: the path, the cause, the next step."""

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
    "Give this user the right to write the file and its folder, or name another folder in "
    "VOXGATE_HOME"
)
BACKUP = "Put a backup in its place; or move it away to begin an empty one, and make new keys"
LATER = "Another process writes to it for too long: try again, or end that process"
DISK = "Look after the disk that it lies on, or name another folder in VOXGATE_HOME"

ADVICE = {
    "SQLITE_FULL": SPACE,
    "SQLITE_CANTOPEN": RIGHTS,
    "SQLITE_PERM": RIGHTS,
    "SQLITE_READONLY": RIGHTS,
    "SQLITE_CORRUPT": BACKUP,
    "SQLITE_NOTADB": BACKUP,
    "SQLITE_BUSY": LATER,
    "SQLITE_LOCKED": LATER,
    "SQLITE_CONSTRAINT": "A generation needs an id of its own, and a key that was made here",
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
    """Raise `LedgerError` for whatever the database at `path` raises."""
    try:
        yield
    # The last three: what a damaged row decodes to, and numbers that no column takes.
    except (SQLAlchemyError, sqlite3.Error, OSError, ValueError, TypeError, OverflowError) as error:
        raise LedgerError(_sentence(path, error)) from error


def _sentence(path: Path, error: BaseException) -> str:
    """Without the statement, which an SQLAlchemy error would show with its parameters."""
    cause = (error.orig if isinstance(error, DBAPIError) else None) or error
    said = (isinstance(cause, OSError) and cause.strerror) or str(cause)
    return f"The ledger {path} cannot be used: {said.rstrip('.')}. {_advice(cause)}."


def _advice(cause: BaseException) -> str:
    if isinstance(cause, OSError):
        return ADVICE.get(cause.errno or 0, DISK)
    name = getattr(cause, "sqlite_errorname", "")  # such as SQLITE_READONLY_DIRECTORY
    return ADVICE.get("_".join(name.split("_")[:2]), DISK)
