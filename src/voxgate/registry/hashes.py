"""The two hashes that files are known by: SHA-256, and git's own for what lies in no LFS."""

from __future__ import annotations

from hashlib import file_digest, sha1, sha256
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import BinaryIO


def sha256_of(path: Path) -> str:
    """Of a file's content; about a second a gigabyte."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """What git calls a file's content."""
    digest = sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return file_digest(file, lambda: digest).hexdigest()


class HashingReader:
    """A file that is hashed as it is read; `moved` is told the bytes that were read so far."""

    def __init__(self, source: BinaryIO, moved: Callable[[int], None]) -> None:
        self._source, self._moved = source, moved
        self._digest, self._done = sha256(), 0

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def read(self, nbytes: int = -1) -> bytes:
        """As a file's."""
        data = self._source.read(nbytes)
        self._digest.update(data)
        self._done += len(data)
        self._moved(self._done)
        return data
