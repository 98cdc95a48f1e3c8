"""The `Scheduler` protocol: what an engine does with the windows that it is given.

Two fulfil it. `OneByOne` works on each window by itself, as PocketSphinx has to; `Batch` takes one
step for many windows at once, as Voxtral can.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from voxgate.engine.work import Work


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

    def add(self, work: Work) -> None:
        """Take a window. Raises `EngineBusyError` when too many wait, or after `stop`."""

    def cancel(self, work: Work) -> None:
        """Take waiting work out; let work in hand stop at its next step. Finished work: nothing."""

    def stop(self, timeout_s: float) -> None:
        """Cancel everything and end the threads, waiting `timeout_s` at most for each."""
