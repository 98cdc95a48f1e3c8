"""A loaded model inside an engine's process: the `Backend` and `Scheduler` protocols.

`GroupScheduler` gives the model groups of waiting windows, each in one call, as Whisper requires.
`BatchScheduler` takes one step for many windows at once, as Voxtral allows.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, NamedTuple, Protocol

from voxgate.models.catalogue import check_installed, check_local

if TYPE_CHECKING:
    from voxgate.engine.queue import Request
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec


class BatchFill(NamedTuple):
    """How full the steps of a scheduler have been since its start."""

    slots: int  # the most windows that one step may have
    steps: int = 0
    windows: int = 0  # in all steps together
    proposed: int = 0  # tokens of drafts that were checked
    accepted: int = 0  # those of them that were right

    def after(self, windows: int) -> BatchFill:
        """Return it after one more step, of so many windows."""
        return self._replace(steps=self.steps + 1, windows=self.windows + windows)

    def with_draft(self, proposed: int, accepted: int) -> BatchFill:
        """Return it after so many tokens of drafts were checked in a step, and were right."""
        return self._replace(proposed=self.proposed + proposed, accepted=self.accepted + accepted)


class Backend(Protocol):
    """A model that is loaded and ready."""

    @property
    def name(self) -> str:
        """The model's full name."""

    @property
    def capabilities(self) -> Capabilities:
        """What the model can do."""

    def scheduler(self) -> Scheduler:
        """Start and return the scheduler of this model's requests. Call it once.

        Its events for a window of mono PCM16LE at 16 kHz end with `Done`, those for a question with
        `Answered`. A step must take much less time than the engine's patience
        (`Settings.engine_patience_s`). Equal requests give equal text, whatever comes before them
        or shares their steps.
        """


class Scheduler(Protocol):
    """Accepts requests from any thread and works on them in its own threads. Knows no HTTP.

    A request is a window or, for a model that answers, a question. Those of a kind are served in
    the order of their arrival. An error in one request ends only that request: it is logged and
    passed to the request's `on_end`.
    """

    @property
    def active(self) -> int:
        """Requests in progress, including cancelled ones that have not reached their next step."""

    @property
    def queued(self) -> int:
        """Requests that wait."""

    @property
    def step_age_s(self) -> float | None:
        """Seconds since the last step, which show a stall; None when idle."""

    @property
    def fill(self) -> BatchFill:
        """How full its steps have been: calls of the model for one or several windows."""

    def add(self, request: Request) -> None:
        """Queue a request.

        Raise `EngineError` (`engine_busy`) when the queue is full, or after `stop`, and
        `UsageError` (`unsupported_option`) for a question to a model that does not answer.
        """

    def cancel(self, request: Request) -> None:
        """Remove a waiting request, or stop one in progress at its next step."""

    def stop(self, timeout_s: float) -> None:
        """Cancel all requests and end the threads; wait at most `timeout_s` for each thread."""


def load_model(spec: ModelSpec) -> Backend:
    """Load the model into this process. Takes seconds and as much memory as the model needs.

    Raises `EngineStartError` (`no_endpoints`) when something is not installed, `UsageError` for a
    model that is not on this machine, and any error of the model's library.
    """
    check_installed(spec)
    module, _, function = check_local(spec).partition(":")
    backend: Backend = getattr(import_module(module), function)(spec)
    return backend
