"""`Staging`: a model on its way, in a folder that nothing takes for a model.

`files/` holds what is whole and was verified; `parts/` what is not, or not yet. A file moves from
one to the other by a rename, after its bytes are on the disk: what a killed process leaves needs no
second look.
"""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING

from voxgate.models.store import atomic

if TYPE_CHECKING:
    from pathlib import Path

REVISION_FILE = "revision"  # a file that says of which commit the parts are


class Staging:
    """One model's. Whoever uses it holds the model's lock."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.files = path / "files"
        self.parts = path / "parts"

    def begin(self, revision: str) -> None:
        """Keep what there is of this revision, and drop what is of another."""
        said = self.path / REVISION_FILE
        if not said.is_file() or said.read_text(encoding="utf-8") != revision:
            self.drop()
            self.path.mkdir(parents=True)
            atomic.replace_text(said, revision)
        self.files.mkdir(exist_ok=True)
        self.parts.mkdir(exist_ok=True)

    def adopt(self, folder: Path) -> None:
        """Take over files that were installed of this revision; all will be verified anew."""
        for file in folder.iterdir():
            if file.is_file() and not file.is_symlink():
                file.rename(self.part(file.name))
        shutil.rmtree(folder)

    def part(self, name: str) -> Path:
        """Where a file is written to."""
        return self.parts / name

    def file(self, name: str) -> Path:
        """Where a file is when it is whole."""
        return self.files / name

    def settle(self, name: str) -> None:
        """Take a file as whole and verified."""
        atomic.fsync_path(self.part(name))
        atomic.durable_rename(self.part(name), self.file(name))

    def keep_only(self, names: set[str]) -> None:
        """Drop the files of a layout that is no longer the chosen one."""
        for folder in (self.files, self.parts):
            for path in folder.iterdir():
                if path.name not in names:
                    path.unlink()

    def present_bytes(self, name: str) -> int:
        """How much of a file is here."""
        for path in (self.file(name), self.part(name)):
            if path.exists():
                return path.stat().st_size
        return 0

    def drop(self) -> None:
        """Delete all of it."""
        if self.path.exists():
            shutil.rmtree(self.path)
