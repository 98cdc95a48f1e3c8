"""Decoding from the caller's side: recordings in, blocks of sound out, failures as sentences."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from voxgate import offline
from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.decoder_process import DecoderProcess
from voxgate.audio.spool import nameless_file
from voxgate.errors import AudioError
from voxgate.fair_queue import FairQueue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.source import Source
    from voxgate.settings import Settings


# The fork server as its caller sees it: a process, and the conversation with it.

DECODER_GRACE_S = 5.0
"""How long the server may take for what takes it milliseconds."""


class ForkServerProcess:
    """The fork server's process and the conversation with it."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._numbers = 0
        self._ended: dict[int, asyncio.Future[int | None]] = {}
        self._forked: dict[int, asyncio.Future[int]] = {}
        self._listening: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: Settings) -> ForkServerProcess:
        """Start the process and wait until it is warm."""
        ours, theirs = socket.socketpair()
        with contextlib.ExitStack() as until_started, theirs:
            until_started.enter_context(ours)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voxgate.audio.decoder.server"),
                stdin=theirs.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                # One thread: threads do not survive a fork, and for the speech detector four are
                # eleven times slower than one (docs/log.md).
                env={
                    **os.environ,
                    "OMP_THREAD_LIMIT": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "TMPDIR": str(settings.spool_dir),  # for what it warms up with
                    **offline.child_environment(settings),
                },
                start_new_session=True,  # a terminal's Ctrl-C is ours to handle, not its
            )
            until_started.pop_all()
        ours.setblocking(False)
        server = cls(process, ours)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        server._listening = asyncio.create_task(server._listen(ready))
        try:
            async with asyncio.timeout(settings.engine_start_s):
                await asyncio.shield(ready)
        except BaseException as error:
            await server.close()
            if isinstance(error, TimeoutError):
                raise _server_died() from error
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

    async def fork(self, source: Source, settings: Settings) -> DecoderProcess:
        """Become a decoder of this source."""
        with contextlib.ExitStack() as theirs, contextlib.ExitStack() as ours:
            read_fd, write_fd = os.pipe()
            ours.callback(os.close, read_fd)
            theirs.callback(os.close, write_fd)
            passed = [source.fd, write_fd]
            if source.size is None:
                scratch = theirs.enter_context(nameless_file(settings.spool_dir, "source-"))
                passed.append(scratch.fileno())
            number = self._send(DecoderJob.of(source, settings), passed)
            child = DecoderProcess(self, number, read_fd, source, settings)
            ours.pop_all()  # the child's now
        try:
            async with asyncio.timeout(DECODER_GRACE_S):
                await asyncio.shield(self._forked[number])
        except BaseException as error:
            await child.close()
            if isinstance(error, TimeoutError):
                raise _server_died() from error
            raise
        return child

    async def ended(self, number: int) -> int | None:
        """How a decoder ended: its exit status, minus a signal's number; None with the server."""
        return await asyncio.shield(self._ended[number])

    async def end(self, number: int) -> None:
        """End a decoder, if it still runs, and forget it. A server that hangs is ended as well."""
        try:
            self._control.send(json.dumps({"kill": number}).encode() + b"\n")
            async with asyncio.timeout(DECODER_GRACE_S):
                await self.ended(number)
        except (OSError, TimeoutError):  # it is gone, or it hangs: its decoders die with it
            if self._process.returncode is None:
                self._process.kill()
            await self.ended(number)
        finally:
            self._forked.pop(number, None)
            self._ended.pop(number, None)

    def _send(self, job: DecoderJob, passed: list[int]) -> int:
        """Ask for a decoder with these descriptors. Returns its number."""
        loop = asyncio.get_running_loop()
        number = self._numbers = self._numbers + 1
        line = json.dumps({"decode": number, "job": job.to_json()}).encode() + b"\n"
        try:
            socket.send_fds(self._control, [line], passed)
        except OSError as error:
            raise _server_died() from error
        self._ended[number], self._forked[number] = loop.create_future(), loop.create_future()
        return number

    async def close(self) -> None:
        """Close the socket: the server ends its decoders, then itself."""
        if self._listening:
            self._listening.cancel()
            await asyncio.wait([self._listening])
        self._control.close()
        try:
            await asyncio.wait_for(self._process.wait(), timeout=DECODER_GRACE_S)
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
            pass  # it ended in the middle of a word; what follows from an end is below
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
        elif forked := self._forked.get(message.get("forked", 0)):
            forked.set_result(message["pid"])
        elif ended := self._ended.get(message.get("ended", 0)):
            ended.set_result(message["status"])


def _server_died() -> AudioError:
    return AudioError("The decoders' server ended unexpectedly. Try again.", code="decoder_killed")


class DecoderPool:
    """The fork server and the decoders that it becomes; started at first use.

    One is enough for a process. `max_decoders` recordings decode at once, others wait for their
    turn, which is shared fairly between parties: a decoder that shared a core with fifty would fall
    behind real time and be ended for it.
    Use it as an asynchronous context, within one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: ForkServerProcess | None = None
        self._starting = asyncio.Lock()
        self._queue = FairQueue(settings.max_decoders)

    async def decode(self, source: Source, tenant: Hashable = None) -> AsyncGenerator[DecoderEvent]:
        """Decode one recording, as fast as the blocks are taken and no faster.

        Decoders are shared fairly between tenants. Closing the iterator ends its decoder. Raises
        `AudioError` of every kind, `SpoolFullError`.
        """
        async with self._queue.slot(tenant):
            server = await self._started()
            child = await server.fork(source, self._settings)
            try:
                async for message in child.messages():
                    yield message
            finally:
                await child.close()

    async def warm(self) -> int:
        """Start the fork server now rather than at the first recording. Returns its process id."""
        return (await self._started()).pid

    async def aclose(self) -> None:
        """End the fork server and every decoder. May be called again."""
        async with self._starting:
            await self._end()

    async def __aenter__(self) -> DecoderPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _end(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.close()

    async def _started(self) -> ForkServerProcess:
        async with self._starting:
            if self._server and not self._server.alive:
                await self._end()
            if not self._server:
                self._server = await ForkServerProcess.start(self._settings)
            return self._server
