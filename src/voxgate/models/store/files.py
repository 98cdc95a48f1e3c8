"""The files of a model: their hashes, their tensors, and their entries in a record."""

from __future__ import annotations

from hashlib import file_digest, sha1, sha256
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, EngineStartError
from voxgate.installation import Installation
from voxgate.models.checkpoint import Checkpoint, shape_of
from voxgate.models.store.names import family_of
from voxgate.models.store.record import FileEntry, ModelRecord, timestamp
from voxgate.models.store.selection import SIDE_FILES
from voxgate.voxtral.checkpoint.directory import CONFIG_FILES, INDEX_FILE, CheckpointDirectory
from voxgate.voxtral.checkpoint.weight_names import LAYOUTS
from voxgate.whisper.directory import WhisperDirectory, whisper_files

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path
    from typing import BinaryIO

    from voxgate.models.store.record import ModelSource

OPTIONAL_MODULES = {"encoder.positions", "decoder.embeddings", "decoder.head"}
"""Computed, named otherwise in older files, or the same as the embeddings: the loader decides."""


def new_record(
    name: str,
    revision: str,
    source: ModelSource,
    directory: Checkpoint,
    files: tuple[FileEntry, ...],
) -> ModelRecord:
    """Return the record of a model that is installed now."""
    family = family_of(shape_of(directory), name)
    return ModelRecord(
        name, revision, source, directory.path, directory.layout, family, files, timestamp()
    )


def checkpoint_files(directory: Checkpoint) -> list[str]:
    """Return the names of a checkpoint's files, without those of another layout beside it."""
    if isinstance(directory, WhisperDirectory):
        return whisper_files(directory)
    wanted = {
        CONFIG_FILES[directory.layout],
        directory.tokenizer.name,
        *(file.name for file in directory.files),
    }
    if directory.layout == "hf":
        wanted |= {INDEX_FILE, *SIDE_FILES["hf"]}
    return sorted(name for name in wanted if (directory.path / name).exists())


def file_entry(path: Path) -> FileEntry:
    """Return the entry of a file. Its time is read first, so that a write meanwhile is noticed."""
    before = path.stat()
    return FileEntry(path.name, before.st_size, sha256_of(path), before.st_mtime_ns)


def sha256_of(path: Path) -> str:
    """Return the SHA-256 of a file; about a second per gigabyte."""
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def git_blob_of(path: Path) -> str:
    """Return git's hash of a file, by which the hub knows files outside of LFS."""
    digest = sha1(b"blob %d\0" % path.stat().st_size, usedforsecurity=False)
    with path.open("rb") as file:
        return file_digest(file, lambda: digest).hexdigest()


class HashingReader:
    """A binary file that is hashed as it is read.

    `on_read` is called with the number of bytes that were read so far.
    """

    def __init__(self, source: BinaryIO, on_read: Callable[[int], None]) -> None:
        self._source, self._on_read = source, on_read
        self._digest, self._nbytes = sha256(), 0

    @property
    def sha256(self) -> str:
        """The SHA-256 of what was read so far."""
        return self._digest.hexdigest()

    def read(self, nbytes: int = -1) -> bytes:
        """Read as from the file."""
        data = self._source.read(nbytes)
        self._digest.update(data)
        self._nbytes += len(data)
        self._on_read(self._nbytes)
        return data


def check_tensors(directory: Checkpoint) -> None:
    """Raise `CheckpointError` for broken, missing or quantized weights of a Voxtral.

    A Whisper's were checked when its folder was opened.

    Only headers are read, without torch. `voxtral.checkpoint` compares every shape when a model is
    loaded; this check runs at a pull, an import or an addition, when a truncated or missing file
    can still be fetched again.
    """
    if isinstance(directory, WhisperDirectory):
        return
    present: set[str] = set()
    for path in directory.files:
        present |= _tensor_names(path)
    missing = sorted(set(_expected_tensors(directory)) - present)
    if missing:
        raise CheckpointError(
            f"{directory.path} lacks {len(missing)} tensors of its model, the first "
            f"'{missing[0]}'. It is incomplete, or of another model: get it again."
        )


def _expected_tensors(directory: CheckpointDirectory) -> Iterator[str]:
    config = directory.config
    layers = {"encoder": config.encoder.layers, "decoder": config.decoder.layers}
    for parameter, name in LAYOUTS[directory.layout].items():
        if parameter not in OPTIONAL_MODULES:
            numbers = range(layers[parameter.partition(".")[0]]) if "*" in name else (0,)
            yield from (f"{name.replace('*', str(number))}.weight" for number in numbers)


def _tensor_names(path: Path) -> set[str]:
    try:
        from voxgate.voxtral.checkpoint.safetensors_file import read_header  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError as error:
        raise EngineStartError(
            f"Models are checked with safetensors, not installed here: "
            f"`{Installation.find().install_extra('voxtral')}`.",
            code="no_endpoints",
        ) from error
    return set(read_header(path))
