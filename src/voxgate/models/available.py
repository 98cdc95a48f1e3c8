"""`AvailableModels`: every model that can be requested by name, built in or installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError, UnknownModelError
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec, checkpoint_spec
from voxgate.models.store import names
from voxgate.models.store.registry import Registry
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings


class AvailableModels(Mapping[str, ModelSpec]):
    """A mapping of names to models, which also looks up aliases: see `names.choose_model`.

    It reads the disk at every call, so a running server finds a model that was just pulled. A
    look-up raises `EngineStartError` (`no_endpoints`) for an alias of a family with no installed
    model, `ChangedCheckpointError` for files that changed after the installation, and KeyError for
    any other unknown name.
    """

    def __init__(
        self, settings: Settings, built_in: Mapping[str, ModelSpec] = BUILT_IN_MODELS
    ) -> None:
        self._registry = Registry.open(settings)
        self._built_in = built_in

    def __getitem__(self, name: str) -> ModelSpec:
        if name in self._built_in:
            return self._built_in[name]
        installed = self._registry.list()  # one snapshot, so that record and aliases agree
        try:
            record = names.choose_model(name, installed)
        except UnknownModelError:
            raise KeyError(name) from None
        self._registry.check_unchanged(record)
        directory = open_directory(record.folder, record.layout)
        aliases = names.aliases_of(record, installed)
        return checkpoint_spec(directory, record.name, record.revision, aliases)

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from (record.name for record in self._usable_records())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def newest(self) -> str | None:
        """Return the name of the usable model that was installed last; None without any."""
        records = self._usable_records()
        newest = max(records, key=lambda record: (record.installed_at, record.name), default=None)
        return None if newest is None else newest.name

    def _usable_records(self) -> Iterator[ModelRecord]:
        """Yield the installed models whose files are unchanged."""
        for record in self._registry.list():
            try:
                self._registry.check_unchanged(record)
            except ChangedCheckpointError:
                continue
            yield record
