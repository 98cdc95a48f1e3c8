"""Durable writes and locks: a crash at any moment leaves the old state or the new one."""

from __future__ import annotations

import fcntl
import os
from contextlib import contextmanager, suppress
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING

from voxgate.errors import RegistryError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path


def replace_text(path: Path, text: str) -> None:
    """Replace a file's content so that readers find the old text or the new text."""
    draft = path.with_name(f".{path.name}.draft")  # a fixed name: killed processes leave one file
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    durable_rename(draft, path)


def durable_rename(source: Path, target: Path) -> None:
    """Rename within one file system, and flush the rename to the disk."""
    source.rename(target)
    fsync_path(target.parent)


def fsync_path(path: Path) -> None:
    """Flush a file's bytes, or a folder's names, to the disk."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def store_errors(folder: Path) -> Iterator[None]:
    """Turn an `OSError` into a `disk_full` error or `RegistryError`, which name the path."""
    try:
        yield
    except OSError as error:
        reason = error.strerror or str(error)
        path = error.filename or folder
        if error.errno in {ENOSPC, EDQUOT}:
            raise VoxgateError(
                f"{path} cannot be written: {reason}. Free some space, or name a folder on a "
                f"larger disk in VOXGATE_HOME.",
                code="disk_full",
            ) from error
        raise RegistryError(
            f"{path} cannot be used: {reason}. Models are stored in {folder}: make it readable and "
            f"writable, or name another folder in VOXGATE_HOME."
        ) from error


@contextmanager
def file_lock(path: Path, on_wait: Callable[[], None] = lambda: None) -> Iterator[None]:
    """Hold an exclusive lock on `path`; call `on_wait` once before waiting for another holder.

    The kernel drops the lock when its process ends, however it ends. The file is deleted with the
    lock, so a waiter that got the lock of a deleted file tries again with the next one.
    """
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        try:
            _acquire(descriptor, on_wait)
            if _is_same_file(descriptor, path):
                try:
                    yield
                    return
                finally:
                    path.unlink(missing_ok=True)
        finally:
            os.close(descriptor)


def _acquire(descriptor: int, on_wait: Callable[[], None]) -> None:
    with suppress(BlockingIOError):
        return fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    on_wait()
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    return None


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Return whether `path` is still the file of this descriptor."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except FileNotFoundError:
        return False
