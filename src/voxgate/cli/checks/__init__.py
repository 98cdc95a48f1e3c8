"""What `voxgate doctor` looks at: each check says what it found, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks import gpu, libraries, machine, memory, models, places, settings, voxtral

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.cli.checks.check import Check
    from voxgate.settings import Settings


def still(given: Settings) -> Iterator[Check]:
    """All that can be told without starting anything."""
    yield from libraries.checks()
    yield from machine.checks()
    yield from memory.checks(given)
    yield from places.checks(given)
    yield from voxtral.checks()
    yield from gpu.checks(given)
    yield from models.checks(given)
    yield from settings.checks(given)
