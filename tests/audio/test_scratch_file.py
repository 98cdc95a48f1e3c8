"""Unnamed files: in memory while they are short, on disk when they are longer."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
from collections import deque
from contextlib import ExitStack, closing
from pathlib import Path

import pytest

from voxgate.audio.scratch_file import IN_MEMORY_BYTES, MOST_IN_MEMORY, ScratchFile
from voxgate.audio.spool import Spool
from voxgate.errors import SpoolFullError

SEED = 16
linux = pytest.mark.skipif(sys.platform != "linux", reason="memory has descriptors on Linux alone")


def content(file: ScratchFile) -> bytes:
    return os.pread(file.file.fileno(), 4 * IN_MEMORY_BYTES, 0)


def place(file: ScratchFile) -> str:
    return str(Path(f"/proc/self/fd/{file.file.fileno()}").readlink())


@pytest.mark.parametrize("number", range(20))
def test_what_is_written_is_read_wherever_it_lies(number: int, tmp_path: Path) -> None:
    print(f"seed {SEED}, case {number}")
    chance = random.Random(SEED * 1000 + number)
    whole = chance.randbytes(chance.randrange(2 * IN_MEMORY_BYTES))
    with closing(ScratchFile(tmp_path, "x-")) as file:
        done = 0
        while done < len(whole):
            piece = whole[done : done + chance.randrange(1, IN_MEMORY_BYTES)]
            file.write(piece, done)
            done += len(piece)
        assert content(file) == whole
    assert list(tmp_path.iterdir()) == []


@linux
def test_only_what_is_long_is_on_disk(tmp_path: Path) -> None:
    folder = tmp_path / "new"
    with closing(ScratchFile(folder, "x-")) as file:
        file.write(bytes(IN_MEMORY_BYTES), 0)
        assert place(file).startswith("/memfd:")
        assert not folder.exists()
        file.write(b"a", IN_MEMORY_BYTES)
        assert place(file).startswith(str(folder))


@linux
def test_only_so_many_are_in_memory_at_once(tmp_path: Path) -> None:
    with ExitStack() as stack:
        files = [ScratchFile(tmp_path, "x-") for _ in range(MOST_IN_MEMORY)]
        for file in files:
            stack.callback(file.close)
        with closing(ScratchFile(tmp_path, "x-")) as another:
            another.write(b"ab", 0)
            assert place(another).startswith(str(tmp_path))
            assert content(another) == b"ab"
        files[0].move_to_disk()
        files[1].file.close()  # as who takes over an upload does
        for file in [ScratchFile(tmp_path, "x-") for _ in range(2)]:
            stack.callback(file.close)
            assert place(file).startswith("/memfd:")


@linux
def test_a_descriptor_is_the_same_before_and_after_a_move(tmp_path: Path) -> None:
    with closing(ScratchFile(tmp_path, "x-")) as file:
        fd = file.file.fileno()
        file.write(b"ab", 0)
        file.move_to_disk()
        place_on_disk = place(file)
        file.move_to_disk()
        file.write(bytes(IN_MEMORY_BYTES), 2)
        assert os.pread(fd, 3, 0) == b"ab\0"
        assert not os.get_inheritable(fd)
        assert place(file) == place_on_disk != ""


def test_a_thread_that_reads_meanwhile_gets_what_was_written(tmp_path: Path) -> None:
    """Other files are opened at the same time: a descriptor that is closed becomes one of them."""
    sound = b"abcdefgh" * 1000
    spools, ended = deque[Spool](maxlen=1), threading.Event()
    failures = list[object]()

    def read() -> None:
        while not ended.is_set():
            for spool in list(spools):
                try:
                    found = spool.read(0, len(sound) // 2)
                except ValueError as error:
                    failures.append(error)
                else:
                    failures.extend([found[:9]] if found != sound else [])

    reader = threading.Thread(target=read)
    reader.start()
    with ExitStack() as stack:
        for _ in range(300):
            spool = Spool(tmp_path)
            stack.callback(spool.close)
            spool.append(sound)
            spools.append(spool)
            spool.append(bytes(IN_MEMORY_BYTES))
            (tmp_path / "other").write_bytes(b"another caller's")
        ended.set()
        reader.join()
    assert failures == []


def test_a_disk_that_cannot_be_used_loses_nothing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with closing(ScratchFile(tmp_path / "file" / "below", "x-")) as file:
        file.write(b"ab", 0)
        for _ in range(2):
            with pytest.raises(SpoolFullError, match="VOXGATE_SPOOL_DIR"):
                file.write(bytes(IN_MEMORY_BYTES), 2)
        assert content(file) == b"ab"
    with pytest.raises(ValueError, match="closed"):
        file.file.fileno()


def test_a_disk_that_takes_a_part_is_full(tmp_path: Path) -> None:
    """The kernel writes the first part of what is given, and then says so."""
    script = (
        "import io, resource, sys, pathlib\n"
        "from voxgate import Settings\n"
        "from voxgate.audio.source import Source\n"
        "from voxgate.errors import SpoolFullError\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, {2**40}))\n"
        "try:\n"
        "    Source.open(bytes(300_001), Settings(spool_dir=pathlib.Path(sys.argv[1])))\n"
        "except SpoolFullError as error:\n"
        "    print(error.sentence)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    assert "Free some space" in done.stdout
