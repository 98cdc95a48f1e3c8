"""Check that a model's files are still those that were installed."""

from __future__ import annotations

import shlex
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError
from voxgate.models.store.files import file_entry

if TYPE_CHECKING:
    from voxgate.models.store.record import FileEntry, ModelRecord


def check_unchanged(record: ModelRecord) -> None:
    """Compare the size and time of each file; microseconds. Raises `ChangedCheckpointError`."""
    for file in record.files:
        path = record.folder / file.name
        try:
            found = path.stat()
        except OSError as error:
            raise ChangedCheckpointError(
                f"{record.name} cannot be used: {path} cannot be read ({error.strerror}). "
                f"{_reinstall_advice(record)}"
            ) from error
        if (found.st_size, found.st_mtime_ns) != (file.nbytes, file.mtime_ns):
            raise ChangedCheckpointError(
                f"{record.name} cannot be used: {path} was changed after it was installed. "
                f"`voxgate models show {record.name} --verify` checks whether its content was. "
                f"{_reinstall_advice(record)}"
            )


def verify_content(record: ModelRecord) -> tuple[FileEntry, ...]:
    """Compare the hash of each file, a second per gigabyte, and return the files as they are now.

    Raises `ChangedCheckpointError` for the first file that differs.
    """
    return tuple(_verify_file(record, file) for file in record.files)


def _verify_file(record: ModelRecord, file: FileEntry) -> FileEntry:
    path = record.folder / file.name
    try:
        found = file_entry(path)
    except OSError as error:
        raise ChangedCheckpointError(
            f"{record.name} cannot be used: {path} cannot be read ({error.strerror}). "
            f"{_reinstall_advice(record)}"
        ) from error
    if found.sha256 != file.sha256:
        raise ChangedCheckpointError(
            f"{record.name} cannot be used: {path} is not the file that was installed. Its SHA-256 "
            f"is {found.sha256}, and was {file.sha256}. {_reinstall_advice(record)}"
        )
    return found


def repair_command(record: ModelRecord) -> str:
    """Return the command for changed files: a verification if all sizes agree, else a reinstall."""
    try:
        sizes = [(record.folder / file.name).stat().st_size for file in record.files]
    except OSError:
        return reinstall_command(record)
    if sizes == [file.nbytes for file in record.files]:
        return f"voxgate models show {record.name} --verify"
    return reinstall_command(record)


def reinstall_command(record: ModelRecord) -> str:
    """Return the command that installs the model again."""
    if record.source == "add":
        return f"voxgate models add {shlex.quote(str(record.folder))} --name {record.name}"
    if record.source == "import":
        return "voxgate models import FILE"
    if record.source == "package":
        return f"voxgate models rm {record.name}"
    return f"voxgate models pull {record.name} --revision {record.revision}"


def _reinstall_advice(record: ModelRecord) -> str:
    advice = {
        "add": "If the new files are meant, add the folder again",
        "import": "Import it again",
        "pull": "Get it again",
        "package": "Remove it, and the next use installs it again from its package",
    }
    return f"{advice[record.source]}: `{reinstall_command(record)}`."
