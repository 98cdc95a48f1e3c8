"""The fork server as its caller sees it: a process, and the conversation with it."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
import tempfile
from typing import TYPE_CHECKING, Any

from voxgate.audio.child import Child
from voxgate.audio.decoder.job import Job
from voxgate.errors import DecoderKilledError, SpoolFullError

if TYPE_CHECKING:
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


class ForkServerProcess:
    """The fork server's process and the conversation with it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._numbers = 0
        self._ended: dict[int, asyncio.Future[int | None]] = {}
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls) -> ForkServerProcess:
        """Start the process and wait until it is warm."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voxgate.audio.decoder.server"),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                # One thread: threads do not survive a fork, and for the speech detector four are
                # eleven times slower than one (docs/log.md).
                env={**os.environ, "OMP_THREAD_LIMIT": "1", "OPENBLAS_NUM_THREADS": "1"},
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not its
            )
        ours.setblocking(False)
        server = cls(process, ours)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        server._listening = asyncio.create_task(server._listen(ready))
        try:
            await ready
        except BaseException:
            await server.close()
            raise
        return server

    @property
    def pid(self) -> int:
        """The process's id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether it still answers."""
        return self._listening is not None and not self._listening.done()

    async def fork(self, source: Source, settings: Settings) -> Child:
        """Become a decoder of this source."""
        loop = asyncio.get_running_loop()
        self._numbers += 1
        number = self._numbers
        self._ended[number], self._forked[number] = loop.create_future(), loop.create_future()
        read_fd, write_fd = os.pipe()
        with contextlib.ExitStack() as fds:
            fds.callback(os.close, write_fd)
            passed = [source.fd, write_fd]
            if source.size is None:
                passed.append(fds.enter_context(_scratch(settings)).fileno())
            job = Job.of(source, settings).to_json()
            line = json.dumps({"decode": number, "job": job}).encode() + b"\n"
            try:
                socket.send_fds(self._control, [line], passed)
            except OSError as error:
                os.close(read_fd)
                raise _server_died() from error
        child = Child(self, number, read_fd, source, settings)
        try:
            await self._forked[number]
        except BaseException:
            await child.close()
            raise
        return child

    async def ended(self, number: int) -> int | None:
        """How a decoder ended: its exit status, minus a signal's number; None with the server."""
        return await asyncio.shield(self._ended[number])

    def forget(self, number: int) -> None:
        """Drop what is kept about a decoder that is closed."""
        self._forked.pop(number).cancel()
        self._ended.pop(number).cancel()

    def kill(self, number: int) -> None:
        """Have a decoder ended, if it still runs."""
        with contextlib.suppress(OSError):  # the server is gone, and with it every decoder
            self._control.send(json.dumps({"kill": number}).encode() + b"\n")

    async def close(self) -> None:
        """Close the socket: the server ends its decoders, then itself."""
        if self._listening:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        self._control.close()
        try:
            await asyncio.wait_for(self._process.wait(), timeout=5)
        except TimeoutError:  # it hangs, or somebody stopped it
            self._process.kill()
            await self._process.wait()

    async def _listen(self, ready: asyncio.Future[None]) -> None:
        """Take the server's lines until it ends; then nobody waits for it in vain."""
        loop, buffer = asyncio.get_running_loop(), b""
        try:
            while data := await loop.sock_recv(self._control, 1 << 16):
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._take(json.loads(line), ready)
        except ConnectionError:
            pass
        finally:
            starting: list[asyncio.Future[Any]] = [ready, *self._forked.values()]
            for forked in starting:
                if not forked.done():
                    forked.set_exception(_server_died())
                    forked.exception()  # whoever waits gets it; nobody need wait
            for ended in self._ended.values():
                if not ended.done():
                    ended.set_result(None)

    def _take(self, message: dict[str, int], ready: asyncio.Future[None]) -> None:
        if "ready" in message:
            ready.set_result(None)
        elif (number := message.get("forked", 0)) in self._forked:
            self._forked[number].set_result(message["pid"])
        elif (number := message.get("ended", 0)) in self._ended:
            self._ended[number].set_result(message["status"])


def _scratch(settings: Settings) -> Any:
    try:
        return tempfile.TemporaryFile(dir=settings.spool_dir, prefix="source-")
    except OSError as error:
        raise SpoolFullError(
            f"Nothing can be kept in {settings.spool_dir} ({error.strerror}). Free some space "
            f"there, or name another folder in VOXGATE_SPOOL_DIR."
        ) from error


def _server_died() -> DecoderKilledError:
    return DecoderKilledError("The decoders' server ended unexpectedly. Try again.")
