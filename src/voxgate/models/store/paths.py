"""`StorePaths`: where everything of the registry lies.

    models/OWNER/NAME.json                the record: a model is installed when it is there
    models/OWNER/NAME@0123456789ab/       its files, as they lie in the repository
    models/.staging/OWNER--NAME/          what a pull or an import has so far
    models/.gone/OWNER--NAME/             what is about to be deleted
    models/.locks/                        held while something changes

No name of a model begins with a dot or has an '@' or a '--' in it: none of these meet.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.models.running import RUN_FOLDER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

REVISION_DIGITS = 12  # of a commit in a folder's name: git's own short form for large histories


@dataclass(frozen=True, slots=True)
class StorePaths:
    """Paths below the folder of models. Names must have been checked."""

    models: Path

    @property
    def run(self) -> Path:
        """Where engines say which models they work with."""
        return self.models.parent / RUN_FOLDER

    def record(self, name: str) -> Path:
        """Where a model's record is."""
        return self.models / f"{name}.json"

    def records(self) -> Iterator[Path]:
        """Every record there is."""
        for pattern in ("*.json", "*/*.json"):
            for path in self.models.glob(pattern):
                parts = path.relative_to(self.models).parts
                if not any(part.startswith(".") or "@" in part for part in parts):
                    yield path

    def folder(self, name: str, revision: str) -> Path:
        """Where the files of a model of ours are."""
        return self.models / f"{name}@{revision[:REVISION_DIGITS]}"

    def folders(self, name: str) -> list[Path]:
        """Every revision's folder, with a record or without."""
        path = self.models / name
        return sorted(path.parent.glob(f"{path.name}@*"))

    def staging(self, name: str) -> Path:
        """Where a model is put together."""
        return self.models / ".staging" / _flat(name)

    def gone(self, name: str) -> Path:
        """Where a model's folders are moved to be deleted."""
        return self.models / ".gone" / _flat(name)

    def lock(self, name: str) -> Path:
        """What is held by whoever changes a model."""
        return self.models / ".locks" / _flat(name)


def _flat(name: str) -> str:
    return name.replace("/", "--")
