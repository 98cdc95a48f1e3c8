from __future__ import annotations

import contextlib
import resource
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from voxgate.audio.scratch_file import IN_MEMORY_BYTES
from voxgate.audio.spool import Spool
from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path


def test_appended_samples_can_be_read_from_a_file_without_a_name(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "new")
    spool.append(b"abcd")
    spool.append(b"efgh")
    assert spool.samples == 4
    assert spool.read(1, 3) == b"cdef"
    spool.append(b"ij" * IN_MEMORY_BYTES)
    assert spool.read(1, 6) == b"cdefghijij"
    assert list((tmp_path / "new").iterdir()) == []
    spool.close()
    spool.close()


@pytest.mark.parametrize(("start", "end"), [(-1, 1), (0, 3), (2, 1)])
def test_samples_outside_of_the_spool_cannot_be_read(start: int, end: int, tmp_path: Path) -> None:
    with contextlib.closing(Spool(tmp_path)) as spool:
        spool.append(b"abcd")
        with pytest.raises(ValueError, match="not in a spool"):
            spool.read(start, end)


def test_a_folder_that_cannot_be_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with contextlib.closing(Spool(tmp_path / "file" / "folder")) as spool:
        spool.append(b"ab")
        with pytest.raises(SpoolFullError, match="VOXGATE_SPOOL_DIR"):
            spool.append(bytes(IN_MEMORY_BYTES))
        assert spool.read(0, spool.samples) == b"ab"


def test_a_write_that_fails_in_the_middle(tmp_path: Path) -> None:
    """The kernel refuses the rest of a write, because of a limit on the file's size."""
    script = (
        "import resource, sys, pathlib\n"
        "from voxgate.audio.spool import Spool\n"
        "from voxgate.errors import SpoolFullError\n"
        "spool = Spool(pathlib.Path(sys.argv[1]))\n"
        f"resource.setrlimit(resource.RLIMIT_FSIZE, (10_000, {resource.RLIM_INFINITY}))\n"
        "try:\n"
        "    for _ in range(10): spool.append(bytes(3000))\n"
        "except SpoolFullError as error:\n"
        "    print(spool.samples, error.sentence)\n"
    )
    result = subprocess.run(
        [sys.executable, "-c", script, tmp_path], capture_output=True, text=True, check=True
    )
    samples, sentence = result.stdout.split(" ", 1)
    assert samples == "4500"
    assert "Free some space" in sentence
