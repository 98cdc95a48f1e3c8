"""Models at providers elsewhere: which endpoints are one model, and what is told of it."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from voxgate.errors import SettingsError
from voxgate.models.catalogue import UNKNOWN_DATE, ModelSpec
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.models.store.names import family_by_alias
from voxgate.offline import is_local, offline_error

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from voxgate.errors import VoxgateError
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint, EndpointList, Upstream

_RELEASED = {"whisper": date(2022, 9, 21), "voxtral": date(2025, 7, 15)}  # of the families


@dataclass(frozen=True, slots=True)
class ModelElsewhere:
    """The endpoints of one model, whatever names of it they have, in the order of the file."""

    endpoints: tuple[Endpoint, ...]

    @property
    def name(self) -> str:
        """What the model is called where it is not on this machine: as the file first does."""
        return self.endpoints[0].model

    @property
    def providers(self) -> str:
        """The names of its providers, for a sentence."""
        return ", ".join(dict.fromkeys(each.upstream.name for each in self.endpoints))

    def reachable(self, settings: Settings) -> tuple[Endpoint, ...]:
        """Return the endpoints that the settings allow to be used."""
        return tuple(each for each in self.endpoints if is_reachable(each.upstream, settings))

    def spec(self, settings: Settings) -> ModelSpec:
        """Return the model as one that is not on this machine.

        Its capabilities are those of its first endpoint that transcribes, if one does. Raises
        `VoxgateError` (`offline`) where no endpoint may be used.
        """
        endpoints = self.reachable(settings)
        if not endpoints:
            raise self.out_of_reach()
        owner, _, model = self.name.rpartition("/")
        family = family_by_alias(self.name)
        others = {each.model for each in endpoints} | (family.aliases if family else set())
        released = (each for part, each in _RELEASED.items() if part in self.name.lower())
        return ModelSpec(
            name=self.name,
            title=f"{owner}: {model}" if owner else model,
            released=next(released, UNKNOWN_DATE),
            summary=f"A model elsewhere, at {self.providers}.",
            licence="NOASSERTION",
            capabilities=capabilities_of(max(endpoints, key=lambda each: each.transcribes)),
            loader=None,
            distributions=(),
            aliases=tuple(sorted(each for each in others if each.lower() != self.name.lower())),
            endpoints=endpoints,
        )

    def out_of_reach(self) -> VoxgateError:
        """Return the error for a model whose providers may not be used."""
        return offline_error(f"{self.name} is on other machines alone, at {self.providers}")


def is_reachable(upstream: Upstream, settings: Settings) -> bool:
    """Return whether the settings allow a provider to be used: offline, only on the loopback."""
    return not settings.offline or is_local(urlsplit(upstream.url).hostname or "unknown")


def left_out(settings: Settings) -> list[str]:
    """Return the names of the providers that offline mode leaves out."""
    return [each.name for each in settings.endpoints.upstreams if not is_reachable(each, settings)]


def models_elsewhere(
    listed: EndpointList, identity: Callable[[str], str]
) -> dict[str, ModelElsewhere]:
    """Return the models that have endpoints, by what `identity` makes of their names."""
    found: dict[str, ModelElsewhere] = {}
    for endpoint in listed.entries:
        key = identity(endpoint.model)
        known = found[key].endpoints if key in found else ()
        found[key] = ModelElsewhere((*known, endpoint))
    return found


def check_endpoints(models: Iterable[ModelElsewhere]) -> None:
    """Raise `SettingsError` for a model that has two endpoints at a provider, by two names."""
    for model in models:
        first: dict[str, Endpoint] = {}
        for endpoint in model.endpoints:
            other = first.setdefault(endpoint.upstream.name, endpoint)
            if other is not endpoint:
                raise SettingsError(
                    f"'endpoints': {other.model} and {endpoint.model} are one model, which has two "
                    f"endpoints at {endpoint.upstream.name}. Remove one of them."
                )
