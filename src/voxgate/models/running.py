"""Plates: how the engines of a home are found, by whoever asks and without asking their owners.

    VOXGATE_HOME/run/4711.json      one for each engine, named by its process

An engine hangs out its plate before it loads anything and holds a lock on it for as long as it
lives. The kernel drops the lock with the process, however that ends: a plate that can be locked is
of nobody, and goes.
"""

from __future__ import annotations

import fcntl
import json
import logging
import os
from contextlib import contextmanager, suppress
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from voxgate.models.catalogue import ModelSpec

RUN_FOLDER = "run"  # of the home
MAX_RECORD_BYTES = 65_536  # of a plate: two long paths and some names

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What an engine says of itself from its first moment on."""

    pid: int
    model: str
    socket: str  # its path; nobody listens there while it loads
    started_at: str  # UTC, ISO 8601
    revision: str | None = None
    profile: str | None = None
    device: str | None = None  # where it computes; None: an older engine does not say
    checkpoint: str | None = None  # the folder of its weights

    @classmethod
    def of(cls, spec: ModelSpec, socket: Path) -> EngineRecord:
        """This process's, with that model on that socket."""
        return cls(
            pid=os.getpid(),
            model=spec.name,
            socket=str(socket.absolute()),
            started_at=datetime.now(UTC).isoformat(timespec="seconds"),
            revision=spec.revision,
            profile=spec.profile,
            device=spec.device,
            checkpoint=None if spec.checkpoint is None else str(spec.checkpoint),
        )


def record_path(folder: Path, pid: int) -> Path:
    """Where a process's plate hangs."""
    return folder / f"{pid}.json"


@contextmanager
def published(plate: EngineRecord, folder: Path) -> Iterator[None]:
    """Be found in `folder` inside. Where it cannot be written to, the engine works unseen."""
    try:
        descriptor = _hang(plate, folder)
    except OSError as error:
        logger.warning("`voxgate ps` will not show this engine: %s", error)
        yield
        return
    try:
        yield
    finally:
        record_path(folder, plate.pid).unlink(missing_ok=True)
        os.close(descriptor)


def running_engines(folder: Path) -> list[EngineRecord]:
    """Those of living engines, by their start. What dead ones have left is taken away."""
    found = [plate for path in folder.glob("*.json") if (plate := _read(path)) is not None]
    return sorted(found, key=lambda plate: (plate.started_at, plate.pid))


def _hang(plate: EngineRecord, folder: Path) -> int:
    """Hang it out, locked: as a draft first, lest it is taken for a dead one's in between."""
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{plate.pid}.draft"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(asdict(plate)).encode())
        draft.rename(record_path(folder, plate.pid))
    except BaseException:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _read(path: Path) -> EngineRecord | None:
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it was taken away just now, or is another user's
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parsed(os.read(descriptor, MAX_RECORD_BYTES))
        if _hangs(descriptor, path):
            with suppress(OSError):
                path.unlink()
        return None
    finally:
        os.close(descriptor)


def _parsed(text: bytes) -> EngineRecord | None:
    try:
        return EngineRecord(**json.loads(text))
    except (ValueError, TypeError):  # of another version
        return None


def _hangs(descriptor: int, path: Path) -> bool:
    """Whether it is still this file that hangs there: a new process may have the same number."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
