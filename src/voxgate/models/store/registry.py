"""`Registry`: the models on this machine, in the folder `models` of the home."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from voxgate.errors import (
    ChangedCheckpointError,
    ModelInUseError,
    RegistryError,
    UnknownModelError,
    UsageError,
)
from voxgate.models.running import running_engines
from voxgate.models.store import atomic, names, verify
from voxgate.models.store.atomic import file_lock
from voxgate.models.store.files import check_tensors, checkpoint_files, file_entry, new_record
from voxgate.models.store.paths import StorePaths
from voxgate.models.store.record import ModelRecord, content_revision
from voxgate.models.store.staging import Staging
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from voxgate.models.store.record import ModelSource
    from voxgate.settings import Settings
    from voxgate.voxtral.checkpoint.directory import Layout


def _silent(_line: str) -> None:
    """Say nothing."""


@dataclass(frozen=True, slots=True)
class Registry:
    """Every question reads the disk anew: commands and servers share it without talking."""

    places: StorePaths

    @classmethod
    def open(cls, settings: Settings) -> Registry:
        """The registry of a home. Nothing is made or read before it is needed."""
        return cls(StorePaths(settings.home.expanduser().absolute() / "models"))

    def list(self) -> tuple[ModelRecord, ...]:
        """Every installed model, by name. Raises `RegistryError` for a record that is broken."""
        with atomic.store_errors(self.places.models):
            found = [self._read(path) for path in self.places.records()]
        return tuple(sorted(filter(None, found), key=lambda record: record.name))

    def survey(self) -> Iterator[tuple[str, ModelRecord | RegistryError]]:
        """Every model by its name, and for a record that is broken its error."""
        with atomic.store_errors(self.places.models):
            for path in sorted(self.places.records()):
                name = str(path.relative_to(self.places.models).with_suffix(""))
                try:
                    record = self._read(path)
                except RegistryError as error:
                    yield name, error
                    continue
                if record is not None:  # it went meanwhile
                    yield name, record

    def get(self, name: str) -> ModelRecord | None:
        """The model of exactly that name."""
        with atomic.store_errors(self.places.models):
            return self._read(self.places.record(names.check_name(name)))

    def find(self, name: str) -> ModelRecord:
        """What a name or an alias stands for: see `names.choose`, whose errors it raises."""
        return names.choose_model(name, self.list())

    def aliases_of(self, record: ModelRecord) -> tuple[str, ...]:
        """The aliases that stand for this model now."""
        return names.aliases_of(record, self.list())

    def healthy(self, record: ModelRecord) -> None:
        """Raise `ChangedCheckpointError` unless the files are, by size and time, as installed."""
        verify.check_unchanged(record)

    def verify(self, record: ModelRecord) -> ModelRecord:
        """Compare contents; files that merely look new are taken as they are from then on.

        A second a gigabyte. Raises `ChangedCheckpointError` for the first that differs.
        """
        verified = replace(record, files=verify.verify_content(record))
        if verified != record:
            with atomic.store_errors(self.places.models), self.changing(record.name):
                if self.get(record.name) == record:
                    self._write(verified)
        return verified

    def add(
        self, path: str | Path, name: str | None = None, say: Callable[[str], None] = _silent
    ) -> ModelRecord:
        """Take a folder as it lies: nothing is copied, and every file is hashed once.

        The name is the folder's own unless another is given. `say` hears when another command has
        to be waited for. Raises `CheckpointError`,
        `UsageError` for names, and `RegistryError`.
        """
        folder = open_directory(path)
        name = names.check_free_name(name if name is not None else folder.name)
        check_tensors(folder)
        with atomic.store_errors(folder.path):
            files = tuple(file_entry(folder.path / file) for file in checkpoint_files(folder))
        with atomic.store_errors(self.places.models), self.changing(name, say):
            known = self.get(name)
            if known is not None and (known.source != "add" or known.folder != folder.path):
                raise UsageError(
                    f"'{name}' is installed already, in {known.folder}. Choose another name with "
                    f"--name, or remove it first: `voxgate models rm {name}`."
                )
            record = new_record(name, content_revision(files), "add", folder, files)
            self._write(record)
        return record

    def remove(self, name: str, say: Callable[[str], None] = _silent) -> int:
        """Forget a model, and delete what was fetched of it. Returns the bytes that are freed.

        Files of an added folder are left alone. What an interrupted pull has left goes as well,
        and so does a record that cannot be read. Raises `UnknownModelError`, and `ModelInUseError`
        while an engine of this home works with it.
        """
        record, staging = self.places.record(names.check_name(name)), self.places.staging(name)
        with atomic.store_errors(self.places.models), self.changing(name, say):
            self._refuse_in_use(name)
            present = [path for path in (staging, *self.places.folders(name)) if path.exists()]
            if not present and not record.exists():
                raise UnknownModelError.of(name, [known.name for known in self.list()])
            freed = sum(map(_size, present))
            record.unlink(missing_ok=True)  # first: from then on there is no such model
            self._discard(name, present)
        return freed

    def staging(self, name: str, revision: str) -> Staging:
        """Where to put a model together; its own files from before, unsound or lost, are in it.

        The caller holds the model's lock, here and in `install`.
        """
        staging = Staging(self.places.staging(name))
        staging.begin(revision)
        target = self.places.folder(name, revision)
        if target.exists():
            self.places.record(name).unlink(missing_ok=True)
            staging.adopt(target)
        return staging

    def install(
        self, name: str, revision: str, source: ModelSource, layout: Layout, staging: Staging
    ) -> ModelRecord:
        """Put a staged model in place of whatever had its name.

        The new record is written over the old one: at every moment the old model or the new one is
        there, whole. Raises `CheckpointError` for one that is not whole.
        """
        folder = open_directory(staging.files, layout)
        check_tensors(folder)
        files = tuple(map(file_entry, sorted(folder.path.iterdir())))
        target = self.places.folder(name, revision)
        target.parent.mkdir(parents=True, exist_ok=True)
        atomic.durable_rename(folder.path, target)
        record = new_record(name, revision, source, replace(folder, path=target), files)
        self._write(record)
        self._tidy(record)
        return record

    def sound(self, name: str, revision: str) -> ModelRecord | None:
        """The model at that revision, if it is here and as it was.

        The caller holds its lock: what a killed process has left of its installation goes.
        """
        record = self.get(name)
        if record is None or record.revision != revision:
            return None
        try:
            self.healthy(record)
        except ChangedCheckpointError:
            return None
        self._tidy(record)
        return record

    def refuse_added(self, name: str) -> None:
        """Raise `UsageError` for the name of a folder of somebody's: it is not ours to replace."""
        record = self.get(name)
        if record is not None and record.source == "add":
            raise UsageError(
                f"'{name}' is a folder that was added, {record.folder}. Remove it first: "
                f"`voxgate models rm {name}` forgets it and deletes nothing of it."
            )

    @contextmanager
    def changing(
        self, name: str, say: Callable[[str], None] = lambda _line: None
    ) -> Iterator[None]:
        """Be the only one who changes this model."""
        # Whoever makes the home decides who may look into it: it will hold keys as well.
        self.places.models.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        lock, gone = self.places.lock(name), self.places.gone(name)
        lock.parent.mkdir(parents=True, exist_ok=True)
        with file_lock(
            lock, lambda: say(f"another command is changing {name}: waiting for its end.")
        ):
            if gone.exists():
                shutil.rmtree(gone)  # of one who was killed
            yield

    def _refuse_in_use(self, name: str) -> None:
        for plate in running_engines(self.places.run):
            if plate.model == name:
                raise ModelInUseError(
                    f"{name} is in memory, in process {plate.pid}. `voxgate unload {name}` takes "
                    f"it out when its work is done; then remove it."
                )

    def _read(self, path: Path) -> ModelRecord | None:
        try:
            return ModelRecord.read(path, self.places.models)
        except FileNotFoundError:
            return None

    def _write(self, record: ModelRecord) -> None:
        path = self.places.record(record.name)
        path.parent.mkdir(parents=True, exist_ok=True)
        atomic.replace_text(path, record.text(self.places.models))

    def _tidy(self, record: ModelRecord) -> None:
        """Leave nothing of a model but itself."""
        folders = self.places.folders(record.name)
        self._discard(record.name, [other for other in folders if other != record.folder])
        Staging(self.places.staging(record.name)).drop()

    def _discard(self, name: str, folders: Sequence[Path]) -> None:
        """Take folders away at once, and delete them after."""
        gone = self.places.gone(name)
        for folder in folders:
            gone.mkdir(parents=True, exist_ok=True)
            atomic.durable_rename(folder, gone / folder.name)
        if folders:
            shutil.rmtree(gone)


def _size(folder: Path) -> int:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
