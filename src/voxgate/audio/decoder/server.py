"""The fork server: a warm, single-threaded process that forks decoders, each with its first job.

A decoder is forked ahead while nothing else happens, and waits for its first job, confined: a
caller then waits for neither. One that has done a job may wait for another of the same caller.
The server exchanges lines of JSON with its caller over a Unix socket, which is its standard input:

    received   {"fork": number, "job": {…}}     a new decoder, which has this number from now on;
                                                with the descriptors source, out[, stream]
               {"waits": number}                it has done its first job, and waits for another
               {"kill": number}
    sent       {"ready": pid}
               {"forked": number}               with the socket that its further jobs are sent to,
                                                so that they wake no process between
               {"ended": number, "status": …}   the exit status, or minus the number of a signal

When its input ends, it ends all decoders and itself, so that no process outlives the caller.
"""

from __future__ import annotations

import gc
import json
import os
import selectors
import signal
import socket
import sys
import traceback
from dataclasses import dataclass
from typing import NoReturn

from voxgate import offline
from voxgate.audio.decoder import sandbox, worker
from voxgate.audio.decoder.messages import DecoderLimits
from voxgate.audio.decoder.worker import MAX_READ_BYTES


@dataclass(frozen=True, slots=True)
class ForkedDecoder:
    """A decoder's process, and the socket through which it gets its jobs."""

    pid: int
    channel: socket.socket


class ForkServer:
    """Forks decoders, gives each its first job, and reports how each one ended."""

    def __init__(self, control: socket.socket, limits: DecoderLimits) -> None:
        self._control, self._limits = control, limits
        self._decoders: dict[int, ForkedDecoder] = {}  # by their numbers
        self._next: ForkedDecoder | None = None
        worker.warm_up()
        self._buffer = b""
        self._selector = selectors.DefaultSelector()
        self._wake_read, self._wake_write = socket.socketpair()
        for end in (self._wake_read, self._wake_write):
            end.setblocking(False)

    def run(self) -> None:
        """Serve until the caller closes the socket."""
        signal.set_wakeup_fd(self._wake_write.fileno(), warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        gc.collect()
        gc.freeze()  # keep the collector from writing to pages that all decoders share
        self._fork_next()
        self._send(ready=os.getpid())
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_read:
                    self._reap()
                elif not self._receive():
                    return

    def kill_all(self) -> None:
        """Kill every decoder that still runs or waits, and report no end any more."""
        signal.set_wakeup_fd(-1)
        for decoder in [*self._decoders.values(), *([self._next] if self._next else [])]:
            os.kill(decoder.pid, signal.SIGKILL)

    def _receive(self) -> bool:
        """Read and handle the caller's messages. Return False at the end of the input.

        One read never returns the descriptors of two messages: the kernel does not join these.
        """
        data, fds, _, _ = socket.recv_fds(self._control, MAX_READ_BYTES, sandbox.MAX_RECEIVED)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        one_waits = False
        for line in lines:
            message = json.loads(line)
            if "fork" in message:
                self._start(message["fork"], line, fds)
            elif "kill" in message:
                self._kill(message["kill"])
            else:
                one_waits = True
        for fd in fds:
            os.close(fd)
        if one_waits and self._next is None:  # now that it does not want the processor
            self._fork_next()
        return True

    def _start(self, number: int, line: bytes, fds: list[int]) -> None:
        """Give the first job to the decoder that was forked ahead, or to a new one."""
        decoder = self._take_next()
        while decoder and not _hand_over(decoder, line, fds):  # it was killed while it waited
            decoder.channel.close()
            decoder = self._take_next()
        if decoder:
            self._decoders[number] = decoder
            self._send(decoder.channel, forked=number)
        else:  # out of memory or processes: reported like a decoder that was killed
            self._send(forked=number)
            self._send(ended=number, status=-signal.SIGKILL)

    def _take_next(self) -> ForkedDecoder | None:
        """Return the decoder that was forked ahead, or a new one where there is none."""
        if self._next is None:
            self._fork_next()
        taken, self._next = self._next, None
        return taken

    def _fork_next(self) -> None:
        """Fork a decoder that waits for its job. None where the system allows no process."""
        channel, its_end = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            self._become_decoder(its_end)
        its_end.close()
        if pid > 0:
            channel.setblocking(False)  # whatever the decoder does: the server never waits for it
            self._next = ForkedDecoder(pid, channel)
        else:
            channel.close()

    def _become_decoder(self, channel: socket.socket) -> NoReturn:
        """Do a decoder's work, and never return to the server's loop."""
        status = 1
        try:
            sandbox.die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when the caller is gone
            self._selector.close()  # the descriptors of all these get other meanings
            for end in (self._control, self._wake_read, self._wake_write):
                end.close()
            worker.work(channel, self._limits)
            status = 0
        except BaseException:  # noqa: BLE001 (no exception may reach the server's code)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _kill(self, number: int) -> None:
        """Kill a decoder, unless it was reaped: then another process may have its process id."""
        if decoder := self._decoders.get(number):
            os.kill(decoder.pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Report every decoder that ended. Where one had a job, fork the next one.

        Now, and not when the one that waited got its job: both would want the processor. One that
        ended while it waited has no successor before the next job: it might end at once, too.
        """
        had_job = False
        self._wake_read.recv(MAX_READ_BYTES)
        while self._decoders or self._next:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if self._next and pid == self._next.pid:
                self._next.channel.close()
                self._next = None
            for number in [n for n, decoder in self._decoders.items() if decoder.pid == pid]:
                had_job = True
                self._decoders.pop(number).channel.close()
                self._send(ended=number, status=os.waitstatus_to_exitcode(status))
        if had_job and self._next is None:
            self._fork_next()

    def _send(self, channel: socket.socket | None = None, **message: int) -> None:
        line = json.dumps(message).encode() + b"\n"
        socket.send_fds(self._control, [line], [channel.fileno()] if channel else [])


def _hand_over(decoder: ForkedDecoder, line: bytes, fds: list[int]) -> bool:
    """Send a job to a decoder. Return whether it went: a decoder may have ended."""
    try:
        socket.send_fds(decoder.channel, [line + b"\n"], fds)
    except OSError:
        return False
    return True


def main() -> None:
    """Run the server on standard input, which is one end of a Unix socket pair.

    Its argument are the decoders' limits.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller handles Ctrl-C
    control = socket.socket(fileno=os.dup(0))
    # Every decoder inherits standard input, where it could read the other decoders' jobs.
    with open(os.devnull, "rb") as devnull:  # noqa: PTH123 (a descriptor is needed)
        os.dup2(devnull.fileno(), 0)
    offline.inherit()
    server = ForkServer(control, DecoderLimits.from_json(sys.argv[1]))
    try:
        server.run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone: there is nobody to report to
    finally:
        server.kill_all()


if __name__ == "__main__":
    main()
