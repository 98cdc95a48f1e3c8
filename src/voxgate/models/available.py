"""`AvailableModels`: every model that can be requested by name: built in, packaged or installed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING

from voxgate.errors import ChangedCheckpointError, EngineStartError, UnknownModelError
from voxgate.models.catalogue import BUILT_IN_MODELS, ModelSpec, checkpoint_spec
from voxgate.models.checkpoint import open_checkpoint
from voxgate.models.store import names
from voxgate.models.store.packaged import PACKAGED_MODELS, install_packaged
from voxgate.models.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.store.packaged import PackagedModel
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings


class AvailableModels(Mapping[str, ModelSpec]):
    """A mapping of names to models, which also looks up aliases: see `names.choose_model`.

    It reads the disk at every call, so a running server finds a model that was just pulled. A model
    whose weights are in a package is installed, and so listed, when it is first looked up. A
    look-up raises `EngineStartError` (`no_endpoints`) for an alias of a family with no installed
    model, `ChangedCheckpointError` for files that changed after the installation, the errors of
    `install_packaged`, and KeyError for any other unknown name.
    """

    def __init__(
        self,
        settings: Settings,
        built_in: Mapping[str, ModelSpec] = BUILT_IN_MODELS,
        packaged: Sequence[PackagedModel] = PACKAGED_MODELS,
    ) -> None:
        self._registry = Registry.open(settings)
        self._built_in = built_in
        self._packaged = packaged

    def __getitem__(self, name: str) -> ModelSpec:
        if name in self._built_in:
            return self._built_in[name]
        installed = self._registry.list()  # one snapshot, so that record and aliases agree
        try:
            record = names.choose_model(name, installed)
        except (UnknownModelError, EngineStartError) as error:
            packaged = self._find_packaged(name)
            if packaged is None:
                if isinstance(error, UnknownModelError):
                    raise KeyError(name) from None
                raise
            record = install_packaged(self._registry, packaged)
            installed = self._registry.list()
        self._registry.check_unchanged(record)
        directory = open_checkpoint(record.folder, record.layout)
        aliases = names.aliases_of(record, installed)
        return checkpoint_spec(directory, record.name, record.revision, aliases)

    def __iter__(self) -> Iterator[str]:
        yield from self._built_in
        yield from (record.name for record in self._usable_records())

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def newest(self) -> str | None:
        """Return the usable model that was installed last, other than from a package; or None."""
        records = (record for record in self._usable_records() if record.source != "package")
        newest = max(records, key=lambda record: (record.installed_at, record.name), default=None)
        return None if newest is None else newest.name

    def _find_packaged(self, name: str) -> PackagedModel | None:
        """Return the model that a name stands for, if its packages are installed."""
        family = names.family_by_alias(name)
        wanted = name if family is None else family.repository
        found = (model for model in self._packaged if model.name == wanted)
        return next((model for model in found if model.is_available), None)

    def _usable_records(self) -> Iterator[ModelRecord]:
        """Yield the installed models whose files are unchanged."""
        for record in self._registry.list():
            try:
                self._registry.check_unchanged(record)
            except ChangedCheckpointError:
                continue
            yield record
