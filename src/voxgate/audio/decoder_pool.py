"""`DecoderPool`: decode recordings in confined processes, which a fork server starts.

`ForkServerProcess` is the caller's side of the fork server: its process, and the messages over the
socket.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.decoder_process import DecoderProcess
from voxgate.audio.spool import nameless_file
from voxgate.child_environment import child_environment
from voxgate.errors import AudioError
from voxgate.fair_queue import FairQueue

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Hashable

    from voxgate.audio.decoder_process import DecoderEvent
    from voxgate.audio.source import Source
    from voxgate.settings import Settings

DECODER_GRACE_S = 5.0
"""The time limit for operations of the fork server, which take it milliseconds."""


class DecoderPool:
    """The fork server and its decoders. The server starts at first use.

    A process needs only one pool. At most `max_decoders` recordings are decoded at once; others
    wait in a queue that is shared fairly between tenants. Without this limit a decoder that shares
    a core with fifty others would fall behind real time and be ended for it. Use the pool as an
    asynchronous context manager, within one event loop.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._server: ForkServerProcess | None = None
        self._starting = asyncio.Lock()
        self._queue = FairQueue(settings.max_decoders)
        self._ending = set[asyncio.Task[None]]()  # decoders that have sent everything

    async def decode(self, source: Source, tenant: Hashable = None) -> AsyncGenerator[DecoderEvent]:
        """Decode one recording, no faster than the events are consumed.

        Decoders are shared fairly between tenants. Closing the iterator ends its decoder. Raises
        `AudioError` with any of its codes, and `SpoolFullError`.
        """
        async with contextlib.AsyncExitStack() as decoding:
            await decoding.enter_async_context(self._queue.slot(tenant))
            server = await self._running_server()
            decoder = await server.fork(source, self._settings)
            decoding.push_async_callback(decoder.close)
            async for event in decoder.events():
                yield event
            # All is decoded: only the next decoder waits until this one's process is gone.
            ending = asyncio.create_task(decoding.pop_all().aclose())
            self._ending.add(ending)
            ending.add_done_callback(self._ending.discard)

    async def warm(self) -> int:
        """Start the fork server before the first recording. Return its process id."""
        return (await self._running_server()).pid

    async def aclose(self) -> None:
        """End the fork server and every decoder. May be called again."""
        async with self._starting:
            await self._close_server()
        if self._ending:
            await asyncio.wait(self._ending)

    async def __aenter__(self) -> DecoderPool:
        return self

    async def __aexit__(self, *_: object) -> None:
        await self.aclose()

    async def _close_server(self) -> None:
        server, self._server = self._server, None
        if server:
            await server.close()

    async def _running_server(self) -> ForkServerProcess:
        async with self._starting:
            if self._server and not self._server.alive:
                await self._close_server()
            if not self._server:
                self._server = await ForkServerProcess.start(self._settings)
            return self._server


