"""`Staging`: a model on its way, in a folder that nothing takes for a model.

`files/` holds complete and verified files, `parts/` incomplete or unverified ones. A file moves
from `parts/` to `files/` by a rename, after its bytes are on the disk, so what a killed process
leaves in `files/` needs no second verification.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from voxgate.models.store import atomic

if TYPE_CHECKING:
    from pathlib import Path

REVISION_FILE = "revision"  # contains the commit of the parts


class Staging:
    """The staging folder of one model. The caller holds the model's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / "files"
        self.parts = path / "parts"

    def begin(self, revision: str) -> None:
        """Keep what is there of this revision, and delete what is there of another."""
        revision_file = self.path / REVISION_FILE
        if not revision_file.is_file() or revision_file.read_text(encoding="utf-8") != revision:
            self.delete()
            self.path.mkdir(parents=True)
            atomic.replace_text(revision_file, revision)
        self.files.mkdir(exist_ok=True)
        self.parts.mkdir(exist_ok=True)

    def adopt(self, folder: Path) -> None:
        """Move installed files of this revision to the parts, to be verified again."""
        for file in folder.iterdir():
            if file.is_file() and not file.is_symlink():
                file.rename(self.part(file.name))
        shutil.rmtree(folder)

    def part(self, name: str) -> Path:
        """Return the path to which a file is written."""
        return self.parts / name

    def file(self, name: str) -> Path:
        """Return the path of a complete file."""
        return self.files / name

    def complete(self, name: str) -> None:
        """Move a file from the parts to the complete files, durably."""
        atomic.fsync_path(self.part(name))
        atomic.durable_rename(self.part(name), self.file(name))

    def keep_only(self, names: set[str]) -> None:
        """Delete the files of a layout that is no longer the chosen one."""
        for folder in (self.files, self.parts):
            for path in folder.iterdir():
                if path.name not in names:
                    path.unlink()

    def present_bytes(self, name: str) -> int:
        """Return how many bytes of a file are there."""
        for path in (self.file(name), self.part(name)):
            if path.exists():
                return path.stat().st_size
        return 0

    def delete(self) -> None:
        """Delete the whole folder."""
        if self.path.exists():
            shutil.rmtree(self.path)
