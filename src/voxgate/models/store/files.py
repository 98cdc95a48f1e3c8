"""From files on the disk to what a record says of them."""

from __future__ import annotations

from hashlib import file_digest, sha1, sha256
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, NoWeightsError
from voxgate.models.store.names import family_of
from voxgate.models.store.record import FileEntry, ModelRecord, timestamp
from voxgate.models.store.selection import SIDE_FILES
from voxgate.voxtral.checkpoint.directory import CONFIG_FILES, INDEX_FILE
from voxgate.voxtral.checkpoint.weight_names import LAYOUTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from voxgate.models.store.record import ModelSource
    from voxgate.voxtral.checkpoint.directory import CheckpointDirectory


# MERGED registry.hashes
# The two hashes that files are known by: SHA-256, and git's own for what lies in no LFS.


def sha256_of(path: Path) -> str:
    """Of a file's content; about a second a gigabyte."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """What git calls a file's content."""
    digest = sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return file_digest(file, lambda: digest).hexdigest()


class HashingReader:
    """A file that is hashed as it is read; `moved` is told the bytes that were read so far."""

    def __init__(self, source: BinaryIO, moved: Callable[[int], None]) -> None:
        self._source, self._moved = source, moved
        self._digest, self._done = sha256(), 0

    @property
    def sha256(self) -> str:
        """Of what was read so far."""
        return self._digest.hexdigest()

    def read(self, nbytes: int = -1) -> bytes:
        """As a file's."""
        data = self._source.read(nbytes)
        self._digest.update(data)
        self._done += len(data)
        self._moved(self._done)
        return data


# MERGED registry.headers
# Whether a folder's weights are all there, by their headers and without torch.
#
# `voxtral.checkpoint` compares every shape when a model is loaded. This looks earlier, where a file
# that was cut off or forgotten can still be got again: at the pull, the import or the adding.

OPTIONAL_MODULES = {"encoder.positions", "decoder.embeddings", "decoder.head"}
"""Computed, called otherwise in older files, or the embeddings themselves: the loader decides."""


def check_tensors(folder: CheckpointDirectory) -> None:
    """Raise `CheckpointError` for weights that are broken, missing or quantised."""
    found: set[str] = set()
    for path in folder.files:
        found |= _tensors(path)
    lacking = sorted(set(_expected(folder)) - found)
    if lacking:
        raise CheckpointError(
            f"{folder.path} lacks {len(lacking)} tensors of its model, the first '{lacking[0]}'. "
            f"It is incomplete, or of another model: get it again."
        )


def _expected(folder: CheckpointDirectory) -> Iterator[str]:
    layers = {"encoder": folder.config.encoder.layers, "decoder": folder.config.decoder.layers}
    for parameter, name in LAYOUTS[folder.layout].items():
        if parameter not in OPTIONAL_MODULES:
            numbers = range(layers[parameter.partition(".")[0]]) if "*" in name else (0,)
            yield from (f"{name.replace('*', str(number))}.weight" for number in numbers)


def _tensors(path: Path) -> set[str]:
    try:
        from voxgate.voxtral.checkpoint.safetensors_file import read_header  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError as error:
        raise NoWeightsError(
            "Models are looked at with safetensors, not installed here: "
            '`pip install "voxgate[voxtral]"`.'
        ) from error
    return set(read_header(path))


def file_entry(path: Path) -> FileEntry:
    """A file as it is now. Its time is taken first: who writes meanwhile will be noticed."""
    before = path.stat()
    return FileEntry(path.name, before.st_size, sha256_of(path), before.st_mtime_ns)


def checkpoint_files(folder: CheckpointDirectory) -> list[str]:
    """The files of a checkpoint; those of another layout beside it are left out."""
    wanted = {
        CONFIG_FILES[folder.layout],
        folder.tokenizer.name,
        *(file.name for file in folder.files),
    }
    if folder.layout == "hf":
        wanted |= {INDEX_FILE, *SIDE_FILES["hf"]}
    return sorted(name for name in wanted if (folder.path / name).exists())


def new_record(
    name: str,
    revision: str,
    source: ModelSource,
    folder: CheckpointDirectory,
    files: tuple[FileEntry, ...],
) -> ModelRecord:
    """A model that is installed now."""
    family = family_of(folder.config, name)
    return ModelRecord(
        name, revision, source, folder.path, folder.layout, family, files, timestamp()
    )
