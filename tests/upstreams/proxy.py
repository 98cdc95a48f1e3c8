"""`FaultProxy`: stands before a server, and injects faults by a script."""

from __future__ import annotations

import asyncio
import socket
import struct
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any, TypeAlias

import h11
import httpx2

from tests.websites import response

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    Fault: TypeAlias = Callable[["Exchange"], Awaitable[None]]
    Script: TypeAlias = Callable[[int], Fault | None]

UNTOUCHED = {b"host", b"connection", b"content-length", b"transfer-encoding", b"expect"}
"""Headers of one connection alone."""

RESET = struct.pack("ii", 1, 0)  # SO_LINGER of no time: a close is a reset


@dataclass
class Exchange:
    """One request, and the connection on which a fault answers it."""

    request: h11.Request
    body: bytes = field(repr=False)
    forward: Callable[[], Awaitable[httpx2.Response]]  # the answer of the server behind
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter

    async def send(self, data: bytes) -> None:
        self.writer.write(data)
        await self.writer.drain()

    def reset(self) -> None:
        """Break the connection as a process does that is killed."""
        connection: socket.socket = self.writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, RESET)
        self.writer.transport.abort()

    async def left(self) -> None:
        """Wait until the client closes the connection."""
        while await self.reader.read(2**16):
            pass


@dataclass
class FaultProxy:
    """Passes requests on to `target`; `script` makes the fault of the request of that number."""

    target: str  # a URL without a path
    script: Script = lambda _: None
    port: int = 0  # its own
    connections: int = 0  # that were accepted
    faults: list[bool] = field(default_factory=list)  # for each request, whether one was injected

    def __post_init__(self) -> None:
        self._http = httpx2.AsyncClient(timeout=None, limits=httpx2.Limits(max_connections=None))
        self._conversations = set[asyncio.Task[Any]]()

    async def converse(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection; a fault is the last."""
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._conversations.add(task)
        task.add_done_callback(self._conversations.discard)
        connection = h11.Connection(h11.SERVER)
        try:
            while received := await _receive(connection, reader):
                request, body = received
                fault = self.script(len(self.faults))
                self.faults.append(fault is not None)
                forward = partial(self._forward, request, body)
                exchange = Exchange(request, body, forward, reader, writer)
                if fault is not None:
                    await fault(exchange)
                    return
                await _pass_on(connection, await exchange.forward(), writer)
                connection.start_next_cycle()
        except h11.RemoteProtocolError:  # not HTTP: a handshake of TLS
            writer.write(response(400))
        except ConnectionError:
            pass  # the client left
        finally:
            writer.close()

    async def _forward(self, request: h11.Request, body: bytes) -> httpx2.Response:
        headers = [(name, value) for name, value in request.headers if name not in UNTOUCHED]
        return await self._http.request(
            request.method.decode(),
            self.target + request.target.decode(),
            headers=headers,
            content=body,
        )

    async def end(self) -> None:
        for conversation in list(self._conversations):
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)
        await self._http.aclose()


@asynccontextmanager
async def fault_proxy(target: str, script: Script = lambda _: None) -> AsyncIterator[FaultProxy]:
    """Be a proxy before the server at this URL, on a port of its own."""
    proxy = FaultProxy(target, script)
    server = await asyncio.start_server(proxy.converse, "127.0.0.1", 0)
    proxy.port = server.sockets[0].getsockname()[1]
    try:
        yield proxy
    finally:
        server.close()
        await proxy.end()


async def _receive(
    connection: h11.Connection, reader: asyncio.StreamReader
) -> tuple[h11.Request, bytes] | None:
    """Return the next request with its body; None where the client has closed the connection."""
    request: h11.Request | None = None
    body = bytearray()
    while True:
        event = connection.next_event()
        if event is h11.NEED_DATA:
            connection.receive_data(await reader.read(2**16))
        elif isinstance(event, h11.Request):
            request = event
        elif isinstance(event, h11.Data):
            body += event.data
        elif isinstance(event, h11.EndOfMessage) and request is not None:
            return request, bytes(body)
        else:
            return None


async def _pass_on(
    connection: h11.Connection, answer: httpx2.Response, writer: asyncio.StreamWriter
) -> None:
    kept = [(name, value) for name, value in answer.headers.raw if name.lower() not in UNTOUCHED]
    length = (b"content-length", str(len(answer.content)).encode())
    head = h11.Response(status_code=answer.status_code, headers=[*kept, length])
    for event in (head, h11.Data(data=answer.content), h11.EndOfMessage()):
        writer.write(connection.send(event) or b"")
    await writer.drain()
