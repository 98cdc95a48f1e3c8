"""Engine records: how any process finds the running engines of a home.

    VOXGATE_HOME/run/4711.json      one for each engine, named by its process

An engine publishes its record before it loads anything, and holds a lock on the file as long as it
lives. The kernel drops the lock when the process ends, however it ends. So a record that can be
locked belongs to a dead engine, and is deleted.
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
MAX_RECORD_BYTES = 65_536  # a record has two long paths and some names

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class EngineRecord:
    """What an engine publishes about itself from its start."""

    pid: int
    model: str
    socket: str  # its path; nothing listens there while the model loads
    started_at: str  # UTC, ISO 8601
    revision: str | None = None
    profile: str | None = None
    device: str | None = None  # where it computes; None in records of older engines
    checkpoint: str | None = None  # the folder of its weights

    @classmethod
    def for_process(cls, spec: ModelSpec, socket: Path) -> EngineRecord:
        """Return the record of this process, with that model on that socket."""
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
    """Return the path of a process's record."""
    return folder / f"{pid}.json"


@contextmanager
def published_record(record: EngineRecord, folder: Path) -> Iterator[None]:
    """Publish the record in `folder` during the block.

    In a folder that cannot be written the engine runs unpublished, with a warning in the log.
    """
    try:
        descriptor = _publish(record, folder)
    except OSError as error:
        log.warning("`voxgate ps` will not show this engine: %s", error)
        yield
        return
    try:
        yield
    finally:
        record_path(folder, record.pid).unlink(missing_ok=True)
        os.close(descriptor)


def running_engines(folder: Path) -> list[EngineRecord]:
    """Return the records of the living engines by their start, and delete those of dead ones."""
    found = [record for path in folder.glob("*.json") if (record := _read(path)) is not None]
    return sorted(found, key=lambda record: (record.started_at, record.pid))


def _publish(record: EngineRecord, folder: Path) -> int:
    """Write and lock the record; return its descriptor.

    It is written to a draft first, so that no reader finds it before it is locked.
    """
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    draft = folder / f".{record.pid}.draft"
    descriptor = os.open(draft, os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        os.write(descriptor, json.dumps(asdict(record)).encode())
        draft.rename(record_path(folder, record.pid))
    except BaseException:
        draft.unlink(missing_ok=True)
        os.close(descriptor)
        raise
    return descriptor


def _read(path: Path) -> EngineRecord | None:
    """Return the record of a living engine; delete the file of a dead one."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:  # it was just deleted, or belongs to another user
        return None
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return _parse(os.read(descriptor, MAX_RECORD_BYTES))
        if _is_same_file(descriptor, path):
            with suppress(OSError):
                path.unlink()
        return None
    finally:
        os.close(descriptor)


def _parse(text: bytes) -> EngineRecord | None:
    try:
        return EngineRecord(**json.loads(text))
    except (ValueError, TypeError):  # written by another version
        return None


def _is_same_file(descriptor: int, path: Path) -> bool:
    """Return whether `path` is still this file: a new process may have the same number."""
    try:
        return os.path.samestat(os.fstat(descriptor), path.stat())
    except OSError:
        return False
