"""The `Backend` protocol: a loaded model inside an engine's process."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from voxgate.engine.queue import WindowRequest
    from voxgate.models.capabilities import Capabilities


# MERGED engine.scheduler
# The `Scheduler` protocol: what an engine does with the windows that it is given.
#
# Two fulfil it. `ThreadScheduler` works on each window by itself, as PocketSphinx has to; `Batch`
# takes one
# step for many windows at once, as Voxtral can.


class Scheduler(Protocol):
    """Takes windows, from any thread, and works on them in threads of its own. Knows no HTTP.

    Windows of the live lane come first, and within a lane who came first. What goes wrong with a
    window ends it alone: it is logged, and handed to its `end`.
    """

    @property
    def active(self) -> int:
        """Windows in work, those that were cancelled and have not reached a step included."""

    @property
    def queued(self) -> int:
        """Windows that wait."""

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last step, by which a standstill shows; None when idle."""

    def add(self, work: WindowRequest) -> None:
        """Take a window. Raises `EngineBusyError` when too many wait, or after `stop`."""

    def cancel(self, work: WindowRequest) -> None:
        """Take waiting work out; let work in hand stop at its next step. Finished work: nothing."""

    def stop(self, timeout_s: float) -> None:
        """Cancel everything and end the threads, waiting `timeout_s` at most for each."""


class Backend(Protocol):
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
