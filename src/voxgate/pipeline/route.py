"""`Route`: the providers that may recognise a recording, in the order in which they are tried."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError
from voxgate.fair_queue import FairQueue
from voxgate.pipeline.retries import RetryBudget
from voxgate.routing.candidate import local_slug
from voxgate.routing.health import HealthBook
from voxgate.routing.preferences import Preferences
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from typing import Self

    from voxgate.models.capabilities import Capabilities
    from voxgate.providers.base import Provider
    from voxgate.upstreams import Endpoint


@dataclass(frozen=True, slots=True, eq=False)
class SharedProvider:
    """A provider, and the queue for its windows, which all recordings share."""

    provider: Provider
    queue: FairQueue
    slug: str
    """Its name among the endpoints of its model: as `Endpoint.slug`, or `local/` and the model."""

    endpoint: Endpoint | None = None  # None: on this machine
    retries: RetryBudget = field(default_factory=RetryBudget)

    @property
    def capabilities(self) -> Capabilities:
        """What its model can do there."""
        return self.provider.capabilities

    @property
    def upstream(self) -> str:
        """The provider's name: `local`, or that of an upstream."""
        return self.slug.partition("/")[0]

    @property
    def is_local(self) -> bool:
        """Whether its engine is a process of this machine."""
        return self.upstream == LOCAL

    @classmethod
    def of(cls, provider: Provider, endpoint: Endpoint | None = None) -> Self:
        """Return a provider with a queue of its own; of this machine, unless it has an endpoint."""
        queue = FairQueue(provider.capabilities.concurrency)
        slug = local_slug(provider.name) if endpoint is None else endpoint.slug
        return cls(provider, queue, slug, endpoint)


@dataclass(frozen=True, slots=True)
class Route:
    """At least one provider. Windows are planned by the first, and fall to those after it."""

    providers: tuple[SharedProvider, ...]
    health: HealthBook = field(default_factory=HealthBook, compare=False)
    hedges: bool = False  # whether a second provider is asked where the first is slow
    preferences: Preferences = field(default_factory=Preferences, compare=False)  # it was chosen by

    @classmethod
    def to(cls, provider: Provider) -> Self:
        """Return the route to one provider, with a queue of its own."""
        return cls((SharedProvider.of(provider),))

    def admitted(self) -> Route:
        """Return the route without the providers at which no recording should begin now.

        Raises what `Provider.admit` of the first raises, where all refuse.
        """
        refusals, willing = list[VoxgateError](), list[SharedProvider]()
        for each in self.providers:
            try:
                each.provider.admit()
            except VoxgateError as error:
                refusals.append(error)
            else:
                willing.append(each)
        if not willing:
            raise refusals[0]
        return replace(self, providers=tuple(willing))

    @property
    def first(self) -> Provider:
        """The provider that is tried first."""
        return self.providers[0].provider

    def find(self, slug: str) -> Provider:
        """Return the provider of that slug, which is one of them."""
        return next(each.provider for each in self.providers if each.slug == slug)

    @property
    def shortest_window_s(self) -> float:
        """The longest stretch of speech that each of the providers takes, seconds."""
        return min(each.capabilities.window_s for each in self.providers)

    @property
    def lacks_word_times(self) -> bool:
        """Whether a provider may give words without times."""
        return any(each.capabilities.times != "word" for each in self.providers)
