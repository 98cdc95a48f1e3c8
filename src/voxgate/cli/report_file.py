"""`ReportFile`: a report in the file that -o names, in the format of its ending."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.cli.file_writing import check_writable, replace_file, writing_failure
from voxgate.cli.streams import print_message
from voxgate.errors import OutputError, UsageError

if TYPE_CHECKING:
    from collections.abc import Iterable

ENDINGS = {".html": "html", ".htm": "html", ".json": "json"}


class ReportFile:
    """One file, written completely or not at all. Folders above it are created.

    `format` is html or json: what the ending says. The constructor raises `UsageError` for another
    ending or a folder.
    """

    def __init__(self, name: str) -> None:
        self.path = Path(name)
        ending = ENDINGS.get(self.path.suffix.lower())
        if ending is None or os.path.isdir(self.path):  # noqa: PTH112 (a name may be too long)
            raise UsageError(f"-o {name} is no .html or .json file. Name one, e.g. -o report.html.")
        self.format = ending

    def prepare(self, read: Iterable[Path]) -> None:
        """Make sure that the file can be written, before hours of work.

        Raises `UsageError` if it is one of the files that are read, and `OutputError`.
        """
        if os.path.realpath(self.path) in set(map(os.path.realpath, read)):
            raise UsageError(
                f"{self.path} is a recording or a reference. Name another file with -o."
            )
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            check_writable(self.path.parent)
        except OSError as error:
            raise self._failure(error) from error

    def write(self, text: str) -> None:
        """Write the file, in place of one that is there. Raises `OutputError`."""
        try:
            replaced = replace_file(self.path, text.encode())
        except OSError as error:
            raise self._failure(error) from error
        print_message(f"{'replaced' if replaced else 'wrote'} {self.path}")

    def _failure(self, error: OSError) -> OutputError:
        return OutputError(writing_failure(f"{self.path} cannot be written", error))
