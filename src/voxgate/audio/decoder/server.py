"""The fork server: a warm, single-threaded process that forks a decoder for each job.

A decoder is forked ahead while nothing else happens, and waits for its job: a caller then does not
wait for the fork.
The server exchanges lines of JSON with its caller over a Unix socket, which is its standard input:

    received   {"decode": id, "job": {…}} with the descriptors source, out[, stream]
               {"kill": id}
    sent       {"ready": pid}
               {"forked": id, "pid": …}
               {"ended": id, "status": …}      the exit status, or minus the number of a signal

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
import tempfile
import traceback
from typing import TYPE_CHECKING, NoReturn

from voxgate import offline
from voxgate.audio.decoder import sandbox, sandboxed_decode
from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.decoder.silero import SileroVad
from voxgate.audio.decoder.sink import MAX_CHANNELS
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Audio

if TYPE_CHECKING:
    from collections.abc import Sequence

MAX_READ_BYTES = 1 << 16  # read at once; a job has some hundred bytes
MAX_FDS = 3


class ForkServer:
    """Forks a decoder for each job, and reports how each one ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._jobs: dict[int, int] = {}  # process id -> job id
        self._next: tuple[int, socket.socket] | None = None  # process id, and where it waits
        warm_up()
        # Here, because a confined decoder cannot load them.
        self._vads = [SileroVad() for _ in range(1 + MAX_CHANNELS)]
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
        for pid in [*self._jobs, *([self._next[0]] if self._next else [])]:
            os.kill(pid, signal.SIGKILL)

    def _receive(self) -> bool:
        """Read and handle the caller's messages. Return False at the end of the input.

        One read never returns the descriptors of two messages: the kernel does not join these.
        """
        data, fds, _, _ = socket.recv_fds(self._control, MAX_READ_BYTES, MAX_FDS)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "kill" in message:
                self._kill(message["kill"])
            else:
                self._start(message["decode"], line, fds)
        return True

    def _start(self, job_id: int, line: bytes, fds: list[int]) -> None:
        """Give the job to the decoder that waits, or to a new one."""
        pid = self._hand_over(line, fds)
        for fd in fds:
            os.close(fd)
        self._send(forked=job_id, pid=pid)
        if pid > 0:
            self._jobs[pid] = job_id
        else:  # out of memory or processes: reported like a decoder that was killed
            self._send(ended=job_id, status=-signal.SIGKILL)

    def _hand_over(self, line: bytes, fds: list[int]) -> int:
        """Send the job to a decoder. Return its process id, or -1 where none can be forked."""
        if self._next is None:
            self._fork_next(fds)
        while self._next is not None:
            (pid, channel), self._next = self._next, None
            with channel:
                try:
                    socket.send_fds(channel, [line], fds)
                except OSError:  # it was killed while it waited
                    self._fork_next(fds)
                else:
                    return pid
        return -1

    def _fork_next(self, open_fds: Sequence[int] = ()) -> None:
        """Fork a decoder that waits for its job. None where the system allows no process.

        It closes `open_fds`, those of a job: it is sent its own.
        """
        channel, its_end = socket.socketpair()
        try:
            pid = os.fork()
        except OSError:
            pid = -1
        if pid == 0:
            for fd in (channel.detach(), *open_fds):
                os.close(fd)
            self._become_decoder(its_end)
        its_end.close()
        if pid > 0:
            self._next = pid, channel
        else:
            channel.close()

    def _become_decoder(self, channel: socket.socket) -> NoReturn:
        """Wait for a job and decode it, confined. Never return to the server's loop."""
        status = 1
        try:
            sandbox.die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # end quietly when the caller is gone
            for end in (self._selector, self._control, self._wake_read, self._wake_write):
                end.close()
            job, fds = _received_job(channel)
            source_fd, out_fd, *stream = fds
            sandbox.enter(
                memory_bytes=job.memory_bytes,
                cpu_s=job.cpu_s,
                file_bytes=job.max_source_bytes,
            )
            sandboxed_decode.decode_file(
                job, self._vads, source_fd, stream[0] if stream else -1, out_fd
            )
            status = 0
        except BaseException:  # noqa: BLE001 (no exception may reach the server's code)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _kill(self, job_id: int) -> None:
        """Kill one decoder, unless it was reaped: then another process may have its process id."""
        for pid, running_id in self._jobs.items():
            if running_id == job_id:
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Report every decoder that ended. Where one had a job, fork the next one.

        Now, and not when the one that waited got its job: both would want the processor. One that
        ended while it waited has no successor before the next job: it might end at once, too.
        """
        had_job = False
        self._wake_read.recv(MAX_READ_BYTES)
        while self._jobs or self._next:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            if pid in self._jobs:
                had_job = True
                self._send(ended=self._jobs.pop(pid), status=os.waitstatus_to_exitcode(status))
            elif self._next and pid == self._next[0]:
                self._next[1].close()
                self._next = None
        if had_job and self._next is None:
            self._fork_next()

    def _send(self, **message: int) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")


def _received_job(channel: socket.socket) -> tuple[DecoderJob, list[int]]:
    """Wait for a job and its descriptors. End the process where none comes."""
    with channel:
        line, fds, _, _ = socket.recv_fds(channel, MAX_READ_BYTES, MAX_FDS)
        while part := channel.recv(MAX_READ_BYTES):
            line += part
    if not line:  # the server is gone
        os._exit(0)
    return DecoderJob.from_json(json.loads(line)["job"]), fds


def warm_up() -> None:
    """Decode a second of silence, which loads every module and table that a decoder needs.

    A confined decoder cannot open files, so anything that is imported at first use must be used
    here once.
    """
    silence = Audio.from_pcm16(bytes(SAMPLE_BYTES * SAMPLE_RATE)).wav()
    job = DecoderJob(
        name="silence",
        offset=0,
        size=len(silence),
        grows=False,
        pcm=None,
        track=None,
        language="en",
        split=False,
        max_source_bytes=2**20,
        max_duration_s=60.0,
        memory_bytes=2**30,
        cpu_s=60,
    )
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as devnull:  # noqa: PTH123
        file.write(silence)
        file.flush()
        sandboxed_decode.decode_file(job, [SileroVad()], file.fileno(), -1, devnull.fileno())


def main() -> None:
    """Run the server on standard input, which is one end of a Unix socket pair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller handles Ctrl-C
    control = socket.socket(fileno=os.dup(0))
    # Every decoder inherits standard input, where it could read the other decoders' jobs.
    with open(os.devnull, "rb") as devnull:  # noqa: PTH123 (a descriptor is needed)
        os.dup2(devnull.fileno(), 0)
    offline.inherit()
    server = ForkServer(control)
    try:
        server.run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone: there is nobody to report to
    finally:
        server.kill_all()


if __name__ == "__main__":
    main()
