"""Whether a model's files are still those that were installed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError
from voxgate.models.store.files import file_entry

if TYPE_CHECKING:
    from voxgate.models.store.record import FileEntry, ModelRecord


def check_unchanged(record: ModelRecord) -> None:
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


def verify_content(record: ModelRecord) -> tuple[FileEntry, ...]:
    """By content, a second a gigabyte: the files as they are. Raises `ChangedCheckpointError`."""
    return tuple(_compared(record, file) for file in record.files)


def _compared(record: ModelRecord, file: FileEntry) -> FileEntry:
    path = record.folder / file.name
    try:
        found = file_entry(path)
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


def repair_command(record: ModelRecord) -> str:
    """The command for files that are not as they were: where all have their sizes, to compare."""
    try:
        sizes = [(record.folder / file.name).stat().st_size for file in record.files]
    except OSError:
        return reinstall_command(record)
    as_installed = sizes == [file.nbytes for file in record.files]
    return (
        f"voxgate models show {record.name} --verify" if as_installed else reinstall_command(record)
    )


def reinstall_command(record: ModelRecord) -> str:
    """The command that gets the model anew."""
    if record.source == "add":
        return f"voxgate models add {shlex.quote(str(record.folder))} --name {record.name}"
    if record.source == "import":
        return "voxgate models import FILE"
    return f"voxgate models pull {record.name} --revision {record.revision}"


def _again(record: ModelRecord) -> str:
    how = {
        "add": "If the new files are meant, add the folder again",
        "import": "Import it again",
        "pull": "Get it again",
    }
    return f"{how[record.source]}: `{reinstall_command(record)}`."