class ForkServerProcess:
    """The fork server's process. It forks decoders and reports how they end."""

    def __init__(self, process: asyncio.subprocess.Process, control: socket.socket) -> None:
        self._process, self._control = process, control
        self._last_job_id = 0
        self._forked: dict[int, asyncio.Future[int]] = {}  # job id -> process id
        self._ended: dict[int, asyncio.Future[int | None]] = {}  # job id -> exit status
        self._receiver: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: Settings) -> ForkServerProcess:
        """Start the process and wait until it is warm."""
        control, server_end = socket.socketpair()
        with contextlib.ExitStack() as until_started, server_end:
            until_started.enter_context(control)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voxgate.audio.decoder.server"),
                stdin=server_end.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                # One thread: threads do not survive a fork, and for the speech detector four are
                # eleven times slower than one (docs/log.md).
                env={
                    **child_environment(settings),
                    "OMP_THREAD_LIMIT": "1",
                    "OPENBLAS_NUM_THREADS": "1",
                    "TMPDIR": str(settings.spool_dir),  # for the file of the warm-up
                },
                start_new_session=True,  # a terminal's Ctrl-C must reach this process only
            )
            until_started.pop_all()
        control.setblocking(False)
        server = cls(process, control)
        ready: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        server._receiver = asyncio.create_task(server._receive(ready))
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
        """The process id."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the socket is still open on the server's side."""
        return self._receiver is not None and not self._receiver.done()

    async def fork(self, source: Source, settings: Settings) -> DecoderProcess:
        """Fork a decoder for this source."""
        with contextlib.ExitStack() as decoder_ends, contextlib.ExitStack() as own_end:
            read_fd, write_fd = os.pipe()
            own_end.callback(os.close, read_fd)
            decoder_ends.callback(os.close, write_fd)
            fds = [source.fd, write_fd]
            if source.arrival_fd >= 0:
                fds.append(source.arrival_fd)
            elif source.size is None:
                scratch = decoder_ends.enter_context(nameless_file(settings.spool_dir, "source-"))
                fds.append(scratch.fileno())
            job_id = self._send_job(DecoderJob.for_source(source, settings), fds)
            decoder = DecoderProcess(self, job_id, read_fd, source, settings)
            own_end.pop_all()  # the decoder object closes it from now on
        try:
            async with asyncio.timeout(DECODER_GRACE_S):
                await asyncio.shield(self._forked[job_id])
        except BaseException as error:
            await decoder.close()
            if isinstance(error, TimeoutError):
                raise _server_died() from error
            raise
        return decoder

    async def wait(self, job_id: int) -> int | None:
        """Wait for a decoder's end. Return its exit status, or minus the number of a signal.

        Return None if the server ended first.
        """
        return await asyncio.shield(self._ended[job_id])

    async def kill(self, job_id: int) -> None:
        """Kill a decoder if it still runs, and forget it. Kill the server, too, if it hangs."""
        try:
            self._control.send(json.dumps({"kill": job_id}).encode() + b"\n")
            async with asyncio.timeout(DECODER_GRACE_S):
                await self.wait(job_id)
        except (OSError, TimeoutError):  # the server is gone or hangs: its decoders die with it
            if self._process.returncode is None:
                self._process.kill()
            await self.wait(job_id)
        finally:
            self._forked.pop(job_id, None)
            self._ended.pop(job_id, None)

    async def close(self) -> None:
        """Close the socket, upon which the server ends its decoders and itself."""
        if self._receiver:
            self._receiver.cancel()
            await asyncio.wait([self._receiver])
        self._control.close()
        try:
            await asyncio.wait_for(self._process.wait(), timeout=DECODER_GRACE_S)
        except TimeoutError:  # it hangs, or it was stopped by a signal
            self._process.kill()
            await self._process.wait()

    def _send_job(self, job: DecoderJob, fds: list[int]) -> int:
        """Request a decoder with these descriptors. Return the job's id."""
        loop = asyncio.get_running_loop()
        job_id = self._last_job_id = self._last_job_id + 1
        line = json.dumps({"decode": job_id, "job": job.to_json()}).encode() + b"\n"
        try:
            socket.send_fds(self._control, [line], fds)
        except OSError as error:
            raise _server_died() from error
        self._ended[job_id], self._forked[job_id] = loop.create_future(), loop.create_future()
        return job_id

    async def _receive(self, ready: asyncio.Future[None]) -> None:
        """Handle the server's messages until it ends. Then resolve every future that is left."""
        loop, buffer = asyncio.get_running_loop(), b""
        try:
            while data := await loop.sock_recv(self._control, 1 << 16):
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line), ready)
        except ConnectionError:
            pass  # the server ended in the middle of a message: handled below like any end
        finally:
            starting: list[asyncio.Future[Any]] = [ready, *self._forked.values()]
            for forked in starting:
                if not forked.done():
                    forked.set_exception(_server_died())
                    forked.exception()  # marks it as retrieved: it is not logged if nobody waits
            for ended in self._ended.values():
                if not ended.done():
                    ended.set_result(None)

    def _handle(self, message: dict[str, int], ready: asyncio.Future[None]) -> None:
        if "ready" in message:
            ready.set_result(None)
        elif forked := self._forked.get(message.get("forked", 0)):
            forked.set_result(message["pid"])
        elif ended := self._ended.get(message.get("ended", 0)):
            ended.set_result(message["status"])


def _server_died() -> AudioError:
    return AudioError("The decoder server ended unexpectedly. Try again.", code="decoder_killed")
