"""`import_`: an exported model into the registry.

The file comes from anywhere. It is read as a stream and never unpacked: each member must be the
plain file that is expected next, by name and size, and is written where we choose.
"""

from __future__ import annotations

import shutil
import tarfile
from functools import partial
from typing import TYPE_CHECKING, BinaryIO, cast

from voxgate.errors import BundleError, DiskFullError
from voxgate.registry import durable
from voxgate.registry.amounts import shown
from voxgate.registry.bundle import MANIFEST, MANIFEST_BYTES, Bundle, broken
from voxgate.registry.hashes import HashingReader
from voxgate.registry.watch import Watch

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.registry.record import FileEntry, Record
    from voxgate.registry.registry import Registry
    from voxgate.registry.staging import Staging

SILENT = Watch()
BLOCK_BYTES = 2**20


def import_(registry: Registry, path: Path, watch: Watch = SILENT) -> Record:
    """Install the model in a file, or find that it is here already at that revision.

    Raises `BundleError` for a file that is none, or damaged; `UsageError` for a name that is an
    added folder's; `CheckpointError`, `DiskFullError` and `RegistryError`.
    """
    try:
        with path.open("rb") as file, tarfile.open(fileobj=file, mode="r|") as tar:
            return _import(registry, tar, str(path), watch)
    except (tarfile.TarError, EOFError, ValueError) as error:
        raise broken(str(path), str(error) or "it ends too early") from error
    except OSError as error:
        raise BundleError(
            f"{path} cannot be read: {error.strerror or error}. Name a file of `voxgate models "
            f"export`."
        ) from error


def _import(registry: Registry, tar: tarfile.TarFile, file: str, watch: Watch) -> Record:
    manifest = _next(tar, file, MANIFEST)
    if manifest.size > MANIFEST_BYTES:
        raise broken(file, f"its {MANIFEST} is too large")
    said = Bundle.parse(_content(tar, manifest).read(), file).record
    registry.refuse_added(said.name)
    with durable.told(registry.places.models), registry.changing(said.name, watch.say):
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
    tar: tarfile.TarFile, said: Record, staging: Staging, file: str, watch: Watch
) -> None:
    done = 0
    for entry in said.files:
        member = _next(tar, file, entry.name)
        if member.size != entry.nbytes:
            raise broken(file, f"{entry.name} has {member.size} bytes, not {entry.nbytes}")
        moved = partial(_moved, watch, entry.name, done, said.nbytes)
        if _copy(HashingReader(_content(tar, member), moved), staging, entry) != entry.sha256:
            raise broken(file, f"{entry.name} has another SHA-256 than its {MANIFEST} says")
        staging.settle(entry.name)
        done += entry.nbytes
    if (more := tar.next()) is not None:
        raise broken(file, f"it has '{more.name}', which its {MANIFEST} does not name")


def _copy(reader: HashingReader, staging: Staging, entry: FileEntry) -> str:
    with staging.part(entry.name).open("wb") as target:
        while block := reader.read(BLOCK_BYTES):
            target.write(block)
    return reader.sha256


def _next(tar: tarfile.TarFile, file: str, name: str) -> tarfile.TarInfo:
    member = tar.next()
    if member is None:
        raise broken(file, f"it ends before {name}")
    if member.name != name or not member.isreg() or member.issparse():
        raise broken(file, f"it has '{member.name}' where the plain file {name} should be")
    return member


def _content(tar: tarfile.TarFile, member: tarfile.TarInfo) -> BinaryIO:
    return cast("BinaryIO", tar.extractfile(member))  # None only for what is no plain file


def _make_sure_of_room(said: Record, staging: Staging) -> None:
    free = shutil.disk_usage(staging.path).free
    if said.nbytes > free:
        raise DiskFullError(
            f"{said.name} needs {shown(said.nbytes)} on the disk of {staging.path}, and "
            f"{shown(free)} are free. Free some, or name a folder on a larger disk in VOXGATE_HOME."
        )


def _moved(watch: Watch, name: str, before: int, total: int, done: int) -> None:
    watch.moved(name, before + done, total)
