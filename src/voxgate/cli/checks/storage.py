"""The checks of the folders for decoded sound and for models, and of their free space."""

from __future__ import annotations

import shutil
from contextlib import closing
from typing import TYPE_CHECKING

from voxgate.audio.scratch_file import ScratchFile
from voxgate.cli.checks.check import Check
from voxgate.cli.file_writing import check_writable
from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.settings import Settings

HOUR_BYTES = 3600 * 32_000  # of decoded sound
SPOOL_FIX = "VOXGATE_SPOOL_DIR=/a/folder/on/a/disk/with/space"


def check_spool(settings: Settings) -> Check:
    """Write a second of sound, and return the free space."""
    folder = settings.spool_dir
    try:
        with closing(ScratchFile(folder, "check-")) as file:
            file.move_to_disk()
            file.write(bytes(32_000), 0)
    except SpoolFullError as error:
        return Check("spool", "problem", error.sentence, SPOOL_FIX)
    free = shutil.disk_usage(folder).free
    found = f"{folder}, writable, {free / 1e9:.1f} GB free: {free / HOUR_BYTES:,.1f} hours of sound"
    if free < HOUR_BYTES:
        return Check("spool", "note", found, SPOOL_FIX)
    return Check("spool", "ok", found)


def check_home(settings: Settings) -> Check:
    """Return whether the home can be written, and the free space."""
    existing = settings.home
    while not existing.exists() and existing != existing.parent:
        existing = existing.parent
    free = f"{shutil.disk_usage(existing).free / 1e9:.1f} GB free"
    if _can_write(existing):
        status = "" if existing == settings.home else ", not created yet"
        return Check("home", "ok", f"{settings.home}, writable, {free}{status}")
    # A note: the configuration file is read there, and transcription writes nothing there.
    mend = "VOXGATE_HOME=/a/folder/of/yours"
    return Check("home", "note", f"{settings.home} cannot be written to by this user", mend)


def _can_write(folder: Path) -> bool:
    """Try it: permissions do not tell, as in /proc and on file systems that are read-only."""
    try:
        check_writable(folder)
    except OSError:
        return False
    return True
