from __future__ import annotations

import asyncio
import fcntl
import io
import os
from typing import TYPE_CHECKING

import pytest

from tests.processes import until
from voxgate.api.files.folder import FileFolder
from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path


def names(path: Path) -> list[str]:
    return sorted(each.name for each in path.iterdir())


async def test_a_file_is_locked_until_its_context_ends(tmp_path: Path) -> None:
    files = FileFolder(tmp_path / "files")
    assert list(files.unlocked()) == []
    async with files.written(io.BytesIO(b"sound")) as id_:
        assert list(FileFolder(tmp_path / "files").unlocked()) == []
    assert list(files.unlocked()) == [id_]
    with files.open(id_) as file:
        files.delete(id_)
        files.delete(id_)
        assert file.read() == b"sound"
    with pytest.raises(FileNotFoundError):
        files.open(id_)


async def test_nothing_is_left_of_a_failure(tmp_path: Path) -> None:
    files = FileFolder(tmp_path)
    with pytest.raises(KeyError):
        async with files.written(io.BytesIO(b"sound")):
            raise KeyError
    assert names(tmp_path) == []
    closed = io.BytesIO()
    closed.close()
    with pytest.raises(ValueError, match="closed"):
        async with files.written(closed):
            pass
    assert names(tmp_path) == []


async def test_a_full_disk(tmp_path: Path) -> None:
    class Full(io.BytesIO):
        def read(self, *_: object) -> bytes:
            raise OSError(28, os.strerror(28))

    with pytest.raises(SpoolFullError, match="VOXGATE_HOME"):
        async with FileFolder(tmp_path).written(Full()):
            pass
    assert names(tmp_path) == []
    (tmp_path / "file").touch()
    with pytest.raises(SpoolFullError, match="Not a directory"):
        async with FileFolder(tmp_path / "file" / "files").written(io.BytesIO()):
            pass


async def test_a_caller_who_is_cancelled_waits_for_the_copy(tmp_path: Path) -> None:
    reading, ending = os.pipe()

    async def keep() -> None:
        async with FileFolder(tmp_path).written(Pipe()):
            pytest.fail("it was cancelled")

    class Pipe(io.BytesIO):
        def read(self, *_: object) -> bytes:
            return os.read(reading, 1)

    keeping = asyncio.create_task(keep())
    await until(lambda: len(names(tmp_path)) == 1, "the file")
    keeping.cancel()
    await asyncio.sleep(0)
    assert not keeping.done()
    os.close(ending)
    with pytest.raises(asyncio.CancelledError):
        await keeping
    os.close(reading)
    assert names(tmp_path) == []


async def test_a_file_that_is_deleted_before_it_is_locked_is_made_anew(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As another server does, which finds it without a lock at its start."""
    lock, deleted = fcntl.flock, list[str]()

    def slow_lock(file: io.FileIO, how: int) -> None:
        if not deleted:
            deleted.extend(names(tmp_path))
            (tmp_path / deleted[0]).unlink()
        lock(file, how)

    monkeypatch.setattr(fcntl, "flock", slow_lock)
    async with FileFolder(tmp_path).written(io.BytesIO(b"sound")) as id_:
        assert names(tmp_path) == [id_]
        assert deleted != [id_]
