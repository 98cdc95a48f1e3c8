"""`ArchiveManifest`: a model as one file, for machines without a network.

The file is an uncompressed tar, since weights do not compress. Its first member,
`voxgate-model.json`, is the record with every file's size and SHA-256; those files follow in that
order. Any tar program can list and unpack it.
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

from voxgate.errors import ChangedCheckpointError, OutputError, UsageError, VoxgateError
from voxgate.hardware.memory import format_bytes
from voxgate.models.store import atomic
from voxgate.models.store.files import HashingReader
from voxgate.models.store.names import check_free_name
from voxgate.models.store.progress import NO_PROGRESS, StoreProgress
from voxgate.models.store.record import RECORD_VERSION, ModelRecord

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from voxgate.models.store.record import FileEntry
    from voxgate.models.store.registry import Registry
    from voxgate.models.store.staging import Staging


MANIFEST = "voxgate-model.json"
MAX_MANIFEST_BYTES = 2**20  # a model of 100 files has 20 KB
COPY_BYTES_AT_ONCE = 2**20


@dataclass(frozen=True, slots=True)
class ArchiveManifest:
    """The first member: what the other members are."""

    record: ModelRecord  # its folder is meaningless: it is another machine's

    def to_json(self) -> bytes:
        """Return the content of the first member."""
        facts: dict[str, Any] = {"version": RECORD_VERSION, **asdict(self.record)}
        del facts["folder"]
        return (json.dumps(facts, indent=2) + "\n").encode()

    @classmethod
    def parse(cls, text: bytes, file: str) -> ArchiveManifest:
        """Read a manifest from an untrusted source.

        Raises `VoxgateError` (`invalid_bundle`), which names the file.
        """
        try:
            record = ModelRecord.from_facts(json.loads(text), Path())
            check_free_name(record.name)
            names = [entry.name for entry in record.files]
            if not names or len(set(names)) != len(names):
                raise ValueError("it names no files, or one of them twice")
        except UsageError as error:
            raise VoxgateError(
                f"{file} cannot be imported: {error.sentence}", code="invalid_bundle"
            ) from error
        except (ValueError, RecursionError) as error:
            raise broken_archive(file, f"its {MANIFEST} is invalid: {error}") from error
        return cls(record)


def broken_archive(file: str, reason: str) -> VoxgateError:
    """Return the error for a file that is not an exported model, or is damaged."""
    return VoxgateError(
        f"{file} is not a complete file of `voxgate models export` ({reason}). Export it again, or "
        f"copy it again.",
        code="invalid_bundle",
    )


def export_model(record: ModelRecord, target: Path, progress: StoreProgress = NO_PROGRESS) -> None:
    """Write the model to `target`, completely or not at all.

    The files are hashed as they are read. Raises `ChangedCheckpointError` for files that are not
    those that were installed, and `OutputError` for a target that cannot be written.
    """
    draft = target.with_name(f".{target.name}.draft")
    try:
        try:
            with draft.open("wb") as file:
                _write_tar(record, file, progress)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(
            f"{record.name} cannot be exported to {target}: {error.strerror or error}. Free some "
            f"space there, or name another file."
        ) from error


def _write_tar(record: ModelRecord, file: BinaryIO, progress: StoreProgress) -> None:
    with tarfile.open(fileobj=file, mode="w", format=tarfile.PAX_FORMAT) as tar:
        manifest = ArchiveManifest(record).to_json()
        tar.addfile(_member(MANIFEST, len(manifest)), io.BytesIO(manifest))
        done = 0
        for entry in record.files:
            on_read = partial(_report, progress, entry.name, done, record.nbytes)
            _add_file(tar, record, entry, on_read)
            done += entry.nbytes


def _add_file(
    tar: tarfile.TarFile, record: ModelRecord, entry: FileEntry, on_read: Callable[[int], None]
) -> None:
    with (record.folder / entry.name).open("rb") as source:
        reader = HashingReader(source, on_read)
        unchanged = os.fstat(source.fileno()).st_size == entry.nbytes
        if unchanged:
            try:
                tar.addfile(_member(entry.name, entry.nbytes), reader)
            except tarfile.TarError:  # it was truncated while it was read
                unchanged = False
    if not unchanged or reader.sha256 != entry.sha256:
        raise ChangedCheckpointError(
            f"{record.name} cannot be exported: {record.folder / entry.name} is not the file that "
            f"was installed. Get the model again."
        )


def _report(progress: StoreProgress, name: str, before: int, total: int, nbytes: int) -> None:
    progress.on_bytes(name, before + nbytes, total)


def _member(name: str, nbytes: int) -> tarfile.TarInfo:
    """Return the header of a plain file, without an owner or a time."""
    member = tarfile.TarInfo(name)
    member.size = nbytes
    member.mode = 0o644
    return member


def import_model(
    registry: Registry, path: Path, progress: StoreProgress = NO_PROGRESS
) -> ModelRecord:
    """Install the model in an exported file, unless that revision is already installed.

    The file may come from anywhere. It is read as a stream and never unpacked: each member must be
    the plain file that is expected next, by name and size, and is written to a path that is chosen
    here. Raises `VoxgateError` (`invalid_bundle`) for a file that is not an exported model, or is
    damaged; `UsageError` for the name of an added folder; `CheckpointError`, `VoxgateError`
    (`disk_full`) and `RegistryError`.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            return _import(registry, tar, str(path), progress)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise broken_archive(str(path), str(error) or "it ends too early") from error
    except OSError as error:
        raise VoxgateError(
            f"{path} cannot be read: {error.strerror or error}. Name a file of `voxgate models "
            f"export`.",
            code="invalid_bundle",
        ) from error


