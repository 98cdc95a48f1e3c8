"""`search_folder`: the recordings in a folder, judging by names and first bytes."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.audio.file_kinds import is_recording, reason_to_skip

if TYPE_CHECKING:
    from collections.abc import Iterator


@dataclass(frozen=True, slots=True)
class UnreadFile:
    """A file in a folder that looks like sound and is not read."""

    path: Path
    reason: str


def search_folder(
    folder: Path, *, headerless: bool = False, recursive: bool = True
) -> Iterator[Path | UnreadFile | OSError]:
    """Yield the recordings by name, what looks like one, and the errors of folders, last.

    With `headerless` raw files are searched for, without `recursive` not below the folder. Links
    to folders are not followed, since they may form a loop.
    """
    unreadable: list[OSError] = []
    for at, folders, files in os.walk(folder, onerror=unreadable.append):
        folders[:] = sorted(name for name in folders if recursive and not name.startswith("."))
        for path in (Path(at, name) for name in sorted(files) if not name.startswith(".")):
            if not path.is_file():
                continue
            if is_recording(path, headerless=headerless):
                yield path
            elif reason := reason_to_skip(path, headerless=headerless):
                yield UnreadFile(path, reason)
    yield from unreadable
