"""`ArchiveManifest`: a model as one file, for machines without a network.

An uncompressed tar (weights do not shrink): first `voxgate-model.json`, which has the record with
every file's size and SHA-256, then those files in that order. Any tar can list and unpack it.
"""

from __future__ import annotations

import io
import json
import os
import shutil
import tarfile
from dataclasses import asdict, dataclass
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, BinaryIO, cast

from voxgate.errors import (
    BundleError,
    ChangedCheckpointError,
    DiskFullError,
    OutputError,
    UsageError,
)
from voxgate.hardware.memory import format_bytes
from voxgate.models.store import atomic
from voxgate.models.store.files import HashingReader
from voxgate.models.store.names import check_free_name
from voxgate.models.store.progress import StoreProgress
from voxgate.models.store.record import RECORD_VERSION, ModelRecord

if TYPE_CHECKING:
    from typing import Any, BinaryIO

    from voxgate.models.store.record import FileEntry
    from voxgate.models.store.registry import Registry
    from voxgate.models.store.staging import Staging


MANIFEST = "voxgate-model.json"
MANIFEST_BYTES = 2**20  # the most it may have; a model of 100 files has 20 KB


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """What the first member says of the others."""

    record: ModelRecord  # its folder is that of another machine, and means nothing here

    def text(self) -> bytes:
        """The first member."""
        facts: dict[str, Any] = {"version": RECORD_VERSION, **asdict(self.record)}
        del facts["folder"]
        return (json.dumps(facts, indent=2) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, file: str) -> ArchiveManifest:
        """From bytes that anybody may have written. Raises `BundleError`, naming the file."""
        try:
            record = ModelRecord.of(json.loads(text), Path())
            check_free_name(record.name)
            names = [entry.name for entry in record.files]
            if not names or len(set(names)) != len(names):
                raise ValueError("its files are none, or one of them twice")
        except UsageError as error:
            raise BundleError(f"{file} cannot be imported: {error.sentence}") from error
        except (ValueError, TypeError, KeyError, RecursionError) as error:
            raise broken_archive(file, f"its {MANIFEST} makes no sense: {error}") from error
        return cls(record)


def broken_archive(file: str, reason: str) -> BundleError:
    """The sentence for a file that is no bundle, or was damaged on its way."""
    return BundleError(
        f"{file} is no whole file of `voxgate models export` ({reason}). Export it again, or copy "
        f"it again."
    )


# MERGED registry.exporting
# `export`: an installed model into one file.

SILENT_PROGRESS = StoreProgress()


def export_model(record: ModelRecord, target: Path, watch: StoreProgress = SILENT_PROGRESS) -> None:
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


def _write(record: ModelRecord, file: BinaryIO, watch: StoreProgress) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        manifest = ArchiveManifest(record).text()
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        done = 0
        for entry in record.files:
            _add(tar, record, entry, partial(_moved, watch, entry.name, done, record.nbytes))
            done += entry.nbytes


def _add(tar: tarfile.TarFile, record: ModelRecord, entry: FileEntry, moved: partial[None]) -> None:
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


def _moved(watch: StoreProgress, name: str, before: int, total: int, done: int) -> None:
    watch.moved(name, before + done, total)


def _member(name: str, nbytes: int) -> tarfile.TarInfo:
    """A plain file of nobody's and of no time."""
    member = tarfile.TarInfo(name)
    member.size = nbytes
    member.mode = 0o644
    return member


# MERGED registry.importing
# `import_model`: an exported model into the registry.
#
# The file comes from anywhere. It is read as a stream and never unpacked: each member must be the
# plain file that is expected next, by name and size, and is written where we choose.

COPY_BYTES_AT_ONCE = 2**20


def import_model(
    registry: Registry, path: Path, watch: StoreProgress = SILENT_PROGRESS
) -> ModelRecord:
    """Install the model in a file, or find that it is here already at that revision.

    Raises `BundleError` for a file that is none, or damaged; `UsageError` for a name that is an
    added folder's; `CheckpointError`, `DiskFullError` and `RegistryError`.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            return _import(registry, tar, str(path), watch)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise broken_archive(str(path), str(error) or "it ends too early") from error
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror or error}. Name a file of `voxgate models "
            f"export`."
        ) from error


def _import(
    registry: Registry, tar: tarfile.TarFile, file: str, watch: StoreProgress
) -> ModelRecord:
    manifest = _next(tar, file, MANIFEST)
    if manifest.size > MANIFEST_BYTES:
        raise broken_archive(file, f"its {MANIFEST} is too large")
    said = ArchiveManifest.parse(_content(tar, manifest).read(), file).record
    registry.refuse_added(said.name)
    with atomic.store_errors(registry.places.models), registry.changing(said.name, watch.say):
        here = registry.sound(said.name, said.revision)
        if here is not None:
            watch.say(f"{said.name} is here already, at {said.revision}.")
            return here
        staging = registry.staging(said.name, said.revision)
        staging.keep_only(set())  # all of it comes from the file
        try:
            _make_sure_of_room(said, staging)
            _copy_all(tar, said, staging, file, watch)
            return registry.install(said.name, said.revision, "import", said.layout, staging)
        except BaseException:  # an import has nothing to go on with: it begins anew
            staging.drop()
            raise


def _copy_all(
    tar: tarfile.TarFile, said: ModelRecord, staging: Staging, file: str, watch: StoreProgress
) -> None:
    done = 0
    for entry in said.files:
        member = _next(tar, file, entry.name)
        if member.size != entry.nbytes:
            raise broken_archive(file, f"{entry.name} has {member.size} bytes, not {entry.nbytes}")
        moved = partial(_moved, watch, entry.name, done, said.nbytes)
        if _copy(HashingReader(_content(tar, member), moved), staging, entry) != entry.sha256:
            raise broken_archive(file, f"{entry.name} has another SHA-256 than its {MANIFEST} says")
        staging.settle(entry.name)
        done += entry.nbytes
    if (more := tar.next()) is not None:
        raise broken_archive(file, f"it has '{more.name}', which its {MANIFEST} does not name")


def _copy(reader: HashingReader, staging: Staging, entry: FileEntry) -> str:
    with staging.part(entry.name).open("wb") as target:
        while block := reader.read(COPY_BYTES_AT_ONCE):
            target.write(block)
    return reader.sha256


def _next(tar: tarfile.TarFile, file: str, name: str) -> tarfile.TarInfo:
    member = tar.next()
    if member is None:
        raise broken_archive(file, f"it ends before {name}")
    if member.name != name or not member.isreg() or member.issparse():
        raise broken_archive(file, f"it has '{member.name}' where the plain file {name} should be")
    return member


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    return cast("BinaryIO", tar.extractfile(member))  # None only for what is no plain file


def _make_sure_of_room(said: ModelRecord, staging: Staging) -> None:
    free = shutil.disk_usage(staging.path).free
    if said.nbytes > free:
        raise DiskFullError(
            f"{said.name} needs {format_bytes(said.nbytes)} on the disk of {staging.path}, and "
            f"{format_bytes(free)} are free. Free some, or name a folder on a larger disk in "
            f"VOXGATE_HOME."
        )
