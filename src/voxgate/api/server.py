"""`ApiServer`: binds a socket, serves the application on a gateway, and shuts down in order.

SIGTERM, SIGINT and SIGHUP start the shutdown: unfinished jobs have `drain_s` seconds, and new work
is answered with 503 meanwhile; then the rest is cancelled. A second signal does not wait.
"""

from __future__ import annotations

import asyncio
import errno
import gc
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from voxgate.api import open_files
from voxgate.api.app import application
from voxgate.api.auth import check_host
from voxgate.api.connection import Connection
from voxgate.api.gateway import Gateway
from voxgate.errors import UsageError
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from voxgate.api.app import Pages
    from voxgate.api.jobs import Jobs
    from voxgate.canaries.schedule import Wait
    from voxgate.settings import Settings

KEEP_ALIVE_S = 75  # longer than the idle limit of usual proxies in front (60 s)
SHUTDOWN_S = 5  # for responses that are still being sent when all jobs have ended


class ApiServer:
    """One server: create it, then await `run`."""

    def __init__(
        self,
        settings: Settings,
        *,
        host: str,
        port: int,
        preload: Sequence[str] = (),
        session: Callable[[Settings], Session] = Session,
        wait: Wait = asyncio.sleep,
        pages: Pages = lambda *_: None,
    ) -> None:
        """Bind the socket; port 0 means any free port. Raises `UsageError`, `SettingsError`.

        `pages` adds pages for people. `wait` is awaited with the seconds between two rounds of
        canaries.
        """
        check_host(host, settings)
        self._settings, self._preload, self._session = settings, preload, session
        self._wait, self._pages = wait, pages
        self._socket = listen(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._uvicorn: _UvicornServer | None = None
        self._jobs: Jobs | None = None
        self._draining: asyncio.Task[None] | None = None
        self._on_stop: Callable[[int], None] = lambda _: None

    @property
    def url(self) -> str:
        """The base URL for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def run(
        self,
        *,
        ready: Callable[[], None] = lambda: None,
        first_key: Callable[[str], None] = lambda _: None,
        on_stop: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Serve until a signal arrives or `stop` is called.

        Where there is no key yet, one is created and `first_key` is called with it. `ready` is
        called when the server accepts requests, and `on_stop` when the shutdown starts, with the
        number of unfinished jobs. Raises `VoxgateError` where it cannot start.
        """
        self._on_stop = on_stop
        try:
            async with Gateway.open(self._settings, self._session) as gateway:
                await gateway.session.warm(*self._preload)
                if self._settings.auth != "off" and not await gateway.ledger.keys.any():
                    _, secret = await gateway.ledger.keys.create("first")
                    first_key(secret)
                async with gateway.canaries.kept(self._wait):
                    await self._serve(gateway, ready)
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Start the shutdown, as a signal does. A second call does not wait for unfinished jobs."""
        if self._uvicorn is None or self._jobs is None:
            return  # not serving yet
        if self._draining is None:
            self._on_stop(len(self._jobs.unfinished))
            self._draining = asyncio.create_task(self._drain(self._jobs, self._uvicorn))
        else:
            self._uvicorn.should_exit = self._uvicorn.force_exit = True

    async def _serve(self, gateway: Gateway, ready: Callable[[], None]) -> None:
        self._uvicorn = _UvicornServer(
            uvicorn.Config(
                application(gateway, self._pages),
                http=Connection.limited(
                    self._settings.reader_patience_s, open_files.most_connections()
                ),  # not the one that uvicorn would choose
                backlog=open_files.backlog(),
                ws="none",
                log_config=None,
                access_log=False,
                server_header=False,
                timeout_keep_alive=KEEP_ALIVE_S,
                timeout_graceful_shutdown=SHUTDOWN_S,
                lifespan="off",
            ),
            ready,
        )
        self._jobs = gateway.jobs
        try:
            with (
                handle_signals(self.stop),
                open_files.failed_accepts_logged(),
                startup_kept_from_collector(),
            ):
                await self._uvicorn.serve([self._socket])
        finally:
            if self._draining:
                self._draining.cancel()
            await gateway.jobs.end()

    async def _drain(self, jobs: Jobs, uvicorn_server: _UvicornServer) -> None:
        await jobs.drain()
        uvicorn_server.should_exit = True


class _UvicornServer(uvicorn.Server):
    """uvicorn without its signal handlers, which close the socket before the jobs have ended."""

    def __init__(self, config: uvicorn.Config, ready: Callable[[], None]) -> None:
        super().__init__(config)
        self._ready = ready

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        await super().startup(sockets)
        self._ready()

    @contextmanager
    def capture_signals(self) -> Iterator[None]:
        yield


@contextmanager
def startup_kept_from_collector() -> Iterator[None]:
    """Keep the garbage collector from what is loaded so far, which lives as long as the server.

    A full collection stops every request while it visits all objects: 0.1 s for those of the
    modules alone (docs/log.md).
    """
    gc.freeze()
    try:
        yield
    finally:
        gc.unfreeze()


@contextmanager
def handle_signals(handler: Callable[[], None]) -> Iterator[None]:
    """Call `handler` for every signal that ends a process, unless it is ignored."""
    loop = asyncio.get_running_loop()
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _not_ignored(n)]
    for number in numbers:
        loop.add_signal_handler(number, handler)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _not_ignored(number: signal.Signals) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


def listen(host: str, port: int) -> socket.socket:
    """Return a listening socket. Raises `UsageError` with the next step."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        listener = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(
            f"{host} port {port} is no address of this machine: {error}. Use an address that it "
            f"has: 127.0.0.1 for itself, 0.0.0.0 for everybody."
        ) from error
    try:
        listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        listener.bind(address)
        listener.listen(open_files.backlog())
    except OSError as error:
        listener.close()
        next_step = {
            errno.EADDRINUSE: "Another program listens there: choose another --port.",
            errno.EACCES: "Ports below 1024 are the administrator's: choose another --port.",
            errno.EADDRNOTAVAIL: "Use an address that this machine has.",
        }.get(error.errno or 0, "Choose another --host or --port.")
        raise UsageError(
            f"{host} port {port} cannot be used: {error.strerror}. {next_step}"
        ) from error
    listener.set_inheritable(False)
    return listener
