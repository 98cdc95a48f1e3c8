"""The settings of a command, put in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.settings import Settings


def apply_settings() -> Settings:
    """Read them; where they say so, this process and its children stay offline from now on.

    Raises `SettingsError`.
    """
    from voxgate import offline  # noqa: PLC0415 (help needs neither)
    from voxgate.settings import Settings  # noqa: PLC0415

    settings = Settings.read()
    if settings.offline:
        offline.enforce()
    return settings
