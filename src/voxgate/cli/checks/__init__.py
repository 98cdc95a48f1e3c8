"""What `voxgate doctor` looks at: each check says what it found, and how to mend it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks import libraries, machine, models, places, settings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.cli.checks.check import Check
    from voxgate.settings import Settings


def still(given: Settings) -> Iterator[Check]:
    """All that can be told without starting anything."""
    yield from libraries.checks()
    yield from machine.checks()
    yield from places.checks(given)
    yield from models.checks()
    yield from settings.checks(given)
