"""A web server on the loopback that sends exactly the given bytes, and sees every connection."""

from __future__ import annotations

import asyncio
import queue
import re
import socket
import sys
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, TypeAlias

from tests.processes import DEADLINE_S

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Send: TypeAlias = Callable[[asyncio.StreamWriter], Awaitable[None]]

HOSTS = ("127.0.0.1", "127.0.0.2", "::1")
"""Where it listens, on one port; on ::1 where the machine has it."""

_LENGTH = re.compile(rb"\r\ncontent-length: (\d+)", re.IGNORECASE)

TLS_RECORD = b"\x16"  # the first byte of a handshake

PUBLIC_HOST = "127.0.0.2"
"""The one that stands for the internet, where a test's policy allows it."""


@dataclass
class Web:
    """Responses by path: bytes, or a function that sends them. Any other path is a 404."""

    port: int = 0
    answers: dict[str, bytes | Send] = field(default_factory=dict)
    accepted: list[str] = field(default_factory=list)  # by the address that was connected to
    heads: list[str] = field(default_factory=list)  # of requests
    bodies: list[bytes] = field(default_factory=list)  # of requests that announce their length
    left: list[str] = field(default_factory=list)  # paths whose connections have ended

    def __post_init__(self) -> None:
        self._conversations = set[asyncio.Task[Any]]()

    def url(self, path: str, host: str = PUBLIC_HOST, scheme: str = "http") -> str:
        return f"{scheme}://{host}:{self.port}{path}"

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.accepted.append(writer.get_extra_info("sockname")[0])
        self._conversations.add(asyncio.current_task())  # type: ignore[arg-type] # it is one
        path = ""
        try:
            head = await reader.readexactly(1)
            while not head.endswith(b"\r\n\r\n") and head[:1] != TLS_RECORD:
                head += await reader.readexactly(1)
            self.heads.append(head.decode("latin-1"))
            path = self.heads[-1].split(" ")[1] if b" " in head else ""
            if length := _LENGTH.search(head):
                self.bodies.append(await reader.readexactly(int(length[1])))
            answer = self.answers.get(path.partition("?")[0], response(404, b"Not here."))
            if isinstance(answer, bytes):
                writer.write(answer)
                await writer.drain()
            else:
                await answer(writer)
        except (ConnectionError, asyncio.IncompleteReadError):
            pass  # the client left
        finally:
            writer.close()
            self.left.append(path)

    async def end(self) -> None:
        for conversation in self._conversations:
            conversation.cancel()
        await asyncio.gather(*self._conversations, return_exceptions=True)


@asynccontextmanager
async def web(context: ssl.SSLContext | None = None) -> AsyncIterator[Web]:
    """Serve inside the context."""
    running = Web()
    servers = []
    for host in HOSTS:
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            listener = socket.create_server((host, running.port), family=family)
        except OSError:
            assert host == "::1", f"nothing can listen at {host}"
            continue
        running.port = listener.getsockname()[1]
        servers.append(await asyncio.start_server(running.serve, sock=listener, ssl=context))
    try:
        yield running
    finally:
        for server in servers:
            server.close()
        await running.end()


@contextmanager
def web_beside() -> Iterator[Web]:
    """Serve in a thread, beside a test that blocks."""
    started = queue.SimpleQueue[tuple[Web, asyncio.AbstractEventLoop, asyncio.Event]]()

    async def serve() -> None:
        end = asyncio.Event()
        async with web() as running:
            started.put((running, asyncio.get_running_loop(), end))
            await end.wait()

    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    running, loop, end = started.get(timeout=DEADLINE_S)
    try:
        yield running
    finally:
        loop.call_soon_threadsafe(end.set)
        thread.join(DEADLINE_S)


def response(status: int, body: bytes = b"", **headers: Any) -> bytes:
    """Return a response with its length, unless `content_length` is given; in headers, `_` is `-`.

    A header that is None is left out.
    """
    named = {"content_length": len(body), **headers}
    lines = [
        f"{name.replace('_', '-')}: {value}" for name, value in named.items() if value is not None
    ]
    first = f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"
    return "\r\n".join([first, *lines, "", ""]).encode() + body


def redirect(location: str, status: int = 302) -> bytes:
    return response(status, location=location)


def chunked(*parts: bytes, **headers: Any) -> bytes:
    head = response(200, content_length=None, transfer_encoding="chunked", **headers)
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(part), part) for part in parts)
    return head + chunks + b"0\r\n\r\n"


def dripping(head: bytes, every_s: float) -> Send:
    """Send a head, then chunks of one byte for as long as the client stays."""

    async def send(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(b"1\r\n0\r\n")
            await writer.drain()
            await asyncio.sleep(every_s)

    return send


async def silence(_writer: asyncio.StreamWriter) -> None:
    """Send nothing."""
    await asyncio.Event().wait()


_witness: list[Any] | None = None


def _audit(event: str, arguments: tuple[Any, ...]) -> None:
    if _witness is not None and event == "socket.connect" and isinstance(arguments[1], tuple):
        _witness.append(arguments[1][:2])


sys.addaudithook(_audit)


@contextmanager
def connects() -> Iterator[list[Any]]:
    """Record the numbers and ports that this process tries to connect to inside the context."""
    global _witness  # noqa: PLW0603 (audit hooks are global and permanent)
    _witness = []
    try:
        yield _witness
    finally:
        _witness = None
