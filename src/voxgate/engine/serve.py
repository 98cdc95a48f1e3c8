"""`serve`: one model, loaded, on a Unix socket, until a signal or its owner's end."""

from __future__ import annotations

import asyncio
import json
import logging
import math
import os
import signal
import socket
from contextlib import contextmanager, nullcontext, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn

from voxgate.engine.app import create_app
from voxgate.engine.protocol import HEAD_BYTES
from voxgate.errors import EngineStartError
from voxgate.models.catalogue import load_model
from voxgate.models.running import EngineRecord, published_record, record_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.applications import Starlette

    from voxgate.models.catalogue import ModelSpec


# MERGED engine.server
# Serving an app on a Unix socket that only its owner may open.


@contextmanager
def unix_listener(path: Path) -> Iterator[socket.socket]:
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


class EngineServer(uvicorn.Server):
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


ENGINE_GRACE_S = 30.0  # for accepted work after SIGTERM
LAST_STEP_S = 5.0  # how long the exit waits for a step that is being taken


def serve_model(
    model: ModelSpec,
    socket: Path,
    grace_s: float = ENGINE_GRACE_S,
    *,
    lifeline: bool = False,
    plates: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Takes the whole process, its standard output included.

    One line there, `{"ready": NAME}`, says that the socket takes connections; everything else, also
    what libraries print, goes to standard error. With `lifeline` the process lives as long as its
    standard input: whoever started it keeps the other end and never writes. In the folder
    `plates` it can be found while it lives. Raises `VoxgateError` when the engine cannot start, and
    whatever the model's library raises.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    logging.basicConfig(level=logging.WARNING, format="%(name)s: %(message)s")
    leave_on: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if lifeline:
        # Ctrl-C goes to every process of a terminal: what it means is the owner's decision.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        leave_on = (signal.SIGTERM,)
        plate = None if plates is None else record_path(plates, os.getpid())
        Thread(target=_die_with_the_owner, args=(socket, plate), daemon=True).start()
    with (
        published_record(EngineRecord.for_process(model, socket), plates)
        if plates
        else nullcontext()
    ):
        recogniser = load_model(model)
        with unix_listener(socket) as listener:
            scheduler = recogniser.scheduler()
            app = create_app(recogniser, scheduler)
            ready = partial(_announce, recogniser.name, stdout)
            EngineServer(app, grace_s, leave_on, ready).run(sockets=[listener])
            scheduler.stop(LAST_STEP_S)
    if lifeline:
        with suppress(OSError):  # the owner does it too, unless it was killed meanwhile
            socket.parent.rmdir()


def _announce(model: str, stdout: int) -> None:
    os.write(stdout, json.dumps({"ready": model}).encode() + b"\n")
    os.close(stdout)


def _die_with_the_owner(path: Path, plate: Path | None) -> None:
    """Read standard input until it ends; then the owner is gone, by whatever death.

    The socket, its folder, when nothing else is in it, and the plate have nobody else to remove
    them.

    Not PR_SET_PDEATHSIG: it is Linux's alone, it fires when the owner's *thread* ends, and it is
    lost when the owner dies before the call. The end of a pipe is none of these.
    """
    while os.read(0, 1024):
        pass
    with suppress(OSError):  # a living owner may have removed them, or there is no socket yet
        path.unlink(missing_ok=True)
        path.parent.rmdir()
    if plate is not None:
        with suppress(OSError):
            plate.unlink(missing_ok=True)
    os._exit(1)
