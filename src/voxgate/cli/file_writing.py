"""Write a file completely or not at all, and say why it cannot be written."""

from __future__ import annotations

import errno
import os
from contextlib import suppress
from secrets import token_hex
from tempfile import TemporaryFile
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

WRITE_ADVICE = {
    errno.ENOSPC: "Free some space there",
    errno.EDQUOT: "Free some space there",
    errno.EACCES: "Give this user write permission",
    errno.EPERM: "Give this user write permission",
    errno.ENAMETOOLONG: "Choose a shorter name",
    errno.EISDIR: "Move away what has its name",
    errno.EEXIST: "Move away what has its name",
    errno.ENOTDIR: "Move away what has its name",
}


def replace_file(path: Path, content: bytes) -> bool:
    """Write a file beside `path`, then rename it, so that nobody reads half a transcript.

    Return whether there was one before. Raises `OSError`.
    """
    replaces = path.exists()
    beside = path.with_name(f".voxgate-{token_hex(8)}.part")
    try:
        with beside.open("xb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        beside.replace(path)
    except OSError:
        with suppress(OSError):
            beside.unlink()
        raise
    return replaces


def check_writable(folder: Path) -> None:
    """Raise `OSError` for a folder in which no file can be written."""
    with TemporaryFile(dir=folder, prefix=".voxgate-"):
        pass


def writing_failure(what: str, error: OSError) -> str:
    """Return what failed, why, and what to do."""
    advice = WRITE_ADVICE.get(error.errno or 0)
    another = "or name another folder with -o" if advice else "Name another folder with -o"
    return f"{what}: {error.strerror}. {', '.join(filter(None, (advice, another)))}."
