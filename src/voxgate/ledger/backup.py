"""`back_up`: copy a SQLite ledger while servers write it."""

from __future__ import annotations

import errno
import os
import shlex
import sqlite3
from contextlib import closing, suppress
from typing import TYPE_CHECKING

from voxgate.errors import OutputError, UsageError
from voxgate.ledger.errors import ledger_errors
from voxgate.ledger.inspection import check_exists

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.ledger.address import Address

PAGES = 4096
"""Pages between two moments at which a signal can end the copy: 16 MiB."""

READING = (
    *("SQLITE_CORRUPT", "SQLITE_NOTADB", "SQLITE_IOERR_READ", "SQLITE_IOERR_SHORT_READ"),
    "SQLITE_IOERR_SHM",
)
"""How the names of errors begin that are of the ledger; any other is of its copy."""

LINKLESS = (errno.EPERM, errno.EOPNOTSUPP, errno.EMLINK)
"""The errors of a file system without hard links, such as that of a memory stick."""


def back_up(address: Address, target: Path) -> int:
    """Copy a ledger into a new file (0600), as it is now, and return the copy's bytes.

    Writers go on meanwhile. What is unfinished has the name `target` with `.part`, and is deleted
    when this ends early. Raises `UsageError` for a file that exists, and for a PostgreSQL server,
    with the command that does it there; `OutputError` where the copy cannot be written;
    `LedgerError` where the ledger cannot be read.
    """
    if address.path is None:
        raise UsageError(
            f"The ledger is in PostgreSQL, which has its own tool for backups. Run: "
            f"`{dump_command(address, target)}`"
        )
    check_exists(address)
    if os.path.lexists(target):
        raise _exists(target)
    part = target.with_name(f"{target.name}.part")
    try:
        os.close(os.open(part, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
    except OSError as error:
        raise OutputError(
            f"{part} cannot be created: {error.strerror}. Delete it if it is what another backup "
            f"left, or name a file elsewhere."
        ) from error
    try:
        with ledger_errors(address), closing(_opened(address.path)) as source:
            _copy(source, part)
        size = part.stat().st_size
        _name(part, target)
    except FileExistsError as error:
        raise _exists(target) from error
    except OSError as error:
        raise _unwritable(target, error.strerror) from error
    finally:
        with suppress(OSError):  # it was renamed, or the error of its disk is raised already
            part.unlink()
    return size


def dump_command(address: Address, target: Path) -> str:
    """Return the command that backs up a database of a PostgreSQL server.

    It has no password: every user of a machine can read the arguments of its processes.
    """
    url = address.without_passwords.render_as_string()
    return shlex.join(["pg_dump", "--format=custom", f"--file={target}", url])


def _opened(path: Path) -> sqlite3.Connection:
    """Return a connection that sees the ledger as it is now, whatever is written later."""
    connection = sqlite3.connect(path, isolation_level=None)
    connection.execute("BEGIN")
    connection.execute("SELECT count(*) FROM sqlite_master")  # a transaction begins as it reads
    return connection


def _copy(source: sqlite3.Connection, target: Path) -> None:
    try:
        with closing(sqlite3.connect(target)) as copy:
            source.backup(copy, pages=PAGES, progress=lambda *_: None)  # Python notes signals in it
    except sqlite3.Error as error:
        if getattr(error, "sqlite_errorname", "").startswith(READING):
            raise
        raise _unwritable(target, str(error)) from error


def _name(part: Path, target: Path) -> None:
    """Give a complete copy its name. Raises `FileExistsError` where it was taken meanwhile."""
    try:
        os.link(part, target)  # a rename would overwrite what is there
    except OSError as error:
        if error.errno not in LINKLESS:
            raise
        os.close(os.open(target, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
        try:
            part.rename(target)
        except OSError:
            target.unlink()
            raise


def _exists(target: Path) -> UsageError:
    return UsageError(f"{target} exists. Name a file that does not: nothing is overwritten.")


def _unwritable(target: Path, reason: str | None) -> OutputError:
    return OutputError(
        f"{target} cannot be written: {reason}. Check its disk and the space there, or name a file "
        f"elsewhere."
    )
