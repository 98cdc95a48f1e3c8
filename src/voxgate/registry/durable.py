"""Writing so that a crash at any moment leaves what was, or what is wanted, and nothing between."""

from __future__ import annotations

import os
from contextlib import contextmanager
from errno import EDQUOT, ENOSPC
from typing import TYPE_CHECKING

from voxgate.errors import DiskFullError, RegistryError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def write(path: Path, text: str) -> None:
    """Replace a file's content: the old or the new is there, whatever happens."""
    draft = path.with_name(f".{path.name}.draft")  # one name: who is killed leaves one at most
    with draft.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    move(draft, path)


def move(source: Path, target: Path) -> None:
    """Rename on one disk, and have the disk know it."""
    source.rename(target)
    sync(target.parent)


def sync(path: Path) -> None:
    """Have the disk know a file's bytes, or a folder's names."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


@contextmanager
def told(place: Path) -> Iterator[None]:
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
