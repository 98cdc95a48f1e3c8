"""`Rooms`: a room for each device: a model on a card takes no memory from those on a processor."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.providers.room import Room

if TYPE_CHECKING:
    from voxgate.settings import Settings


class Rooms:
    """The machine's and its cards', each made when its first model comes. Of one event loop."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._rooms: dict[str, Room] = {}

    def of(self, device: str) -> Room:
        """That of `cpu` or `cuda:N`."""
        if device not in self._rooms:
            self._rooms[device] = Room.of(self._settings, device)
        return self._rooms[device]
