"""Run commands quickly: a process that has imported the command line forks for each of them.

A command has its own arguments, environment, folder, streams and end of the interpreter, as one
that a shell starts. Only what most commands import is there before it.

    python -m tests.cli.forking DESCRIPTOR    where it receives commands
"""

from __future__ import annotations

import atexit
import gc
import json
import os
import runpy
import signal
import socket
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from dataclasses import asdict, dataclass
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import IO, TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

ROOT = Path(__file__).parents[2]
MODULES = (
    *("alembic.command", "cryptography.hazmat.primitives.ciphers.aead", "httpx2", "sqlite3"),
    *("voxgate.cli", "voxgate.cli.key_facts", "voxgate.cli.listed_keys", "voxgate.settings"),
    *("voxgate.ledger.ledger", "voxgate.models.available"),
)
"""What most commands import. None of it starts a thread, which would not survive a fork."""

OF_THE_INTERPRETER = ("PYTHON", "LANG", "LC_")
"""Variables that are read before any import begin so: another value needs another interpreter."""

MAX_BYTES = 1 << 17  # of a command with its environment


@dataclass(frozen=True)
class Command:
    """What a process is started with."""

    arguments: list[str]
    environment: dict[str, str]
    folder: str

    @property
    def is_forkable(self) -> bool:
        """Whether it would begin in an interpreter like that of the tests."""
        return of_the_interpreter(self.environment) == of_the_interpreter(os.environ)


def of_the_interpreter(environment: Mapping[str, str]) -> dict[str, str]:
    return {k: v for k, v in environment.items() if k.startswith(OF_THE_INTERPRETER)}


class ForkServer:
    """The process that forks, as its caller sees it. Its threads may use it at once."""

    def __init__(self) -> None:
        self._socket, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-m", "tests.cli.forking", str(theirs.fileno())],
                stdin=subprocess.DEVNULL,
                cwd=ROOT,
                pass_fds=[theirs.fileno()],
            )

    def run(self, command: Command, limit_s: float) -> subprocess.CompletedProcess[bytes]:
        """Run a command to its end, without any input, and capture what it writes.

        Raises `subprocess.TimeoutExpired` after killing it.
        """
        with ExitStack() as files, ThreadPoolExecutor(2) as threads:
            ends = [pipe(files) for _ in range(3)]
            (said, output), (complaints, errors), (states, state) = ends
            given = files.enter_context(Path(os.devnull).open("rb"))
            theirs = (given, output, errors, state)
            message = json.dumps(asdict(command)).encode()
            socket.send_fds(self._socket, [message], [end.fileno() for end in theirs])
            for end in theirs:
                end.close()
            out, err = threads.submit(said.read), threads.submit(complaints.read)
            killed, pid = threading.Event(), int(states.readline())

            def kill() -> None:
                killed.set()
                os.kill(pid, signal.SIGKILL)

            limit = threading.Timer(limit_s, kill)
            limit.start()
            code = int(states.readline())
            limit.cancel()
            if killed.is_set():
                raise subprocess.TimeoutExpired(command.arguments, limit_s, out.result())
            return subprocess.CompletedProcess(command.arguments, code, out.result(), err.result())

    def close(self) -> None:
        """End the process."""
        self._socket.close()
        self._process.wait()


def pipe(files: ExitStack) -> tuple[IO[bytes], IO[bytes]]:
    """Return the ends of a pipe, to read and to write."""
    read, write = os.pipe()
    return files.enter_context(open(read, "rb")), files.enter_context(open(write, "wb"))  # noqa: PTH123


@cache
def fork_server() -> ForkServer:
    """The server of this process, which starts at first use."""
    server = ForkServer()
    atexit.register(server.close)
    return server


def main() -> None:
    """Fork for each command. In its process, become it."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # the caller's end is heeded, by the socket
    for name in MODULES:
        import_module(name)
    gc.collect()
    gc.freeze()  # keep the collector from writing to pages that all commands share
    with socket.socket(fileno=int(sys.argv[1])) as commands:
        received = next_command(commands)
    if received is not None:
        become(received)


def next_command(commands: socket.socket) -> Command | None:
    """Return the command in a process of its own, and None in this one, when there is no more."""
    while True:
        message, fds, _, _ = socket.recv_fds(commands, MAX_BYTES, 4)
        if not message:
            return None
        with suppress(ChildProcessError):  # there was no command yet
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        if os.fork() == 0:
            *streams, state = fds
            wait_for_command(state)
            os.close(state)
            for number, fd in enumerate(streams):
                os.dup2(fd, number)
                os.close(fd)
            return Command(**json.loads(message))
        for fd in fds:
            os.close(fd)


def wait_for_command(state: int) -> None:
    """Fork. Return in the child; in this process tell its id and how it ended, and end."""
    pid = os.fork()
    if pid == 0:
        return
    os.write(state, f"{pid}\n".encode())
    _, status = os.waitpid(pid, 0)
    os.write(state, f"{os.waitstatus_to_exitcode(status)}\n".encode())
    os._exit(0)


def become(command: Command) -> None:
    """Run the command as the interpreter does, which ends as after any program."""
    for number in (signal.SIGHUP, signal.SIGTERM):  # as `heed_signals` has them
        signal.signal(number, signal.SIG_DFL)
    signal.signal(signal.SIGINT, signal.default_int_handler)
    os.environ.clear()
    os.environ.update(command.environment)
    time.tzset()
    os.chdir(command.folder)
    sys.argv = ["voxgate", *command.arguments]
    runpy.run_module("voxgate", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
