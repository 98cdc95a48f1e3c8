"""How much memory there is for models: the machine's, a container's, and what is free of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.settings import Settings


def checks(settings: Settings) -> Iterator[Check]:
    """One line. Whether it is enough is a question of each model."""
    found = f"{format_bytes(total_bytes())}, {format_bytes(free_bytes())} of it free"
    if settings.engine_memory_bytes < total_bytes():
        found += f"; engines may take {format_bytes(settings.engine_memory_bytes)}"
    yield Check("memory", "ok", found)
