"""`ModelRecord`: what is known of one installed model, kept as JSON."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeAlias, get_args

from voxgate.errors import RegistryError
from voxgate.voxtral.checkpoint.directory import CONFIG_FILES, Layout

if TYPE_CHECKING:
    from collections.abc import Iterable

ModelSource: TypeAlias = Literal["pull", "add", "import"]
"""How a model came here. Files of `add` are somebody else's; the others are ours to delete."""

RECORD_VERSION = 1
REVISION_PATTERN = re.compile(r"[0-9a-f]{40}")
SHA256_PATTERN = re.compile(r"[0-9a-f]{64}")
WEIGHTS_SUFFIX = ".safetensors"


@dataclass(frozen=True, slots=True)
class FileEntry:
    """One of a model's files, as it was when the model was installed."""

    name: str  # in the folder; there are no folders below it
    nbytes: int
    sha256: str
    mtime_ns: int


@dataclass(frozen=True, slots=True)
class ModelRecord:
    """An installed model."""

    name: str
    revision: str  # the commit it was pulled at; of an added folder, a hash of its files
    source: ModelSource
    folder: Path
    layout: Layout
    family: str  # see `names`
    files: tuple[FileEntry, ...]  # those of its layout alone
    installed_at: str  # UTC, ISO 8601 with microseconds: such texts sort by time

    @property
    def nbytes(self) -> int:
        """On disk."""
        return sum(file.nbytes for file in self.files)

    @property
    def memory_bytes(self) -> int:
        """What its weights take in memory in the type that they are stored in."""
        return sum(file.nbytes for file in self.files if file.name.endswith(WEIGHTS_SUFFIX))

    def facts(self) -> dict[str, Any]:
        """For JSON: every field, and the bytes."""
        return {**asdict(self), "folder": str(self.folder), "bytes": self.nbytes}

    def text(self, models: Path) -> str:
        """As it is kept. Folders below `models` are named from there: a home may be moved."""
        folder = self.folder
        within = folder.relative_to(models) if folder.is_relative_to(models) else folder
        facts = {"version": RECORD_VERSION, **asdict(self), "folder": str(within)}
        return json.dumps(facts, indent=2) + "\n"

    @classmethod
    def read(cls, path: Path, models: Path) -> ModelRecord:
        """From its file. Raises `RegistryError`, and `FileNotFoundError` where there is none."""
        try:
            facts = json.loads(path.read_bytes())
            record = cls.of(facts, models / _text(facts, "folder"))
            if path != models / f"{record.name}.json":
                raise ValueError(f"it is of '{record.name}'")
        except FileNotFoundError:
            raise
        except (OSError, ValueError, TypeError, KeyError, RecursionError) as error:
            name = path.relative_to(models).with_suffix("")
            raise RegistryError(
                f"The record {path} cannot be read ({error}). `voxgate models rm {name}` removes "
                f"it; then get the model again."
            ) from error
        return record

    @classmethod
    def of(cls, facts: dict[str, Any], folder: Path) -> ModelRecord:
        """From JSON that anybody may have written. Raises `ValueError`, `TypeError`, `KeyError`."""
        if facts["version"] != RECORD_VERSION:
            raise ValueError(
                f"it is of version {facts['version']!r}, and {RECORD_VERSION} is known"
            )
        if facts["source"] not in get_args(ModelSource) or facts["layout"] not in CONFIG_FILES:
            raise ValueError("its source or layout is none that is known")
        if not REVISION_PATTERN.fullmatch(_text(facts, "revision")):
            raise ValueError("its revision is no commit")
        return cls(
            name=_text(facts, "name"),
            revision=facts["revision"],
            source=facts["source"],
            folder=folder,
            layout=facts["layout"],
            family=_text(facts, "family"),
            files=tuple(map(_entry, facts["files"])),
            installed_at=_text(facts, "installed_at"),
        )


def timestamp() -> str:
    """The present moment, as records have it."""
    return datetime.now(UTC).isoformat(timespec="microseconds")


def content_revision(files: Iterable[FileEntry]) -> str:
    """A revision for a folder that has no commit: 40 digits that change with any of its files."""
    lines = sorted(f"{file.sha256}  {file.name}\n" for file in files)
    return sha256("".join(lines).encode()).hexdigest()[:40]


def _entry(facts: dict[str, Any]) -> FileEntry:
    name, nbytes, mtime_ns = _text(facts, "name"), facts["nbytes"], facts["mtime_ns"]
    if not isinstance(nbytes, int) or not isinstance(mtime_ns, int) or nbytes < 0:
        raise TypeError("a file's size or time is no number")
    if Path(name).name != name or name.startswith("."):
        raise ValueError(f"'{name}' is no file beside the others")
    if not SHA256_PATTERN.fullmatch(_text(facts, "sha256")):
        raise ValueError(f"'{name}' has no SHA-256")
    return FileEntry(name, nbytes, facts["sha256"], mtime_ns)


def _text(facts: dict[str, Any], name: str) -> str:
    value = facts[name]
    if not isinstance(value, str):
        raise TypeError(f"its '{name}' is no text")
    return value
