"""The server's process: a socket, a gateway behind it, and an orderly end.

SIGTERM and SIGINT begin the end: the server still answers, new work with 503, while work under way
has `drain_s`; then what is left ends with its error. A second signal does not wait.
"""

from __future__ import annotations

import asyncio
import errno
import signal
import socket
from contextlib import contextmanager
from typing import TYPE_CHECKING

import uvicorn

from voxgate.api.app import application
from voxgate.api.auth import check_host
from voxgate.api.connection import Connection
from voxgate.api.gateway import Gateway
from voxgate.errors import UsageError
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from voxgate.api.jobs import Jobs
    from voxgate.settings import Settings

BACKLOG = 1024
KEEP_ALIVE_S = 75  # longer than the idle limit of usual proxies in front (60 s)
SHUTDOWN_S = 5  # for answers on their way out when all work has ended


class ApiServer:
    """One server. Made, then `run`."""

    def __init__(
        self,
        settings: Settings,
        *,
        host: str,
        port: int,
        preload: Sequence[str] = (),
        session: Callable[[Settings], Session] = Session,
    ) -> None:
        """Bind the socket; port 0 takes any that is free. Raises `UsageError`, `SettingsError`."""
        check_host(host, settings)
        self._settings, self._preload, self._session = settings, preload, session
        self._socket = _bound(host, port)
        self.host, self.port = host, int(self._socket.getsockname()[1])
        self._http: _Http | None = None
        self._flights: Jobs | None = None
        self._draining: asyncio.Task[None] | None = None

    @property
    def url(self) -> str:
        """Where clients find it."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"http://{host}:{self.port}"

    async def run(
        self,
        *,
        ready: Callable[[], None] = lambda: None,
        first_key: Callable[[str], None] = lambda _: None,
    ) -> None:
        """Serve until a signal says to end.

        `first_key` is given the key that is made where there is none; `ready` is called when
        requests are taken. Raises `VoxgateError` for what keeps it from starting.
        """
        try:
            async with Gateway.open(self._settings, self._session) as gateway:
                await gateway.session.warm(*self._preload)
                if self._settings.auth != "off" and not await gateway.ledger.keys.any():
                    _, secret = await gateway.ledger.keys.create("first")
                    first_key(secret)
                await self._serve(gateway, ready)
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Begin the end, as a signal does; the second time it does not wait for work under way."""
        if self._http is None or self._flights is None:
            return  # nothing is served yet
        if self._draining is None:
            self._draining = asyncio.create_task(self._drain(self._flights, self._http))
        else:
            self._http.should_exit = self._http.force_exit = True

    async def _serve(self, gateway: Gateway, ready: Callable[[], None]) -> None:
        self._http = _Http(
            uvicorn.Config(
                application(gateway),
                http=Connection,  # whichever others are installed
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
        self._flights = gateway.flights
        try:
            with _signals(self.stop):
                await self._http.serve([self._socket])
        finally:
            if self._draining:
                self._draining.cancel()
            await gateway.flights.end()

    async def _drain(self, flights: Jobs, http: _Http) -> None:
        await flights.drain()
        http.should_exit = True


class _Http(uvicorn.Server):
    """uvicorn without its own signals, which would close the socket before the work has ended."""

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
def _signals(end: Callable[[], None]) -> Iterator[None]:
    """Call `end` for every signal that asks a process to leave, unless the caller ignores it."""
    loop = asyncio.get_running_loop()
    numbers = [n for n in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP) if _heeded(n)]
    for number in numbers:
        loop.add_signal_handler(number, end)
    try:
        yield
    finally:
        for number in numbers:
            loop.remove_signal_handler(number)


def _heeded(number: signal.Signals) -> bool:
    return signal.getsignal(number) is not signal.SIG_IGN


def _bound(host: str, port: int) -> socket.socket:
    """A listening socket. Raises `UsageError` with the next step."""
    try:
        family, kind, protocol, _, address = socket.getaddrinfo(
            host, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE
        )[0]
        made = socket.socket(family, kind, protocol)
    except (OSError, UnicodeError, OverflowError) as error:
        raise UsageError(
            f"{host} port {port} is no address of this machine: {error}. Use an address that it "
            f"has: 127.0.0.1 for itself, 0.0.0.0 for everybody."
        ) from error
    try:
        made.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        made.bind(address)
        made.listen(BACKLOG)
    except OSError as error:
        made.close()
        mend = {
            errno.EADDRINUSE: "Another program listens there: choose another --port.",
            errno.EACCES: "Ports below 1024 are the administrator's: choose another --port.",
            errno.EADDRNOTAVAIL: "Use an address that this machine has.",
        }.get(error.errno or 0, "Choose another --host or --port.")
        raise UsageError(f"{host} port {port} cannot be used: {error.strerror}. {mend}") from error
    made.set_inheritable(False)
    return made
