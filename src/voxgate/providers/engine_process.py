"""`EngineProcess`: one engine's process, its socket's folder, and the end of both."""

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
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import EngineStartError
from voxgate.models.running import RUN_FOLDER, record_path
from voxgate.offline import child_environment

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

SOCKET_NAME = "engine"
SOCKET_PATH_BYTES = 103  # the longest that macOS takes; Linux takes 107
TAIL_BYTES = 8192  # what is kept of an engine's standard error
LAST_WORDS_S = 1.0  # how long after its end a process may still be heard on standard error

GPU_ORDER = {"CUDA_DEVICE_ORDER": "PCI_BUS_ID"}  # numbered as the driver does, which we have asked

logger = logging.getLogger("voxgate.engine")


class EngineProcess:
    """A running `python -m voxgate.engine`, made by `start`.

    The process cannot outlive this one: its lifeline is a pipe that ends with us. When it ends, by
    whatever cause, it is reaped and its folder removed without anybody's call.
    """

    def __init__(self, model: str, process: Process, folder: Path, plates: Path) -> None:
        self.model = model
        self.socket = folder / SOCKET_NAME
        self._folder, self._plate = folder, record_path(plates, process.pid)
        self._process = process
        self._tail = b""
        self._listener = asyncio.create_task(self._listen())
        self._end = asyncio.create_task(self._see_out())

    @classmethod
    async def start(cls, spec: ModelSpec, settings: Settings) -> EngineProcess:
        """Start an engine and wait until it takes connections, `engine_start_s` at most.

        Raises `EngineStartError` with the engine's last words. Cancelling leaves nothing behind.
        """
        model, plates = spec.name, settings.home / RUN_FOLDER
        folder = _folder(model)
        try:
            process = await asyncio.create_subprocess_exec(
                *(sys.executable, "-P", "-m", "voxgate.engine", spec.address),  # -P: not our cwd
                *("--socket", str(folder / SOCKET_NAME), "--lifeline"),
                *("--run-folder", str(plates), "--name", model, *_known(spec)),
                stdin=PIPE,
                stdout=PIPE,
                stderr=PIPE,
                env={**GPU_ORDER, **os.environ, **child_environment(settings)},
                start_new_session=True,
            )
        except BaseException as error:
            shutil.rmtree(folder)
            if isinstance(error, OSError):
                raise EngineStartError(f"The engine of {model} cannot start: {error}.") from error
            raise
        engine = cls(model, process, folder, plates)
        try:
            await engine._ready(settings.engine_start_s)
        except BaseException:
            engine.kill()
            await engine.ended()
            raise
        return engine

    @property
    def pid(self) -> int:
        """The process's id; it stays known after the end."""
        return self._process.pid

    @property
    def alive(self) -> bool:
        """Whether the process has not ended, as far as is known."""
        return self._process.returncode is None

    @property
    def how_it_ended(self) -> str:
        """Half a sentence: the signal or exit code, and the last line of standard error."""
        code = self._process.returncode
        if code is None:
            return "has not ended"
        if code < 0:
            return f"was ended by signal {-code} ({signal.strsignal(-code) or 'unknown'})"
        words = self._last_words()
        return f"ended with exit code {code}" + (f", saying: {words}" if words else "")

    def kill(self) -> None:
        """End it now (SIGKILL), with all that it started. Does nothing after its end."""
        self._signal(os.killpg, signal.SIGKILL)

    async def ended(self, timeout_s: float | None = None) -> bool:
        """Wait for the end; False when it did not come within `timeout_s` seconds."""
        done, _ = await asyncio.wait([self._end], timeout=timeout_s)
        return bool(done)

    async def stop(self, grace_s: float) -> None:
        """End it: SIGTERM, `grace_s` seconds for work in hand, SIGKILL. May be called again."""
        self._signal(os.kill, signal.SIGTERM)
        try:
            await self.ended(grace_s)
        finally:
            self.kill()
        await self.ended()

    def _signal(self, send: Callable[[int, int], None], number: signal.Signals) -> None:
        # Not Process.send_signal: it polls first, and may so reap the child before asyncio does.
        # macOS answers EPERM for a group whose only member is a zombie.
        if self.alive:
            with suppress(ProcessLookupError, PermissionError):
                send(self._process.pid, number)

    async def _ready(self, start_s: float) -> None:
        try:
            async with asyncio.timeout(start_s):
                announced = await self._announced()
        except TimeoutError as error:
            raise EngineStartError(
                f"The engine of {self.model} was not ready after {start_s:g} s and was ended. "
                f"VOXGATE_ENGINE_START_S gives it more time. {self._last_words()}".rstrip()
            ) from error
        if not announced:
            await self.ended(LAST_WORDS_S)
            raise EngineStartError(
                f"The engine of {self.model} did not start: it {self.how_it_ended}"
            )

    async def _announced(self) -> bool:
        stream = self._process.stdout
        while stream is not None and (line := await stream.readline()):
            if line.startswith(b'{"ready"'):  # what else stands there is of a library's making
                return True
        return False

    async def _listen(self) -> None:
        stream = self._process.stderr
        while stream is not None and (part := await stream.read(4096)):
            self._tail = (self._tail + part)[-TAIL_BYTES:]
            logger.info("%s[%d]: %s", self.model, self.pid, part.decode(errors="replace").rstrip())

    async def _see_out(self) -> None:
        try:
            await self._process.wait()
            await asyncio.wait([self._listener], timeout=LAST_WORDS_S)
        finally:
            self.kill()  # when the loop ends before the engine does
            self._listener.cancel()
            if self._process.stdin is not None:
                self._process.stdin.close()
            shutil.rmtree(self._folder, ignore_errors=True)
            with suppress(OSError):  # it took it away itself, unless it was killed
                self._plate.unlink(missing_ok=True)

    def _last_words(self) -> str:
        lines = self._tail.decode(errors="replace").strip().splitlines()
        return lines[-1].strip() if lines else ""


def _known(spec: ModelSpec) -> list[str]:
    """What the engine cannot know of its model by itself."""
    facts = {"--revision": spec.revision, "--profile": spec.profile, "--device": spec.device}
    return [word for name, fact in facts.items() if fact for word in (name, fact)]


def _folder(model: str) -> Path:
    """A new folder for a socket, mode 0700: the temporary one, or /tmp where that is too deep."""
    try:
        folder = Path(tempfile.mkdtemp(prefix="voxgate-engine-"))
        if len(os.fsencode(folder / SOCKET_NAME)) > SOCKET_PATH_BYTES:
            folder.rmdir()
            folder = Path(tempfile.mkdtemp(prefix="voxgate-engine-", dir="/tmp"))
    except OSError as error:
        raise EngineStartError(
            f"The engine of {model} cannot start: its socket has no place ({error.strerror}). Name "
            f"a folder that can be written, with a short path, in TMPDIR."
        ) from error
    return folder
