"""`StorePaths`: the paths of the registry.

    models/OWNER/NAME.json                the record: a model is installed when it exists
    models/OWNER/NAME@0123456789ab/       its files, as they are in the repository
    models/.staging/OWNER--NAME/          what a pull or an import has so far
    models/.gone/OWNER--NAME/             what is about to be deleted
    models/.locks/                        a lock file while a model changes

The name of a model does not begin with a dot and contains no '@' and no '--', so none of these
paths collide.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.models.running import RUN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVISION_DIGITS = 12  # of a commit in a folder's name: git's own short form in large histories


@dataclass(frozen=True, slots=True)
class StorePaths:
    """Paths below the folder of models. The names must have been checked."""

    models: Path

    @property
    def run(self) -> Path:
        """The folder of the engine records: see `models.running`."""
        return self.models.parent / RUN_FOLDER

    def record(self, name: str) -> Path:
        """Return the path of a model's record."""
        return self.models / f"{name}.json"

    def records(self) -> Iterator[Path]:
        """Yield the paths of all records."""
        for pattern in ("*.json", "*/*.json"):
            for path in self.models.glob(pattern):
                parts = path.relative_to(self.models).parts
                if not any(part.startswith(".") or "@" in part for part in parts):
                    yield path

    def folder(self, name: str, revision: str) -> Path:
        """Return the folder of the files of a model that was pulled or imported."""
        return self.models / f"{name}@{revision[:REVISION_DIGITS]}"

    def folders(self, name: str) -> list[Path]:
        """Return the folders of all revisions, with a record or without."""
        path = self.models / name
        return sorted(path.parent.glob(f"{path.name}@*"))

    def staging(self, name: str) -> Path:
        """Return the folder in which a model is assembled."""
        return self.models / ".staging" / _flat_name(name)

    def trash(self, name: str) -> Path:
        """Return the folder to which a model's folders are moved to be deleted."""
        return self.models / ".gone" / _flat_name(name)

    def lock(self, name: str) -> Path:
        """Return the path of the lock that a process holds while it changes a model."""
        return self.models / ".locks" / _flat_name(name)


def _flat_name(name: str) -> str:
    return name.replace("/", "--")
