"""`ModelLoads`: models that are loaded before anybody asks for them, in the background."""

from __future__ import annotations

import asyncio
import logging
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError
from voxgate.models.catalogue import check_local

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable

    from voxgate.pipeline.session import Session

log = logging.getLogger(__name__)


class ModelLoads:
    """Loads the models of this machine. Others are told by the engines that run."""

    def __init__(self, session: Session) -> None:
        self._session = session
        self._tasks: dict[str, asyncio.Task[None]] = {}
        self.failures: dict[str, str] = {}
        """Why a model could not be loaded, by its name, until it is loaded again."""

    @property
    def running(self) -> list[str]:
        """The models that are being loaded."""
        return [name for name, task in self._tasks.items() if not task.done()]

    async def begin(self, model: str) -> str:
        """Begin to load a model, unless that goes on already. Return its name.

        Raises as `Session.resolve` does, and `EngineStartError` for a model whose packages are not
        installed, or which is not on this machine.
        """
        spec = await self._session.resolve(model, folders=False)
        check_local(spec)
        provider = self._session.provider(spec)
        if spec.name not in self.running:
            self.failures.pop(spec.name, None)
            self._tasks[spec.name] = asyncio.create_task(self._load(spec.name, provider.warm()))
        return spec.name

    @asynccontextmanager
    async def ended(self) -> AsyncIterator[None]:
        """End what goes on with the context."""
        try:
            yield
        finally:
            for task in self._tasks.values():
                task.cancel()
            if self._tasks:
                await asyncio.wait(self._tasks.values())

    async def _load(self, name: str, loading: Awaitable[None]) -> None:
        try:
            await loading
        except VoxgateError as error:
            log.warning("%s is not loaded: %s", name, error.sentence)
            self.failures[name] = error.sentence
        except Exception:  # a bug, which the page must not take for a model that is there
            log.exception("%s is not loaded", name)
            self.failures[name] = "This is a bug. The log says why: please report it."
