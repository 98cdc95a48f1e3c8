"""The `Recogniser` protocol: a loaded model inside an engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from voxgate.engine.capabilities import Capabilities
    from voxgate.engine.scheduler import Scheduler


class Recogniser(Protocol):
    """A model that is ready to work."""

    @property
    def name(self) -> str:
        """The model's full name."""

    @property
    def capabilities(self) -> Capabilities:
        """What it can do."""

    def scheduler(self) -> Scheduler:
        """Begin to work: whoever takes windows for this model from now on. Once.

        It gives events of each window of mono PCM16LE at 16 kHz, ending with `Done`. A step must
        stay well below the engine's patience (`Settings.engine_patience_s`). The same window gives
        the same text, whatever comes before it or with it.
        """
