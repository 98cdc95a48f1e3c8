"""The settings in force that are not the default."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.errors import SettingsError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


def checks(settings: Settings) -> Iterator[Check]:
    """All of them in a line, and what they say of the network."""
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
    offline = "offline: no socket leaves this machine"
    yield Check("network", "ok", offline if settings.offline else "free to use: not offline")
