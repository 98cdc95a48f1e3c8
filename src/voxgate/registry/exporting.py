"""`export`: an installed model into one file."""

from __future__ import annotations

import io
import os
import tarfile
from functools import partial
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError, OutputError
from voxgate.registry.bundle import MANIFEST, Bundle
from voxgate.registry.hashes import HashingReader
from voxgate.registry.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path
    from typing import BinaryIO

    from voxgate.registry.record import FileEntry, Record

SILENT = Watch()


def export(record: Record, target: Path, watch: Watch = SILENT) -> None:
    """Write the model to `target`, which has it whole or not at all.

    What is read is hashed on its way: raises `ChangedCheckpointError` for files that are not those
    that were installed, and `OutputError` for a target that cannot be written.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        try:
            with draft.open("wb") as file:
                _write(record, file, watch)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{record.name} cannot be exported to {target}: {error.strerror or error}. Free some "
            f"space there, or name another place."
        ) from error


def _write(record: Record, file: BinaryIO, watch: Watch) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        manifest = Bundle(record).text()
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        done = 0
        for entry in record.files:
            _add(tar, record, entry, partial(_moved, watch, entry.name, done, record.nbytes))
            done += entry.nbytes


def _add(tar: tarfile.TarFile, record: Record, entry: FileEntry, moved: partial[None]) -> None:
    with (record.folder / entry.name).open("rb") as source:
        reader = HashingReader(source, moved)
        same = os.fstat(source.fileno()).st_size == entry.nbytes
        if same:
            try:
                tar.addfile(_member(entry.name, entry.nbytes), reader)
            except tarfile.TarError:  # it was cut while it was read
                same = False
    if not same or reader.sha256 != entry.sha256:
        raise ChangedCheckpointError(
            f"{record.name} cannot be exported: {record.folder / entry.name} is not the file that "
            f"was installed. Get the model again."
        )


def _moved(watch: Watch, name: str, before: int, total: int, done: int) -> None:
    watch.moved(name, before + done, total)


def _member(name: str, nbytes: int) -> tarfile.TarInfo:
    """A plain file of nobody's and of no time."""
    member = tarfile.TarInfo(name)
    member.size = nbytes
    member.mode = 0o644
    return member
