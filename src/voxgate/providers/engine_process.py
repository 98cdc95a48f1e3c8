"""`EngineProcess`: an engine's process and the folder of its socket, from start to end."""

from __future__ import annotations

import asyncio
import logging
import os
import shutil
import signal
import sys
import tempfile
from asyncio.subprocess import PIPE, Process
from contextlib import suppress
from contextvars import Context
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.child_environment import child_environment
from voxgate.errors import EngineStartError
from voxgate.logs import ForeignLine
from voxgate.models.running import RUN_FOLDER, record_path

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

SOCKET_NAME = "engine"
SOCKET_PATH_BYTES = 103  # the longest that macOS takes; Linux takes 107
TAIL_BYTES = 8192  # of an engine's standard error, kept for messages
LINE_BYTES = 64 * 1024  # of its standard error, logged as one line
STDERR_DRAIN_S = 1.0  # how long after the end of a process its standard error is read

GPU_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # number GPUs as the driver does, which was queried

log = logging.getLogger("voxgate.engine")


class EngineProcess:
    """A running `python -m voxgate.engine`. Create it with `start`.

    The engine cannot outlive this process: its standard input is a pipe that ends with it. When the
    engine ends, for whatever reason, it is reaped and its folder is removed automatically.
    """

    def __init__(self, model: str, process: Process, folder: Path, run_folder: Path) -> None:
        self.model = model
        self.socket = folder / SOCKET_NAME
        self._folder, self._record = folder, record_path(run_folder, process.pid)
        self._process = process
        self._tail = b""
        # Its lines are not of the request that was the first to need it.
        self._stderr_reader = asyncio.create_task(self._read_stderr(), context=Context())
        self._end = asyncio.create_task(self._clean_up())

    @classmethod
    async def start(cls, spec: ModelSpec, settings: Settings) -> EngineProcess:
        """Start an engine and wait until it accepts connections, at most `engine_start_s`.

        Raises `EngineStartError` with the last line of the engine's standard error. Cancelling
        leaves nothing behind.
        """
        model, run_folder = spec.name, settings.home / RUN_FOLDER
        folder = _create_folder(model)
        try:
            process = await asyncio.create_subprocess_exec(
                *(
                    sys.executable,
                    "-P",
                    "-m",
                    "voxgate.engine",
                    spec.address,
                ),  # -P: ignore the working directory
                *("--socket", str(folder / SOCKET_NAME), "--lifeline"),
                *("--run-folder", str(run_folder), "--name", model, *_spec_options(spec)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**GPU_ORDER, **child_environment(settings)},
                start_new_session=True,
            )
        except BaseException as error:
            shutil.rmtree(folder)
            if isinstance(error, OSError):
                raise EngineStartError(f"The engine of {model} cannot start: {error}.") from error
            raise
        engine = cls(model, process, folder, run_folder)
        try:
            await engine._wait_until_ready(settings.engine_start_s)
        except BaseException:
            engine.kill()
            await engine.wait()
            raise
        return engine

    @property
    def pid(self) -> int:
        """The process's id, also after its end."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not been seen to end."""
        return self._process.returncode is None

    @property
    def end_reason(self) -> str:
        """How it ended, as the predicate of a sentence, with the last line of standard error."""
        code = self._process.returncode
        if code is None:
            return "has not ended"
        if code < 0:
            return f"was ended by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
        line = self._last_line()
        return f"ended with exit code {code}" + (f", saying: {line}" if line else "")

    def kill(self) -> None:
        """Kill the process and its children (SIGKILL). Do nothing after its end."""
        self._signal(os.killpg, signal.SIGKILL)

    async def wait(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; return False when it did not come within `timeout_s` seconds."""
        done, _ = await asyncio.wait([self._end], timeout=timeout_s)
        return bool(done)

    async def stop(self, grace_s: float) -> None:
        """Send SIGTERM, wait `grace_s` seconds for windows in flight, then kill."""
        self._signal(os.kill, signal.SIGTERM)
        try:
            await self.wait(grace_s)
        finally:
            self.kill()
        await self.wait()

    def _signal(self, send: Callable[[int, int], None], number: signal.Signals) -> None:
        # Not Process.send_signal: it polls first, and may reap the child before asyncio does.
        # macOS answers EPERM for a group whose only member is a zombie.
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                send(self._process.pid, number)

    async def _wait_until_ready(self, start_s: float) -> None:
        try:
            async with asyncio.timeout(start_s):
                ready = await self._read_ready_line()
        except TimeoutError as error:
            raise EngineStartError(
                f"The engine of {self.model} was not ready after {start_s:g} s and was ended. "
                f"VOXGATE_ENGINE_START_S gives it more time. {self._last_line()}".rstrip()
            ) from error
        if not ready:
            await self.wait(STDERR_DRAIN_S)
            raise EngineStartError(
                f"The engine of {self.model} did not start: it {self.end_reason}"
            )

    async def _read_ready_line(self) -> bool:
        stream = self._process.stdout
        while stream is not None and (line := await stream.readline()):
            if line.startswith(b'{"ready"'):  # a library may print other lines
                return True
        return False

    async def _read_stderr(self) -> None:
        stream, rest = self._process.stderr, b""
        while stream is not None and (part := await stream.read(4096)):
            self._tail = (self._tail + part)[-TAIL_BYTES:]
            *lines, rest = (rest + part).split(b"\n")
            if len(rest) > LINE_BYTES:
                lines, rest = [*lines, rest], b""
            for line in lines:
                self._log(line)
        self._log(rest)

    def _log(self, line: bytes) -> None:
        """Log a line of its standard error as its own. Empty lines are skipped."""
        if text := line.decode(errors="replace").rstrip():
            said = ForeignLine.parse(text)
            fields = {"engine": self.model, "engine_pid": self.pid, **said.fields}
            log.log(said.level, "%s[%d]: %s", self.model, self.pid, said.event, extra=fields)

    async def _clean_up(self) -> None:
        try:
            await self._process.wait()
            await asyncio.wait([self._stderr_reader], timeout=STDERR_DRAIN_S)
        finally:
            self.kill()  # when the loop ends before the engine does
            self._stderr_reader.cancel()
            if self._process.stdin is not None:
                self._process.stdin.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # the engine removed it, unless it was killed
                self._record.unlink(missing_ok=True)

    def _last_line(self) -> str:
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return ForeignLine.parse(lines[-1].strip()).event if lines else ""


def _spec_options(spec: ModelSpec) -> list[str]:
    """Return the options for what the engine cannot know of its model."""
    values = {"--revision": spec.revision, "--profile": spec.profile, "--device": spec.device}
    if spec.capabilities.answers:
        values["--context-tokens"] = str(spec.context_tokens)
    return [word for name, value in values.items() if value for word in (name, value)]


def _create_folder(model: str) -> Path:
    """Create a folder for a socket, mode 0700, in the temporary folder.

    It is in /tmp when the temporary folder's path is too long for a socket.
    """
    try:
        folder = Path(tempfile.mkdtemp(prefix="voxgate-engine-"))
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES:
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="voxgate-engine-", dir="/tmp"))
    except OSError as error:
        raise EngineStartError(
            f"The engine of {model} cannot start: no folder can be created for its socket "
            f"({error.strerror}). Name a writable folder with a short path in TMPDIR."
        ) from error
    return folder
