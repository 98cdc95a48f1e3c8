"""Serving an app on a Unix socket that only its owner may open."""

from __future__ import annotations

import asyncio
import math
import os
import socket
from contextlib import contextmanager, suppress
from typing import TYPE_CHECKING

import uvicorn

from voxgate.engine.protocol import HEAD_BYTES
from voxgate.errors import EngineStartError

if TYPE_CHECKING:
    import signal
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette


@contextmanager
def listening(path: Path) -> Iterator[socket.socket]:
    """A listening socket at `path` with mode 0600, removed again at the end.

    A socket that a dead engine left behind is replaced. Raises `EngineStartError` when somebody
    listens there, or when the place cannot be used (104 bytes is the longest path on macOS).
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        try:
            _remove_dead(path)
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
        except OSError as error:
            raise EngineStartError(f"No socket can be made at {path} ({error}).") from error
        listener.listen()
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


class Server(uvicorn.Server):
    """uvicorn that leaves on a signal of `leave_on` with exit code 0.

    The signal ends the listening; windows that were accepted, waiting ones too, have `grace_s`
    seconds to finish. uvicorn itself would raise the signal once more at the end and die of it.
    `ready` is called when connections are taken and signals are heard.
    """

    def __init__(
        self,
        app: Starlette,
        grace_s: float,
        leave_on: tuple[signal.Signals, ...],
        ready: Callable[[], None],
    ) -> None:
        super().__init__(
            uvicorn.Config(
                app,
                http="h11",
                ws="none",
                loop="asyncio",
                lifespan="off",
                log_config=None,
                access_log=False,
                server_header=False,
                date_header=False,
                h11_max_incomplete_event_size=HEAD_BYTES,
                timeout_graceful_shutdown=math.ceil(grace_s),  # uvicorn wants whole seconds
            )
        )
        self._leave_on = leave_on
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then say so; signals are handled by now."""
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Leave on the chosen signals, and forget them afterwards."""
        loop = asyncio.get_running_loop()
        for number in self._leave_on:
            loop.add_signal_handler(number, self._leave)
        yield

    def _leave(self) -> None:
        self.should_exit = True


def _remove_dead(path: Path) -> None:
    if not path.is_socket():
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe,
        suppress(ConnectionRefusedError),
    ):
        probe.connect(str(path))
        raise OSError("an engine listens there already")
    path.unlink()
