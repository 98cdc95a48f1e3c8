"""`FileFolder`: the bytes of kept files, each named by its id.

A file is locked while it is written and not listed yet. So what a killed process left can be told
from what another one is writing: nobody holds its lock.
"""

from __future__ import annotations

import asyncio
import fcntl
import os
import re
import shutil
from contextlib import asynccontextmanager, suppress
from typing import IO, TYPE_CHECKING, TypeVar
from uuid import uuid4

from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from pathlib import Path

T = TypeVar("T")

COPY_BYTES = 2**20
_ID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")


class FileFolder:
    """One folder, which is created with its first file. Only its user may read it."""

    def __init__(self, path: Path) -> None:
        self._path = path

    @asynccontextmanager
    async def written(self, source: IO[bytes]) -> AsyncIterator[str]:
        """Copy `source` to a new file, whose id is the value. It stays locked within the context.

        It is deleted if the context ends by an exception. Raises `SpoolFullError`.
        """
        id_, file = self._create()
        try:
            await self._copy(source, file)
            yield id_
        except BaseException:
            self.delete(id_)
            raise
        finally:
            file.close()

    def open(self, id_: str) -> IO[bytes]:
        """Open a file, unbuffered. Raises `FileNotFoundError`."""
        return (self._path / id_).open("rb", buffering=0)

    def delete(self, id_: str) -> None:
        """Delete a file, if it is there. Who has opened it reads on."""
        (self._path / id_).unlink(missing_ok=True)

    def unlocked(self) -> Iterator[str]:
        """Return the ids of the files that nobody is writing. Each is locked until the next one.

        What has another name was put there by somebody else.
        """
        for path in self._path.iterdir() if self._path.is_dir() else ():
            if not _ID.fullmatch(path.name):
                continue
            with suppress(FileNotFoundError, BlockingIOError), path.open("rb") as file:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield path.name

    def _create(self) -> tuple[str, IO[bytes]]:
        try:
            self._path.mkdir(mode=0o700, parents=True, exist_ok=True)
            while True:
                id_ = str(uuid4())
                file = open(self._path / id_, "xb", opener=_private)  # noqa: SIM115 (the caller closes it)
                fcntl.flock(file, fcntl.LOCK_EX)
                if os.fstat(file.fileno()).st_nlink:  # not deleted before it was locked
                    return id_, file
                file.close()
        except OSError as error:
            raise self._full(error) from error

    async def _copy(self, source: IO[bytes], target: IO[bytes]) -> None:
        try:
            await in_thread(_copy_all, source, target)
        except OSError as error:
            raise self._full(error) from error

    def _full(self, error: OSError) -> SpoolFullError:
        return SpoolFullError(
            f"The file could not be kept in {self._path} ({error.strerror or error}). Free some "
            f"space there, or name another folder in VOXGATE_HOME."
        )


async def in_thread(function: Callable[..., T], *arguments: object) -> T:
    """Call a function in a thread, and wait for it also when the caller is cancelled.

    A thread cannot be cancelled. Who closed a file under it could let it read from another one.
    """
    calling = asyncio.create_task(asyncio.to_thread(function, *arguments))
    try:
        return await asyncio.shield(calling)
    finally:
        await asyncio.wait({calling})


def _copy_all(source: IO[bytes], target: IO[bytes]) -> None:
    source.seek(0)
    shutil.copyfileobj(source, target, COPY_BYTES)
    target.flush()
    os.fsync(target.fileno())


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)
