"""Where decoded sound and models lie, and whether there is room."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from voxgate.audio.spool import Spool
from voxgate.cli.checks.check import Check
from voxgate.errors import SpoolFullError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings

HOUR_BYTES = 3600 * 32_000  # of decoded sound
LARGER = "VOXGATE_SPOOL_DIR=/a/folder/on/a/disk/with/space"


def checks(settings: Settings) -> Iterator[Check]:
    """The spool and the home."""
    yield _spool(settings)
    yield _home(settings)


def _spool(settings: Settings) -> Check:
    """Whether decoded sound can be kept: it is tried."""
    folder = settings.spool_dir
    try:
        spool = Spool(folder)
        try:
            spool.append(bytes(32_000))
        finally:
            spool.close()
    except SpoolFullError as error:
        return Check("spool", "problem", error.sentence, LARGER)
    free = shutil.disk_usage(folder).free
    found = f"{folder}, writable, {free / 1e9:.1f} GB free: {free / HOUR_BYTES:,.1f} hours of sound"
    if free < HOUR_BYTES:
        return Check("spool", "note", found, LARGER)
    return Check("spool", "ok", found)


def _home(settings: Settings) -> Check:
    at = settings.home
    while not at.exists() and at != at.parent:
        at = at.parent
    free = f"{shutil.disk_usage(at).free / 1e9:.1f} GB free"
    if at.is_dir() and os.access(at, os.W_OK | os.X_OK):
        there = "" if at == settings.home else ", not made yet"
        return Check("home", "ok", f"{settings.home}, writable, {free}{there}")
    # Only the settings file is looked for there: nothing needs to be written.
    mend = "VOXGATE_HOME=/a/folder/of/yours"
    return Check("home", "note", f"{settings.home} cannot be written to by this user", mend)
