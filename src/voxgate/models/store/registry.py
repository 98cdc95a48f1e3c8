"""`Registry`: the installed models, in the folder `models` of the home."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.errors import (
    ChangedCheckpointError,
    RegistryError,
    UnknownModelError,
    UsageError,
)
from voxgate.models.checkpoint import open_checkpoint
from voxgate.models.running import running_engines
from voxgate.models.store import atomic, names, verify
from voxgate.models.store.atomic import file_lock
from voxgate.models.store.files import check_tensors, checkpoint_files, file_entry, new_record
from voxgate.models.store.paths import StorePaths
from voxgate.models.store.record import ModelRecord, content_revision
from voxgate.models.store.staging import Staging

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Sequence
    from pathlib import Path

    from voxgate.models.checkpoint import Layout
    from voxgate.models.store.record import ModelSource
    from voxgate.settings import Settings


def _ignore(_line: str) -> None:
    """Ignore a message."""


@dataclass(frozen=True, slots=True)
class Registry:
    """The installed models.

    Every call reads the disk, so that commands and servers share a home without communicating.
    """

    paths: StorePaths

    @classmethod
    def open(cls, settings: Settings) -> Registry:
        """Return the registry of a home. Nothing is created or read yet."""
        return cls(StorePaths(settings.home.expanduser().absolute() / "models"))

    def list(self) -> tuple[ModelRecord, ...]:
        """Return every installed model whose record can be read, by name."""
        return readable(self.survey())

    def unreadable(self) -> dict[str, RegistryError]:
        """Return the errors of the records that cannot be read, by the names of their models."""
        return {name: found for name, found in self.survey() if isinstance(found, RegistryError)}

    def survey(self) -> Iterator[tuple[str, ModelRecord | RegistryError]]:
        """Yield every model's name with its record, or with the error of a broken record."""
        with atomic.store_errors(self.paths.models):
            for path in sorted(self.paths.records()):
                name = str(path.relative_to(self.paths.models).with_suffix(""))
                try:
                    record = self._read(path)
                except RegistryError as error:
                    yield name, error
                    continue
                if record is not None:  # it was removed meanwhile
                    yield name, record

    def get(self, name: str) -> ModelRecord | None:
        """Return the model of exactly that name; None without one."""
        with atomic.store_errors(self.paths.models):
            return self._read(self.paths.record(names.check_name(name)))

    def find(self, name: str) -> ModelRecord:
        """Return the model of a name or alias.

        Raises as `names.choose_model` does, and `RegistryError` for a record that cannot be read.
        """
        try:
            return names.choose_model(name, self.list())
        except UnknownModelError:
            if broken := self.unreadable().get(name):
                raise broken from None
            raise

    def aliases_of(self, record: ModelRecord) -> tuple[str, ...]:
        """Return the aliases that stand for this model now."""
        return names.aliases_of(record, self.list())

    def check_unchanged(self, record: ModelRecord) -> None:
        """Raise `ChangedCheckpointError` if the size or time of a file has changed."""
        verify.check_unchanged(record)

    def verify(self, record: ModelRecord) -> ModelRecord:
        """Compare the content of all files, a second per gigabyte; return the record.

        New times of files with the same content are recorded. Raises `ChangedCheckpointError` for
        the first file that differs.
        """
        verified = replace(record, files=verify.verify_content(record))
        if verified != record:
            with atomic.store_errors(self.paths.models), self.lock_model(record.name):
                if self.get(record.name) == record:
                    self._write(verified)
        return verified

    def add(
        self,
        path: str | Path,
        name: str | None = None,
        on_message: Callable[[str], None] = _ignore,
    ) -> ModelRecord:
        """Register a folder where it is: nothing is copied, and every file is hashed once.

        The name is the folder's unless another is given. `on_message` is called before waiting for
        another command. Raises `CheckpointError`, `UsageError` for names, and `RegistryError`.
        """
        directory = open_checkpoint(path)
        name = names.check_free_name(name if name is not None else directory.name)
        check_tensors(directory)
        with atomic.store_errors(directory.path):
            files = tuple(file_entry(directory.path / file) for file in checkpoint_files(directory))
        with atomic.store_errors(self.paths.models), self.lock_model(name, on_message):
            known = self.get(name)
            if known is not None and (known.source != "add" or known.folder != directory.path):
                raise UsageError(
                    f"'{name}' is already installed, in {known.folder}. Choose another name with "
                    f"--name, or remove it first: `voxgate models rm {name}`."
                )
            record = new_record(name, content_revision(files), "add", directory, files)
            self._write(record)
        return record

    def remove(self, name: str, on_message: Callable[[str], None] = _ignore) -> int:
        """Remove a model and return the bytes that this frees.

        Files that were pulled or imported are deleted, with what an interrupted pull has left. The
        files of an added folder are kept. A record that cannot be read is removed too. Raises
        `UnknownModelError`, and `RegistryError` (`model_in_use`) while an engine of this home has
        it loaded.
        """
        record, staging = self.paths.record(names.check_name(name)), self.paths.staging(name)
        with atomic.store_errors(self.paths.models), self.lock_model(name, on_message):
            self._check_not_in_use(name)
            present = [path for path in (staging, *self.paths.folders(name)) if path.exists()]
            if not present and not record.exists():
                raise names.unknown_model(name, [known.name for known in self.list()])
            freed = sum(map(_folder_bytes, present))
            record.unlink(missing_ok=True)  # first: without a record the model is not installed
            self._discard(name, present)
        return freed

    def staging(self, name: str, revision: str) -> Staging:
        """Return the folder to assemble a model in, with its earlier files to be verified again.

        The caller holds the model's lock, here and in `install`.
        """
        staging = Staging(self.paths.staging(name))
        staging.begin(revision)
        target = self.paths.folder(name, revision)
        if target.exists():
            self.paths.record(name).unlink(missing_ok=True)
            staging.adopt(target)
        return staging

    def install(
        self, name: str, revision: str, source: ModelSource, layout: Layout, staging: Staging
    ) -> ModelRecord:
        """Install a staged model in place of the one with its name.

        The new record replaces the old one in one rename, so that at every moment the complete old
        model or the complete new one is installed. Raises `CheckpointError` for an incomplete one.
        """
        directory = open_checkpoint(staging.files, layout)
        check_tensors(directory)
        files = tuple(map(file_entry, sorted(directory.path.iterdir())))
        target = self.paths.folder(name, revision)
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.durable_rename(directory.path, target)
        record = new_record(name, revision, source, replace(directory, path=target), files)
        self._write(record)
        self._clean_up(record)
        return record

    def find_unchanged(self, name: str, revision: str) -> ModelRecord | None:
        """Return the model if it is installed at that revision with unchanged files, else None.

        The caller holds its lock. What a killed process has left of its installation is deleted.
        """
        record = self.get_unchanged(name, revision)
        if record is not None:
            self._clean_up(record)
        return record

    def get_unchanged(self, name: str, revision: str) -> ModelRecord | None:
        """Return the model if it is installed at that revision with unchanged files, else None."""
        record = self.get(name)
        if record is None or record.revision != revision:
            return None
        try:
            self.check_unchanged(record)
        except ChangedCheckpointError:
            return None
        return record

    def check_not_added(self, name: str) -> None:
        """Raise `UsageError` for the name of an added folder, which must not be replaced."""
        record = self.get(name)
        if record is not None and record.source == "add":
            raise UsageError(
                f"'{name}' is a folder that was added, {record.folder}. Remove it first: "
                f"`voxgate models rm {name}` forgets it and deletes nothing of it."
            )

    @contextmanager
    def lock_model(self, name: str, on_message: Callable[[str], None] = _ignore) -> Iterator[None]:
        """Hold the lock of a model while it changes."""
        # The home is private to its user, because it holds keys as well.
        self.paths.models.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock, trash = self.paths.lock(name), self.paths.trash(name)
        lock.parent.mkdir(parents=True, exist_ok=True)
        waiting = f"another command is changing {name}: waiting for its end."
        with file_lock(lock, lambda: on_message(waiting)):
            if trash.exists():
                shutil.rmtree(trash)  # left by a killed process
            yield

    def _check_not_in_use(self, name: str) -> None:
        for engine in running_engines(self.paths.run):
            if engine.model == name:
                raise RegistryError(
                    f"{name} is in memory, in process {engine.pid}. Unload it with `voxgate unload "
                    f"{name}`, then remove it.",
                    code="model_in_use",
                )

    def _read(self, path: Path) -> ModelRecord | None:
        try:
            return ModelRecord.read(path, self.paths.models)
        except FileNotFoundError:
            return None

    def _write(self, record: ModelRecord) -> None:
        path = self.paths.record(record.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace_text(path, record.to_json(self.paths.models))

    def _clean_up(self, record: ModelRecord) -> None:
        """Delete a model's other revisions and its staging folder."""
        folders = self.paths.folders(record.name)
        self._discard(record.name, [other for other in folders if other != record.folder])
        Staging(self.paths.staging(record.name)).delete()

    def _discard(self, name: str, folders: Sequence[Path]) -> None:
        """Move folders to the trash, which takes no time, then delete them."""
        trash = self.paths.trash(name)
        for folder in folders:
            trash.mkdir(parents=True, exist_ok=True)
            atomic.durable_rename(folder, trash / folder.name)
        if folders:
            shutil.rmtree(trash)


def _folder_bytes(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())


def readable(
    found: Iterable[tuple[str, ModelRecord | RegistryError]],
) -> tuple[ModelRecord, ...]:
    """Return the records of a survey that can be read, by name."""
    records = (record for _, record in found if not isinstance(record, RegistryError))
    return tuple(sorted(records, key=lambda record: record.name))
