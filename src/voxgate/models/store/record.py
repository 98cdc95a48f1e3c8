"""`ModelRecord`: an installed model, stored as JSON."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

import msgspec

from voxgate.errors import RegistryError
from voxgate.models.checkpoint import Layout  # noqa: TC001 (msgspec reads the annotations)

if TYPE_CHECKING:
    from collections.abc import Iterable

ModelSource: TypeAlias = Literal["pull", "add", "import", "package"]
"""How a model was installed. Files of `add` belong to somebody else; the others may be deleted."""

RECORD_VERSION = 1
WEIGHTS_SUFFIX = ".safetensors"
WEIGHT_SUFFIXES = (WEIGHTS_SUFFIX, ".bin")


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One of a model's files, as it was when the model was installed."""

    name: str  # in the model's folder; there are no folders below it
    nbytes: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """An installed model."""

    name: str
    revision: str  # the commit that was pulled; for an added folder, a hash of its files
    source: ModelSource
    folder: Path
    layout: Layout
    family: str  # see `names`
    files: tuple[FileEntry, ...]  # those of its layout only
    installed_at: str  # UTC, ISO 8601 with microseconds: such strings sort by time

    @property
    def nbytes(self) -> int:
        """Its bytes on disk."""
        return sum(file.nbytes for file in self.files)

    @property
    def memory_bytes(self) -> int:
        """The memory of its weights in the type in which they are stored."""
        return sum(file.nbytes for file in self.files if file.name.endswith(WEIGHT_SUFFIXES))

    def facts(self) -> dict[str, Any]:
        """Return every field and the total bytes, for JSON."""
        return {**asdict(self), "folder": str(self.folder), "bytes": self.nbytes}

    def to_json(self, models: Path) -> str:
        """Return the text of the record's file.

        Folders below `models` are stored relative to it, so that a home can be moved.
        """
        folder = self.folder
        relative = folder.relative_to(models) if folder.is_relative_to(models) else folder
        facts = {"version": RECORD_VERSION, **asdict(self), "folder": str(relative)}
        return json.dumps(facts, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path, models: Path) -> ModelRecord:
        """Read a record's file. Raises `RegistryError`, and `FileNotFoundError` without a file."""
        try:
            facts = json.loads(path.read_bytes())
            folder = models / msgspec.convert(facts, _StoredFolder).folder
            record = cls.from_facts(facts, folder)
            if path != models / f"{record.name}.json":
                raise ValueError(f"it is the record of '{record.name}'")
        except FileNotFoundError:
            raise
        except (OSError, ValueError, RecursionError) as error:
            name = path.relative_to(models).with_suffix("")
            raise RegistryError(
                f"The record {path} cannot be read ({error}). `voxgate models rm {name}` removes "
                f"it; then get the model again."
            ) from error
        return record

    @classmethod
    def from_facts(cls, facts: object, folder: Path) -> ModelRecord:
        """Return the record in JSON from an untrusted source. Raises `ValueError`.

        `folder` takes the place of the one in the JSON, which may be another machine's.
        """
        version = msgspec.convert(facts, _StoredVersion).version
        if version != RECORD_VERSION:
            raise ValueError(f"its version is {version!r}, and only {RECORD_VERSION} is supported")
        stored = msgspec.convert(facts, _StoredRecord)
        for file in stored.files:
            if Path(file.name).name != file.name or file.name.startswith("."):
                raise ValueError(f"'{file.name}' is not the name of a plain file")
        return cls(
            name=stored.name,
            revision=stored.revision,
            source=stored.source,
            folder=folder,
            layout=stored.layout,
            family=stored.family,
            files=tuple(FileEntry(*msgspec.structs.astuple(file)) for file in stored.files),
            installed_at=stored.installed_at,
        )


def timestamp() -> str:
    """Return the current time in the form of records."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def content_revision(files: Iterable[FileEntry]) -> str:
    """Return a revision for a folder without a commit: 40 digits that depend on every file."""
    lines = sorted(f"{file.sha256}  {file.name}\n" for file in files)
    return sha256("".join(lines).encode()).hexdigest()[:40]


# What is read from a file, checked by msgspec. Its `ValidationError` is a `ValueError` whose text
# names the field ("Expected `str`, got `null` - at `$.folder`").


class _StoredVersion(msgspec.Struct):
    version: Any


class _StoredFolder(msgspec.Struct):
    folder: str


class _StoredFile(msgspec.Struct):
    name: str
    nbytes: Annotated[int, msgspec.Meta(ge=0)]
    sha256: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{64}\Z")]
    mtime_ns: int


class _StoredRecord(msgspec.Struct):
    name: str
    revision: Annotated[str, msgspec.Meta(pattern=r"^[0-9a-f]{40}\Z")]
    source: ModelSource
    layout: Layout
    family: str
    files: list[_StoredFile]
    installed_at: str
