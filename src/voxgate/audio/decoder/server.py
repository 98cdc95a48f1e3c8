"""The fork server: a warm, single-threaded process that turns into one decoder after another.

It speaks lines of JSON over a Unix socket, its standard input:

    to it      {"decode": id, "job": {…}} with the descriptors source, out[, scratch]
               {"kill": id}
    from it    {"ready": pid}
               {"forked": id, "pid": …}
               {"ended": id, "status": …}      negative: the signal that ended it

The end of its input is its end, and that of every decoder: nothing outlives the caller.
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
from typing import NoReturn

from voxgate import offline
from voxgate.audio.decoder import decode, sandbox
from voxgate.audio.decoder.messages import DecoderJob
from voxgate.audio.decoder.silero import SileroVad
from voxgate.audio.spool import SAMPLE_BYTES, SAMPLE_RATE, Audio

MAX_LINES = 1 << 16  # bytes read at once; a job is some hundred
MAX_FDS = 3


class ForkServer:
    """Forks a decoder a job, and tells how each one ended."""

    def __init__(self, control: socket.socket) -> None:
        self._control = control
        self._jobs: dict[int, int] = {}  # pid -> id
        warm_up()
        self._voice = SileroVad()
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
        gc.freeze()  # what is warm now is shared with every decoder: the collector leaves it alone
        self._say(ready=os.getpid())
        self._selector.register(self._control, selectors.EVENT_READ)
        self._selector.register(self._wake_read, selectors.EVENT_READ)
        while True:
            for key, _ in self._selector.select():
                if key.fileobj is self._wake_read:
                    self._reap()
                elif not self._listen():
                    return

    def kill_all(self) -> None:
        """End every decoder that still runs."""
        for pid in self._jobs:
            os.kill(pid, signal.SIGKILL)

    def _listen(self) -> bool:
        """Read what the caller says. The kernel never joins two messages that carry descriptors."""
        data, fds, _, _ = socket.recv_fds(self._control, MAX_LINES, MAX_FDS)
        if not data:
            return False
        *lines, self._buffer = (self._buffer + data).split(b"\n")
        for line in lines:
            message = json.loads(line)
            if "kill" in message:
                self._kill(message["kill"])
            else:
                self._fork(message["decode"], DecoderJob.from_json(message["job"]), fds)
        return True

    def _fork(self, number: int, job: DecoderJob, fds: list[int]) -> None:
        try:
            pid = os.fork()
        except OSError:  # no memory or no process to be had: as if somebody had killed it
            pid = -1
        if pid == 0:
            self._become_decoder(job, fds)
        for fd in fds:
            os.close(fd)
        self._say(forked=number, pid=pid)
        if pid > 0:
            self._jobs[pid] = number
        else:
            self._say(ended=number, status=-signal.SIGKILL)

    def _become_decoder(self, job: DecoderJob, fds: list[int]) -> NoReturn:
        """The child's side of the fork: confined first, and never back into the server's loop."""
        status = 1
        try:
            sandbox.die_with_parent()
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            signal.signal(signal.SIGPIPE, signal.SIG_DFL)  # nobody listens any more: end quietly
            for end in (self._selector, self._control, self._wake_read, self._wake_write):
                end.close()
            source_fd, out_fd, *scratch = fds
            sandbox.enter(
                memory_bytes=job.memory_bytes,
                cpu_s=job.cpu_s,
                file_bytes=job.max_source_bytes,
            )
            decode.decode_file(job, self._voice, source_fd, scratch[0] if scratch else -1, out_fd)
            status = 0
        except BaseException:  # noqa: BLE001 (whatever it is, it must not run the server's code)
            traceback.print_exc()
        finally:
            sys.stderr.flush()
            os._exit(status)

    def _kill(self, number: int) -> None:
        """End one decoder. Only children that were not reaped yet: their ids cannot be others'."""
        for pid, of in self._jobs.items():
            if of == number:
                os.kill(pid, signal.SIGKILL)

    def _reap(self) -> None:
        """Tell of every decoder that ended."""
        self._wake_read.recv(MAX_LINES)
        while self._jobs:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            self._say(ended=self._jobs.pop(pid), status=os.waitstatus_to_exitcode(status))

    def _say(self, **message: int) -> None:
        self._control.sendall(json.dumps(message).encode() + b"\n")


def warm_up() -> None:
    """Decode a little silence, so that every module and table is loaded that a decoder needs.

    A confined decoder cannot open files: what is imported at first use must have been used here.
    """
    silence = Audio.from_pcm16(bytes(SAMPLE_BYTES * SAMPLE_RATE)).wav()
    job = DecoderJob("silence", 0, len(silence), None, 2**20, 60.0, 2**30, 60)
    with tempfile.TemporaryFile() as file, open(os.devnull, "wb") as nowhere:  # noqa: PTH123
        file.write(silence)
        file.flush()
        decode.decode_file(job, SileroVad(), file.fileno(), -1, nowhere.fileno())


def main() -> None:
    """Serve on standard input, which is one end of a Unix socket pair."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the caller's to handle
    control = socket.socket(fileno=os.dup(0))
    # Standard input would go along to every decoder, and with it the other decoders' jobs.
    with open(os.devnull, "rb") as nothing:  # noqa: PTH123 (a descriptor is wanted)
        os.dup2(nothing.fileno(), 0)
    offline.inherit()
    server = ForkServer(control)
    try:
        server.run()
    except (BrokenPipeError, ConnectionResetError):
        pass  # the caller is gone, and so is whoever could be told
    finally:
        server.kill_all()


if __name__ == "__main__":
    main()
