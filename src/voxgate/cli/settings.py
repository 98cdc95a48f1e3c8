"""Read the settings of a command and apply them to its process."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from voxgate.settings import Settings


def apply_settings() -> Settings:
    """Return the settings; with `offline`, block the network in this process and its children.

    Raises `SettingsError`.
    """
    from voxgate import offline  # noqa: PLC0415 (help needs neither)
    from voxgate.settings import Settings  # noqa: PLC0415

    settings = Settings.read()
    if settings.offline:
        offline.enforce()
    return settings
