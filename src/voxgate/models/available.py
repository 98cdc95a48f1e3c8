"""`AvailableModels`: every model that may be asked for by name, from a package or installed.

A mapping, so that whoever takes models takes this one. It reads the disk anew each time: what was
pulled a moment ago can be asked for, by a server that runs already too.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError, UnknownModelError
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec, checkpoint_spec
from voxgate.models.placement import place_model
from voxgate.models.store import names
from voxgate.models.store.registry import Registry
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings


class AvailableModels(Mapping[str, ModelSpec]):
    """Models by name and, when one is asked for, by alias: see `names.choose`.

    Asking for a name raises `NoWeightsError` for an alias of which nothing is installed,
    `ChangedCheckpointError` for files that are not those that were installed, and KeyError for any
    other name that no model has.
    """

    def __init__(
        self, settings: Settings, built_in: Mapping[str, ModelSpec] = BUILT_IN_MODELS
    ) -> None:
        self._registry = Registry.open(settings)
        self._built_in, self._settings = built_in, settings

    def __getitem__(self, name: str) -> ModelSpec:
        if name in self._built_in:
            return self._built_in[name]
        installed = self._registry.list()  # once: what it says fits together
        try:
            record = names.choose_model(name, installed)
        except UnknownModelError:
            raise KeyError(name) from None
        self._registry.healthy(record)
        folder = open_directory(record.folder, record.layout)
        aliases = names.aliases_of(record, installed)
        spec = checkpoint_spec(folder, record.name, record.revision, aliases)
        return place_model(spec, self._settings)

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from (record.name for record in self._registry.list() if self._sound(record))

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def newest(self) -> str | None:
        """The name of the model that was installed last, of those that can be used."""
        sound = [record for record in self._registry.list() if self._sound(record)]
        last = max(sound, key=lambda record: (record.installed_at, record.name), default=None)
        return None if last is None else last.name

    def _sound(self, record: ModelRecord) -> bool:
        try:
            self._registry.healthy(record)
        except ChangedCheckpointError:
            return False
        return True
