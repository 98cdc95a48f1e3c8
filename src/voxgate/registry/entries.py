"""From files on the disk to what a record says of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.registry.hashes import sha256_of
from voxgate.registry.names import family_of
from voxgate.registry.record import FileEntry, Record, now
from voxgate.registry.selection import SIDE_FILES
from voxgate.voxtral.folder import CONFIGS, INDEX

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.registry.record import Source
    from voxgate.voxtral.folder import Folder


def entry(path: Path) -> FileEntry:
    """A file as it is now. Its time is taken first: who writes meanwhile will be noticed."""
    before = path.stat()
    return FileEntry(path.name, before.st_size, sha256_of(path), before.st_mtime_ns)


def names_of(folder: Folder) -> list[str]:
    """The files of a checkpoint; those of another layout beside it are left out."""
    wanted = {CONFIGS[folder.layout], folder.tokenizer.name, *(file.name for file in folder.files)}
    if folder.layout == "hf":
        wanted |= {INDEX, *SIDE_FILES["hf"]}
    return sorted(name for name in wanted if (folder.path / name).exists())


def record(
    name: str, revision: str, source: Source, folder: Folder, files: tuple[FileEntry, ...]
) -> Record:
    """A model that is installed now."""
    family = family_of(folder.config, name)
    return Record(name, revision, source, folder.path, folder.layout, family, files, now())
