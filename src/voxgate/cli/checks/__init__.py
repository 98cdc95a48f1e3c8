"""What `voxgate doctor` looks at: each check says what it found, and how to mend it."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate import __version__
from voxgate.cli.checks import libraries, machine, models, places, processors
from voxgate.cli.checks.check import Check
from voxgate.errors import SettingsError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Check", "still"]


def still(settings: Settings) -> Iterator[Check]:
    """All that can be told without starting anything."""
    yield Check("voxgate", "ok", __version__)
    yield from machine.checks()
    yield from libraries.checks()
    yield from processors.checks()
    yield from places.checks(settings)
    yield from models.checks(settings)
    yield _changed(settings)


def _changed(settings: Settings) -> Check:
    try:
        default = Settings()
    except SettingsError:  # no temporary folder: the spool's has been named
        default = Settings(spool_dir=Path())
    changed = [
        f"{field.name} = {getattr(settings, field.name)}"
        for field in fields(Settings)
        if getattr(settings, field.name) != getattr(default, field.name)
    ]
    return Check("settings", "ok", ", ".join(changed) or "all as they come")
