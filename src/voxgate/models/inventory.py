"""`Inventory`: what can be requested at one moment, by one reading of the disk."""

from __future__ import annotations

from dataclasses import replace
from functools import cached_property
from itertools import compress
from typing import TYPE_CHECKING

from voxgate.errors import (
    ChangedCheckpointError,
    EngineStartError,
    RegistryError,
    UnknownModelError,
)
from voxgate.models.catalogue import checkpoint_spec
from voxgate.models.checkpoint import open_checkpoint
from voxgate.models.elsewhere import models_elsewhere
from voxgate.models.store import names
from voxgate.models.store.registry import readable

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.elsewhere import ModelElsewhere
    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry
    from voxgate.settings import Settings


class Inventory:
    """The built-in and installed models, and those elsewhere, as they are now.

    An *identity* tells apart the models that have endpoints: it is equal for all names of one. It
    is the own name of a model here; an alias of a published model is that one.
    """

    def __init__(
        self,
        settings: Settings,
        registry: Registry,
        built_in: Mapping[str, ModelSpec],
        aliases: Mapping[str, str],
    ) -> None:
        """`aliases` are those of the settings, in lower case, with what they stand for."""
        self._settings, self._registry = settings, registry
        self._built_in, self._aliases = built_in, aliases
        found = list(registry.survey())
        self.installed = readable(found)
        self._unreadable = {
            name.lower(): error for name, error in found if isinstance(error, RegistryError)
        }
        self._own_names = {each.name.lower(): each.name for each in reversed(self.installed)}
        self._installed_names = set(self._own_names.values())

    @cached_property
    def elsewhere(self) -> dict[str, ModelElsewhere]:
        """The models that have endpoints, by their identities."""
        return models_elsewhere(
            self._settings.endpoints, lambda name: self._identity(self.target(name))
        )

    @cached_property
    def unchanged(self) -> list[ModelRecord]:
        """The installed models whose files are those that were installed."""
        return [record for record in self.installed if self._is_unchanged(record)]

    def target(self, name: str) -> str:
        """Return what an alias of the settings stands for; any other name itself."""
        return self._aliases.get(name.lower(), name)

    def names(self) -> Iterator[str]:
        """Yield the own names of all models that can be requested."""
        for name in self._built_in:
            if name not in self._installed_names and name.lower() not in self._unreadable:
                yield name
        yield from (record.name for record in self.unchanged)
        yield from self.names_elsewhere()

    def names_elsewhere(self) -> Iterator[str]:
        """Yield the names of the models that are at providers alone, of those that may be used."""
        for identity, model in self.elsewhere.items():
            if not self._is_here(identity) and model.reachable(self._settings):
                yield model.name

    def model_elsewhere(self, name: str) -> ModelElsewhere | None:
        """Return the endpoints of a model by any of its names."""
        return self.elsewhere.get(self._identity(self.target(name)))

    def name_with_endpoints(self, name: str) -> str | None:
        """Return the own name of a model that has endpoints; None for any other name."""
        identity = self._identity(name)
        elsewhere = self.elsewhere.get(identity)
        if elsewhere is None:
            return None
        return identity if self._is_here(identity) else elsewhere.name

    def find(self, name: str) -> ModelSpec:
        """Return a model by a name that is no alias of the settings. Raises as `AvailableModels`.

        Its aliases include those of the settings.
        """
        return self._with_aliases(self._find(name))

    def find_built_in(self, name: str) -> ModelSpec | None:
        """Return the built-in model that a name or an alias of its family stands for."""
        family = names.family_by_alias(name)
        return self._built_in.get(name if family is None else family.repository)

    def _find(self, name: str) -> ModelSpec:
        identity = self._identity(name)
        for unreadable in (name, identity):
            if error := self._unreadable.get(unreadable.lower()):
                raise error
        elsewhere = self.elsewhere.get(identity)
        if elsewhere is None:
            return self._find_here(name)
        if not self._is_here(identity):
            return elsewhere.spec(self._settings)
        is_installed = identity in self._installed_names
        spec = self._find_here(identity) if is_installed else self._built_in[identity]
        return replace(spec, endpoints=elsewhere.reachable(self._settings))

    def _find_here(self, name: str) -> ModelSpec:
        try:
            record = names.choose_model(name, self.installed)
        except (UnknownModelError, EngineStartError) as error:
            built_in = self.find_built_in(name)
            if built_in is not None:
                return built_in
            if isinstance(error, UnknownModelError):
                raise KeyError(name) from None
            raise
        self._registry.check_unchanged(record)
        aliases = names.aliases_of(record, self.installed)
        built_in = self._built_in.get(record.name)
        if record.source == "package" and built_in is not None:
            return replace(built_in, checkpoint=record.folder, aliases=aliases)
        directory = open_checkpoint(record.folder, record.layout)
        return checkpoint_spec(directory, record.name, record.revision, aliases)

    def _identity(self, name: str) -> str:
        if own_name := self._own_names.get(name.lower()):
            return own_name
        family = names.family_by_alias(name)
        return family.repository if family else name.lower()

    def _is_here(self, identity: str) -> bool:
        return identity in self._built_in or identity in self._installed_names

    def _with_aliases(self, spec: ModelSpec) -> ModelSpec:
        """Return the model with the aliases of the settings that stand for it."""
        known = {spec.name, *spec.aliases}
        own = (alias for alias, name in self._aliases.items() if known & {name, name.lower()})
        aliases = tuple(dict.fromkeys((*spec.aliases, *own)))
        if aliases and self._settings.endpoints.entries:  # which may have taken over some
            owners = [self.name_with_endpoints(self.target(each)) for each in aliases]
            aliases = tuple(compress(aliases, (owner in {None, spec.name} for owner in owners)))
        return spec if aliases == spec.aliases else replace(spec, aliases=aliases)

    def _is_unchanged(self, record: ModelRecord) -> bool:
        try:
            self._registry.check_unchanged(record)
        except ChangedCheckpointError:
            return False
        return True
