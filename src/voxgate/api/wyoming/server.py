"""`WyomingServer`: listens on TCP, serves connections on a gateway, and shuts down in order.

SIGTERM, SIGINT and SIGHUP start the shutdown, as that of `ApiServer`: recordings that arrived have
`drain_s` seconds, and others are refused meanwhile. A second signal does not wait.
"""

from __future__ import annotations

import asyncio
from functools import partial
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voxgate.api import open_files
from voxgate.api.gateway import Gateway
from voxgate.api.server import SHUTDOWN_S, handle_signals, listen
from voxgate.api.wyoming.connection import WyomingConnection
from voxgate.api.wyoming.reader import EventReader
from voxgate.errors import UsageError
from voxgate.models.default_model import DEFAULT_NAME
from voxgate.pipeline.session import Session

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.settings import Settings


class WyomingServer:
    """One server: create it, then await `run`."""

    def __init__(
        self,
        settings: Settings,
        *,
        uri: str,
        model: str = DEFAULT_NAME,
        session: Callable[[Settings], Session] = Session,
    ) -> None:
        """Bind the socket; port 0 means any free port. Raises `UsageError`."""
        self.host, port = _address(uri)
        self._settings, self._model, self._session = settings, model, session
        self._socket = listen(self.host, port)
        self.port = int(self._socket.getsockname()[1])
        self._connections: dict[asyncio.Task[None], WyomingConnection] = {}
        self._stopped, self._forced = asyncio.Event(), asyncio.Event()

    @property
    def uri(self) -> str:
        """The address for clients."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"tcp://{host}:{self.port}"

    @property
    def connections(self) -> int:
        """How many connections are open."""
        return len(self._connections)

    async def run(
        self,
        *,
        ready: Callable[[], None] = lambda: None,
        on_stop: Callable[[int], None] = lambda _: None,
    ) -> None:
        """Serve until a signal arrives or `stop` is called. The model is loaded first.

        `ready` is called when clients may connect, and `on_stop` when the shutdown starts, with the
        number of unfinished jobs. Raises `VoxgateError` where it cannot start.
        """
        try:
            async with Gateway.open(self._settings, self._session) as gateway:
                await gateway.session.warm(self._model)
                listener = await asyncio.get_running_loop().create_server(
                    partial(self._protocol, gateway),
                    sock=self._socket,
                    backlog=open_files.backlog(),
                )
                ready()
                with handle_signals(self.stop), open_files.failed_accepts_logged():
                    await self._stopped.wait()
                    on_stop(len(gateway.jobs.unfinished))
                    listener.close()
                    await self._end(gateway)
        finally:
            self._socket.close()

    def stop(self) -> None:
        """Start the shutdown, as a signal does. A second call does not wait for unfinished jobs."""
        if self._stopped.is_set():
            self._forced.set()
        self._stopped.set()

    def _protocol(self, gateway: Gateway) -> asyncio.StreamReaderProtocol:
        """Return what reads and writes a new connection."""
        reader = EventReader()
        return asyncio.StreamReaderProtocol(
            reader,
            lambda _, writer: self._accept(WyomingConnection(gateway, self._model, reader, writer)),
        )

    def _accept(self, connection: WyomingConnection) -> None:
        """Serve a connection, or close it where there are as many as there may be."""
        if self._stopped.is_set() or len(self._connections) >= open_files.most_connections():
            connection.close()
            return
        task = asyncio.create_task(connection.serve())
        self._connections[task] = connection
        task.add_done_callback(self._connections.pop)

    async def _end(self, gateway: Gateway) -> None:
        """Wait for what has arrived, and close all connections."""
        for task, connection in self._connections.items():
            if connection.idle:
                task.cancel()
        draining = asyncio.create_task(gateway.jobs.drain())
        forced = asyncio.create_task(self._forced.wait())
        await asyncio.wait({draining, forced}, return_when=asyncio.FIRST_COMPLETED)
        await gateway.jobs.end()
        await asyncio.gather(draining)
        forced.cancel()
        if tasks := list(self._connections):  # their last events are on the way
            await asyncio.wait(tasks, timeout=SHUTDOWN_S)
            for task in tasks:
                task.cancel()
            await asyncio.wait(tasks)


def _address(uri: str) -> tuple[str, int]:
    """Return the host and the port of `tcp://HOST:PORT`. Raises `UsageError`."""
    unusable = UsageError(
        f"'{uri[:200]}' is no address to listen on. Write it as tcp://127.0.0.1:10300."
    )
    try:
        parts = urlsplit(uri)
        host, port = parts.hostname, parts.port
    except ValueError:
        raise unusable from None
    if parts.scheme != "tcp" or not host or port is None or parts.path or parts.query:
        raise unusable
    return host, port
