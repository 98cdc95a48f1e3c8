"""Serve one loaded model on a Unix socket, until a signal arrives or the owner ends."""

from __future__ import annotations

import asyncio
import json
import math
import os
import signal
import socket
from contextlib import AbstractContextManager, contextmanager, nullcontext, suppress
from functools import partial
from threading import Thread
from typing import TYPE_CHECKING

import uvicorn

from voxgate.engine.app import create_app
from voxgate.engine.backend import load_model
from voxgate.engine.protocol import HEAD_BYTES
from voxgate.errors import EngineStartError
from voxgate.models.running import EngineRecord, published_record, record_path

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from starlette.types import ASGIApp

    from voxgate.models.catalogue import ModelSpec

ENGINE_GRACE_S = 30.0  # for accepted windows after SIGTERM
LAST_STEP_S = 5.0  # how long the exit waits for the step in progress


def serve_model(
    model: ModelSpec,
    socket: Path,
    grace_s: float = ENGINE_GRACE_S,
    *,
    lifeline: bool = False,
    run_folder: Path | None = None,
) -> None:
    """Serve until SIGTERM or SIGINT. Uses the whole process, including its standard output.

    One line on standard output, `{"ready": NAME}`, reports that the socket accepts connections.
    Everything else, including what libraries print, goes to standard error. With `lifeline` the
    process lives as long as its standard input: the owner keeps the other end and never writes.
    While the engine lives, its record is in `run_folder`. Raises `VoxgateError` when the engine
    cannot start, and any error of the model's library.
    """
    stdout = os.dup(1)
    os.dup2(2, 1)
    exit_signals: tuple[signal.Signals, ...] = (signal.SIGTERM, signal.SIGINT)
    if lifeline:
        # Ctrl-C reaches every process of a terminal; the owner decides what it means.
        signal.signal(signal.SIGINT, signal.SIG_IGN)
        exit_signals = (signal.SIGTERM,)
        record = None if run_folder is None else record_path(run_folder, os.getpid())
        Thread(target=_exit_with_owner, args=(socket, record), daemon=True).start()
    record_file: AbstractContextManager[None] = nullcontext()
    if run_folder is not None:
        record_file = published_record(EngineRecord.for_process(model, socket), run_folder)
    with record_file:
        backend = load_model(model)
        with unix_listener(socket) as listener:
            scheduler = backend.scheduler()
            app = create_app(backend, scheduler)
            on_ready = partial(_print_ready, backend.name, stdout)
            EngineServer(app, grace_s, exit_signals, on_ready).run(sockets=[listener])
            scheduler.stop(LAST_STEP_S)
    if lifeline:
        with suppress(OSError):  # the owner removes it too, unless it was killed meanwhile
            socket.parent.rmdir()


def _print_ready(model: str, stdout: int) -> None:
    os.write(stdout, json.dumps({"ready": model}).encode() + b"\n")
    os.close(stdout)


def _exit_with_owner(socket: Path, record: Path | None) -> None:
    """Read standard input until it ends, which means that the owner has ended; then exit.

    Nobody else would remove the socket, its folder (when nothing else is in it) and the record.

    PR_SET_PDEATHSIG is no replacement: only Linux has it, it fires when the owner's *thread* ends,
    and it is lost when the owner dies before the call.
    """
    while os.read(0, 1024):
        pass
    with suppress(OSError):  # a living owner may have removed them, or there is no socket yet
        socket.unlink(missing_ok=True)
        socket.parent.rmdir()
    if record is not None:
        with suppress(OSError):
            record.unlink(missing_ok=True)
    os._exit(1)


class EngineServer(uvicorn.Server):
    """A uvicorn server that ends with exit code 0 on any of `exit_signals`.

    After a signal it accepts no connections; accepted windows, including waiting ones, have
    `grace_s` seconds to finish. uvicorn alone would raise the signal again at the end and die of
    it. `on_ready` is called once connections are accepted and signals are handled.
    """

    def __init__(
        self,
        app: ASGIApp,
        grace_s: float,
        exit_signals: tuple[signal.Signals, ...],
        on_ready: Callable[[], None],
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
        self._exit_signals = exit_signals
        self._on_ready = on_ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Listen, then call `on_ready`; signals are handled by now."""
        await super().startup(sockets)
        self._on_ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        """Exit on the chosen signals, without raising them again afterwards."""
        loop = asyncio.get_running_loop()
        for number in self._exit_signals:
            loop.add_signal_handler(number, self._request_exit)
        yield

    def _request_exit(self) -> None:
        self.should_exit = True


@contextmanager
def unix_listener(path: Path) -> Iterator[socket.socket]:
    """Yield a listening socket at `path` with mode 0600; remove it at the end.

    Replaces the socket of a dead engine. Raises `EngineStartError` when another process listens
    there, or when no socket can be created at `path` (104 bytes is the longest path on macOS).
    """
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    with listener:
        try:
            _remove_dead_socket(path)
            mask = os.umask(0o177)
            try:
                listener.bind(str(path))
            finally:
                os.umask(mask)
        except OSError as error:
            raise EngineStartError(f"No socket can be created at {path} ({error}).") from error
        listener.listen()
        try:
            yield listener
        finally:
            path.unlink(missing_ok=True)


def _remove_dead_socket(path: Path) -> None:
    """Remove a socket without a listener. Raise `OSError` when an engine listens there."""
    if not path.is_socket():
        return
    with (
        socket.socket(socket.AF_UNIX, socket.SOCK_STREAM) as probe,
        suppress(ConnectionRefusedError),
    ):
        probe.connect(str(path))
        raise OSError("an engine listens there already")
    path.unlink()
