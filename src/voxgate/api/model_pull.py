"""`ModelPull`: a model that the server gets from the hub in the background, one at a time."""

from __future__ import annotations

import asyncio
import logging
import os
import threading
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.models.store.progress import StoreProgress
from voxgate.models.store.pull import check_network, pull_model
from voxgate.models.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import AsyncIterator
    from datetime import datetime

    from voxgate.settings import Settings

STOP_S = 5.0
"""How long the end of a server waits for a pull that was cancelled. What was fetched is kept."""

log = logging.getLogger(__name__)


class PullCancelledError(VoxgateError):
    """Somebody cancelled the pull."""

    default_code = "abandoned"


@dataclass(frozen=True, slots=True)
class PullState:
    """A pull that goes on, or the last one. Bytes are those of all files of the model."""

    name: str
    began_at: datetime = field(default_factory=utc_now)
    message: str = "asking the hub"
    file: str = ""  # the one that comes now
    done: int = 0
    total: int | None = None  # None until it is known
    ended_at: datetime | None = None
    installed: str | None = None  # the model's name and revision, once it is there
    failure: str | None = None  # the sentence that says why it is not


class ModelPull:
    """The pulls of a server. A process that ends, ends them: the next one goes on from there."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._thread: threading.Thread | None = None
        self._cancelled = threading.Event()
        self.state: PullState | None = None

    @property
    def running(self) -> bool:
        """Whether a model is being pulled."""
        return self.state is not None and self.state.ended_at is None

    def begin(self, name: str, revision: str | None = None) -> None:
        """Begin to pull a model. Raises `UsageError` while another one is pulled."""
        if self.state is not None and self.state.ended_at is None:
            raise UsageError(
                f"{self.state.name} is being pulled, and one model is pulled at a time. Wait for "
                f"its end, or cancel it."
            )
        check_network(self._settings, name)
        self.state = PullState(name)
        self._cancelled.clear()
        # As a daemon: a hub that does not answer must not hold up the end of the process.
        self._thread = threading.Thread(
            target=self._pull, args=(name, revision), name="voxgate pull", daemon=True
        )
        self._thread.start()

    def cancel(self) -> None:
        """End the pull at its next bytes."""
        self._cancelled.set()
        if self.running:
            self._say("being cancelled")

    @asynccontextmanager
    async def ended(self) -> AsyncIterator[None]:
        """End the pull with the context."""
        try:
            yield
        finally:
            self.cancel()
            if self._thread is not None:
                await asyncio.to_thread(self._thread.join, STOP_S)

    def _pull(self, name: str, revision: str | None) -> None:
        progress = StoreProgress(on_message=self._say, on_bytes=self._count)
        registry, token = Registry.open(self._settings), os.environ.get("HF_TOKEN") or None
        try:
            record = pull_model(registry, name, revision, token, progress)
        except VoxgateError as error:
            self._note(failure=error.sentence)
        except Exception:  # a bug, which must not look like a pull that goes on
            log.exception("the pull of a model failed")
            self._note(failure="The pull failed. The log says why: please report it.")
        else:
            self._note(installed=f"{record.name} at {record.revision[:12]}")

    def _note(self, *, failure: str | None = None, installed: str | None = None) -> None:
        if self.state is not None:
            self.state = replace(
                self.state, ended_at=utc_now(), failure=failure, installed=installed
            )

    def _say(self, sentence: str) -> None:
        if self.state is not None:
            self.state = replace(self.state, message=sentence)

    def _count(self, file: str, done: int, total: int) -> None:
        if self._cancelled.is_set():
            raise PullCancelledError(
                f"Cancelled. What was fetched of {self.state and self.state.name} is kept: pull it "
                f"again, and it goes on from there."
            )
        if self.state is not None:
            self.state = replace(self.state, file=file, done=done, total=total)
