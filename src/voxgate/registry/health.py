"""Whether a model's files are still those that were installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError
from voxgate.registry.entries import entry

if TYPE_CHECKING:
    from voxgate.registry.record import FileEntry, Record


def look(record: Record) -> None:
    """By size and time: microseconds. Raises `ChangedCheckpointError`."""
    for file in record.files:
        path = record.folder / file.name
        try:
            found = path.stat()
        except OSError as error:
            raise ChangedCheckpointError(
                f"{record.name} cannot be used: {path} cannot be read ({error.strerror}). "
                f"{_again(record)}"
            ) from error
        if (found.st_size, found.st_mtime_ns) != (file.nbytes, file.mtime_ns):
            raise ChangedCheckpointError(
                f"{record.name} cannot be used: {path} was changed after it was installed. "
                f"`voxgate models show {record.name} --verify` tells whether its content was. "
                f"{_again(record)}"
            )


def compare(record: Record) -> tuple[FileEntry, ...]:
    """By content, a second a gigabyte: the files as they are. Raises `ChangedCheckpointError`."""
    return tuple(_compared(record, file) for file in record.files)


def _compared(record: Record, file: FileEntry) -> FileEntry:
    path = record.folder / file.name
    try:
        found = entry(path)
    except OSError as error:
        raise ChangedCheckpointError(
            f"{record.name} cannot be used: {path} cannot be read ({error.strerror}). "
            f"{_again(record)}"
        ) from error
    if found.sha256 != file.sha256:
        raise ChangedCheckpointError(
            f"{record.name} cannot be used: {path} is not the file that was installed. Its SHA-256 "
            f"is {found.sha256}, and was {file.sha256}. {_again(record)}"
        )
    return found


def _again(record: Record) -> str:
    if record.source == "add":
        return (
            f"If the new files are meant, add the folder again: `voxgate models add "
            f"{record.folder} --name {record.name}`."
        )
    if record.source == "import":
        return "Import it again."
    return f"Get it again: `voxgate models pull {record.name} --revision {record.revision}`."
