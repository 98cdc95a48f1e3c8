"""Writing so that a crash at any moment leaves what was, or what is wanted, and nothing between."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING

from voxgate.errors import DiskFullError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replace a file's content: the old or the new is there, whatever happens."""
    draft = path.with_name(f".{path.name}.draft")  # one name: who is killed leaves one at most
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    durable_rename(draft, path)


def durable_rename(source: Path, target: Path) -> None:
    """Rename on one disk, and have the disk know it."""
    source.rename(target)
    fsync_path(target.parent)


def fsync_path(path: Path) -> None:
    """Have the disk know a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def store_errors(place: Path) -> Iterator[None]:
    """Turn the system's refusals into `DiskFullError` and `RegistryError`, naming the place."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        where = error.filename or place
        if error.errno in {ENOSPC, EDQUOT}:
            raise DiskFullError(
                f"{where} cannot be written: {reason}. Free some space, or name a folder on a "
                f"larger disk in VOXGATE_HOME."
            ) from error
        raise RegistryError(
            f"{where} cannot be used: {reason}. Models lie in {place}; see that it can be read and "
            f"written, or name another folder in VOXGATE_HOME."
        ) from error


# MERGED registry.lock
# `file_lock`: one process at a time, and no lock that outlives its process.


@contextmanager
def file_lock(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold the lock of that name; `on_wait` is called once before waiting for somebody else.

    The kernel drops it when its process ends, however it ends. The file goes with the lock: who
    has waited for a file that is gone tries the next one.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _take(descriptor, on_wait)
            if _is_at(descriptor, path):
                try:
                    yield
                    return
                finally:
                    path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _take(descriptor: int, on_wait: Callable[[], None]) -> None:
    with suppress(BlockingIOError):
        return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    on_wait()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return None


def _is_at(descriptor: int, path: Path) -> bool:
    ours = os.fstat(descriptor)
    try:
        there = path.stat()
    except FileNotFoundError:
        return False
    return (ours.st_dev, ours.st_ino) == (there.st_dev, there.st_ino)