def _import(
    registry: Registry, tar: tarfile.TarFile, file: str, progress: StoreProgress
) -> ModelRecord:
    manifest = _next_member(tar, file, MANIFEST)
    if manifest.size > MAX_MANIFEST_BYTES:
        raise broken_archive(file, f"its {MANIFEST} is too large")
    record = ArchiveManifest.parse(_content(tar, manifest).read(), file).record
    registry.check_not_added(record.name)
    with (
        atomic.store_errors(registry.paths.models),
        registry.lock_model(record.name, progress.on_message),
    ):
        installed = registry.find_unchanged(record.name, record.revision)
        if installed is not None:
            progress.on_message(f"{record.name} is already installed, at {record.revision}.")
            return installed
        staging = registry.staging(record.name, record.revision)
        staging.keep_only(set())  # every file comes from the archive
        try:
            _check_disk_space(record, staging)
            _copy_all(tar, record, staging, file, progress)
            return registry.install(record.name, record.revision, "import", record.layout, staging)
        except BaseException:  # an import cannot be resumed: it starts over
            staging.delete()
            raise


def _copy_all(
    tar: tarfile.TarFile, record: ModelRecord, staging: Staging, file: str, progress: StoreProgress
) -> None:
    done = 0
    for entry in record.files:
        member = _next_member(tar, file, entry.name)
        if member.size != entry.nbytes:
            raise broken_archive(file, f"{entry.name} has {member.size} bytes, not {entry.nbytes}")
        on_read = partial(_report, progress, entry.name, done, record.nbytes)
        if _copy(HashingReader(_content(tar, member), on_read), staging, entry) != entry.sha256:
            raise broken_archive(file, f"{entry.name} has another SHA-256 than its {MANIFEST} says")
        staging.complete(entry.name)
        done += entry.nbytes
    if (extra := tar.next()) is not None:
        raise broken_archive(file, f"it has '{extra.name}', which its {MANIFEST} does not name")


def _copy(reader: HashingReader, staging: Staging, entry: FileEntry) -> str:
    with staging.part(entry.name).open("wb") as target:
        while block := reader.read(COPY_BYTES_AT_ONCE):
            target.write(block)
    return reader.sha256


def _next_member(tar: tarfile.TarFile, file: str, name: str) -> tarfile.TarInfo:
    member = tar.next()
    if member is None:
        raise broken_archive(file, f"it ends before {name}")
    if member.name != name or not member.isreg() or member.issparse():
        raise broken_archive(file, f"it has '{member.name}' where the plain file {name} should be")
    return member


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    return cast("BinaryIO", tar.extractfile(member))  # None only for other than plain files


def _check_disk_space(record: ModelRecord, staging: Staging) -> None:
    free = shutil.disk_usage(staging.path).free
    if record.nbytes > free:
        raise VoxgateError(
            f"{record.name} needs {format_bytes(record.nbytes)} on the disk of {staging.path}, and "
            f"{format_bytes(free)} are free. Free some, or name a folder on a larger disk in "
            f"VOXGATE_HOME.",
            code="disk_full",
        )
