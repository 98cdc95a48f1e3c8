"""`ForkServerProcess`: the caller's side of the fork server, its process and its messages."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import socket
import sys
from typing import TYPE_CHECKING, Any

from voxgate.audio.decoder.messages import DecoderJob, DecoderLimits, open_pipe
from voxgate.audio.decoder_process import Decoding
from voxgate.audio.scratch_file import nameless_file
from voxgate.child_environment import child_environment
from voxgate.errors import AudioError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.audio.source import Source
    from voxgate.settings import Settings

DECODER_GRACE_S = 5.0
"""The time limit for operations of the fork server, which take it milliseconds."""


class ForkServerProcess:
    """The fork server's process. It forks decoders, which have numbers, and reports their ends."""

    def __init__(
        self, process: asyncio.subprocess.Process, control: socket.socket, settings: Settings
    ) -> None:
        self._process, self._control, self._settings = process, control, settings
        self._last_number = 0
        # number -> what its further jobs are sent to; None where there was no memory for a process
        self._forked: dict[int, asyncio.Future[socket.socket | None]] = {}
        self._ended: dict[int, asyncio.Future[int | None]] = {}  # number -> exit status
        self._receiver: asyncio.Task[None] | None = None

    @classmethod
    async def start(cls, settings: Settings) -> ForkServerProcess:
        """Start the process and wait until it is warm."""
        control, server_end = socket.socketpair()
        with contextlib.ExitStack() as until_started, server_end:
            until_started.enter_context(control)
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "voxgate.audio.decoder.server"),
                DecoderLimits.of(settings).to_json(),
                stdin=server_end.fileno(),
                stdout=asyncio.subprocess.DEVNULL,
                env={
                    **child_environment(settings),
                    "OPENBLAS_NUM_THREADS": "1",  # threads do not survive a fork
                    "TMPDIR": str(settings.spool_dir),  # for the file of the warm-up
                },
                start_new_session=True,  # a terminal's Ctrl-C must reach this process only
            )
            until_started.pop_all()
        control.setblocking(False)
        server = cls(process, control, settings)
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

    async def fork(self, source: Source) -> Decoding:
        """Fork a decoder, and let it decode this source."""
        loop = asyncio.get_running_loop()
        number = self._last_number = self._last_number + 1
        self._ended[number], self._forked[number] = loop.create_future(), loop.create_future()
        try:
            decoding = self._decode({"fork": number}, self._control, number, source)
        except BaseException:
            del self._ended[number], self._forked[number]
            raise
        try:
            async with asyncio.timeout(DECODER_GRACE_S):
                await asyncio.shield(self._forked[number])
        except BaseException as error:
            await decoding.close()
            if isinstance(error, TimeoutError):
                raise _server_died() from error
            raise
        return decoding

    def decode(self, number: int, source: Source) -> Decoding:
        """Let a decoder that waits decode this source, too. Raises `AudioError` if it has ended."""
        channel = self._forked[number].result()
        if channel is None:
            raise _server_died()
        return self._decode({}, channel, number, source)

    def let_wait(self, number: int) -> None:
        """Say that a decoder has done its first job and waits: the next one can be forked."""
        with contextlib.suppress(AudioError):  # a server that is gone forks no more
            _send(self._control, {"waits": number})

    def has_ended(self, number: int) -> bool:
        """Return whether a decoder is known to have ended."""
        return not self.alive or self._ended[number].done()

    def _decode(
        self, message: dict[str, Any], receiver: socket.socket, number: int, source: Source
    ) -> Decoding:
        """Send a message with a job and the descriptors that belong to it."""
        with contextlib.ExitStack() as decoder_ends, contextlib.ExitStack() as own_end:
            read_fd, write_fd = open_pipe()
            own_end.callback(os.close, read_fd)
            decoder_ends.callback(os.close, write_fd)
            fds = [source.fd, write_fd]
            if source.arrival_fd >= 0:
                fds.append(source.arrival_fd)
            elif source.size is None:
                scratch = decoder_ends.enter_context(
                    nameless_file(self._settings.spool_dir, "source-")
                )
                fds.append(scratch.fileno())
            job = DecoderJob.for_source(source, self._settings).to_json()
            _send(receiver, {**message, "job": job}, fds)
            decoding = Decoding(self, number, read_fd, source, self._settings)
            own_end.pop_all()  # the decoding closes it from now on
        return decoding

    async def wait(self, number: int) -> int | None:
        """Wait for a decoder's end. Return its exit status, or minus the number of a signal.

        Return None if the server ended first.
        """
        return await asyncio.shield(self._ended[number])

    async def kill(self, number: int) -> None:
        """Kill a decoder if it still runs, and forget it. Kill the server, too, if it hangs."""
        try:
            _send(self._control, {"kill": number})
            async with asyncio.timeout(DECODER_GRACE_S):
                await self.wait(number)
        except (AudioError, TimeoutError):  # the server is gone or hangs: its decoders die with it
            if self._process.returncode is None:
                self._process.kill()
            await self.wait(number)
        finally:
            self._close_channel(number)
            self._ended.pop(number, None)

    async def close(self) -> None:
        """Close the socket, upon which the server ends its decoders and itself."""
        if self._receiver:
            self._receiver.cancel()
            await asyncio.wait([self._receiver])
        self._control.close()
        for number in list(self._forked):
            self._close_channel(number)
        try:
            await asyncio.wait_for(self._process.wait(), timeout=DECODER_GRACE_S)
        except TimeoutError:  # it hangs, or it was stopped by a signal
            self._process.kill()
            await self._process.wait()

    async def _receive(self, ready: asyncio.Future[None]) -> None:
        """Handle the server's messages until it ends. Then resolve every future that is left."""
        buffer = b""
        try:
            while received := await self._read():
                data, channel = received
                *lines, buffer = (buffer + data).split(b"\n")
                for line in lines:
                    self._handle(json.loads(line), ready, channel)
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

    async def _read(self) -> tuple[bytes, socket.socket | None] | None:
        """Read what the server has sent, and the socket that came with it. None at its end.

        One read never returns the sockets of two messages: the kernel does not join these.
        """
        while True:
            try:
                data, fds, _, _ = socket.recv_fds(self._control, 1 << 16, 1)
            except BlockingIOError:
                await _readable(self._control)
            else:
                channel = socket.socket(fileno=fds[0]) if fds else None
                if channel:
                    channel.set_inheritable(False)
                    channel.setblocking(False)  # as at the server's end, which is the same one
                return (data, channel) if data else None

    def _handle(
        self,
        message: dict[str, int],
        ready: asyncio.Future[None],
        channel: socket.socket | None,
    ) -> None:
        if "ready" in message:
            ready.set_result(None)
        elif number := message.get("forked"):
            if forked := self._forked.get(number):
                forked.set_result(channel)
            elif channel:  # nobody waited so long
                channel.close()
        elif ended := self._ended.get(message.get("ended", 0)):
            ended.set_result(message["status"])

    def _close_channel(self, number: int) -> None:
        forked = self._forked.pop(number, None)
        if forked and forked.done() and not forked.exception() and (channel := forked.result()):
            channel.close()


async def _readable(readable: socket.socket) -> None:
    """Wait until a socket can be read."""
    loop, event = asyncio.get_running_loop(), asyncio.Event()
    loop.add_reader(readable.fileno(), event.set)
    try:
        await event.wait()
    finally:
        loop.remove_reader(readable.fileno())


def _send(receiver: socket.socket, message: dict[str, Any], fds: Sequence[int] = ()) -> None:
    try:
        socket.send_fds(receiver, [json.dumps(message).encode() + b"\n"], fds)
    except OSError as error:
        raise _server_died() from error


def _server_died() -> AudioError:
    return AudioError("The decoder server ended unexpectedly. Try again.", code="decoder_killed")
