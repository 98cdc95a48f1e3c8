"""The models on this machine: fetched, added or imported, named, checked and removed.

Imports no torch, and the hub's client only when something is pulled. What lies where, and why, is
in docs/decisions/0011-registry.md.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.settings import Settings


def resolve(name: str, settings: Settings) -> Path:
    """The folder of the installed model that a name or an alias stands for, ready to be loaded.

    Raises `UnknownModelError`, `NoWeightsError` for an alias of which nothing is installed, and
    `ChangedCheckpointError` for files that are not those that were installed.
    """
    from voxgate.registry.registry import Registry  # noqa: PLC0415 (importing this imports little)

    registry = Registry.open(settings)
    record = registry.find(name)
    registry.healthy(record)
    return record.folder
