"""`Endpoints`: where the models of a session run, here and elsewhere, and who serves a request."""

from __future__ import annotations

from collections import Counter
from contextlib import AsyncExitStack
from dataclasses import replace
from datetime import UTC, datetime
from random import Random
from typing import TYPE_CHECKING, TypeAlias

from voxgate.errors import UsageError
from voxgate.models.capabilities import Capabilities
from voxgate.models.catalogue import check_installed, why_not_installed
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.pipeline.route import Route, SharedProvider
from voxgate.providers.local import LocalEngine
from voxgate.providers.memory_arbiter import MemoryArbiters
from voxgate.routing.candidate import Candidate
from voxgate.routing.choice import choose
from voxgate.routing.health import HealthBook
from voxgate.routing.preferences import Preferences
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from voxgate.models.catalogue import ModelSpec
    from voxgate.providers.base import Provider
    from voxgate.providers.upstream.client import UpstreamClient
    from voxgate.settings import Settings
    from voxgate.upstreams import Endpoint, Upstream

Check: TypeAlias = "Callable[[Capabilities, str, Options], None]"
"""Raises `UsageError` where a model of that name cannot fulfil options."""

NO_PREFERENCES = Preferences()


class Endpoints:
    """The providers of a session's models, each created at its first use, and their health."""

    def __init__(
        self, settings: Settings, start: Callable[[ModelSpec, Settings], Provider] | None = None
    ) -> None:
        """`start` creates the provider of a model of this machine; None means a local engine."""
        self._settings, self._start = settings, start or self._start_engine
        self._arbiters = MemoryArbiters(settings)
        self._client: UpstreamClient | None = None
        self._random = Random()  # noqa: S311 (who is asked is no secret)
        # By identity: a model may have several names, and a folder may get new files.
        self._here: dict[tuple[str, str | None], SharedProvider] = {}
        self._elsewhere: dict[tuple[Endpoint, str], SharedProvider] = {}  # by the model's name, too
        self.health = HealthBook()

    @property
    def waiting_windows(self) -> dict[str, int]:
        """How many windows wait for a model, by its name."""
        waiting = Counter[str]()
        for each in self._all:
            waiting[each.provider.name] += each.queue.waiting
        return dict(waiting)

    def key_rests_s(self, upstream: Upstream) -> list[float]:
        """For how much longer each of an upstream's keys rests that do."""
        return self._client.ring(upstream).rests_s if self._client else []

    def here(self, spec: ModelSpec) -> SharedProvider:
        """Return a resolved model on this machine. Its engine starts with its first window.

        Raises `EngineStartError` (`no_endpoints`) for a model whose packages are not installed.
        """
        if spec.identity not in self._here:
            check_installed(spec)
            self._here[spec.identity] = SharedProvider.of(self._start(spec, self._settings))
        return self._here[spec.identity]

    def of(self, spec: ModelSpec) -> tuple[SharedProvider, ...]:
        """Return where a resolved model is: here, then elsewhere in the order of the configuration.

        Raises `EngineStartError` (`no_endpoints`) for a model of this machine alone whose packages
        are not installed.
        """
        is_here = spec.loader is not None and not (spec.endpoints and why_not_installed(spec))
        here = (self.here(spec),) if is_here else ()
        return (*here, *self._elsewhere_of(spec))

    def ready(self, spec: ModelSpec) -> tuple[SharedProvider, ...]:
        """Return where a resolved model recognises a window without being loaded first."""
        here = self._here.get(spec.identity)
        loaded = (here,) if here is not None and here.provider.alive else ()
        return (*loaded, *self._elsewhere_of(spec))

    def candidate(
        self,
        spec: ModelSpec,
        shared: SharedProvider,
        *,
        unmet: tuple[str, ...] = (),
        refusal: str | None = None,
        quantization: str | None = None,
    ) -> Candidate:
        """Return what `choose` must know of a provider of a resolved model, with its health now.

        `unmet` and `refusal` are as in `Candidate`. `quantization` is that of a model of this
        machine, where it matters.
        """
        endpoint = shared.endpoint
        upstream = endpoint.upstream if endpoint else None
        return Candidate(
            slug=shared.slug,
            provider=shared.upstream,
            model=spec.name,
            price=self._settings.prices.find(spec.name, datetime.now(UTC), shared.upstream),
            quantization=endpoint.quantization if endpoint else quantization,
            collects_data=upstream.collects_data if upstream else False,
            zero_retention=upstream.zero_retention if upstream else True,
            unmet=unmet,
            refusal=refusal,
            health=self.health.summary(shared.slug),
        )

    def choose(
        self, preferences: Preferences, candidates: Mapping[SharedProvider, Candidate]
    ) -> Route:
        """Return the providers to ask, in order. Raises as `routing.choice.choose` does."""
        choice = choose(
            preferences, tuple(candidates.values()), now=self.health.now, random=self._random
        )
        shared = {candidate.slug: each for each, candidate in candidates.items()}
        order = tuple(shared[each.slug] for each in choice.order)
        return Route(order, self.health, hedges=preferences.hedge, preferences=preferences)

    def route(
        self,
        spec: ModelSpec,
        options: Options | None = None,
        *,
        check: Check = Capabilities.check,
        preferences: Preferences = NO_PREFERENCES,
    ) -> Route:
        """Return the providers to ask for a resolved model, in order.

        `check` is what a provider must pass: that of transcripts or that of questions. Raises as
        `of` and `choose` do. Options that the only provider cannot fulfil are left to those who
        accept them.
        """
        providers = self.of(spec)
        if len(providers) == 1 and providers[0].is_local:
            return Route(providers, self.health, preferences=preferences)
        options = options or Options()
        candidates = {
            each: self.candidate(spec, each, refusal=refusal(each, options, check))
            for each in providers
        }
        return self.choose(preferences, candidates)

    def check_own(self, route: Route) -> None:
        """Raise `UsageError` for a route of another session."""
        if not {*route.providers} <= {*self._all}:
            raise UsageError(
                f"The route of {route.first.name} belongs to another session. Use one of this one."
            )

    async def aclose(self) -> None:
        """End every engine, and close all connections. May be called again."""
        async with AsyncExitStack() as stack:
            if self._client is not None:
                stack.push_async_callback(self._client.aclose)
            for each in self._here.values():
                stack.push_async_callback(each.provider.aclose)
            self._here, self._elsewhere = {}, {}

    @property
    def _all(self) -> list[SharedProvider]:
        return [*self._here.values(), *self._elsewhere.values()]

    def _elsewhere_of(self, spec: ModelSpec) -> list[SharedProvider]:
        return [self._shared(endpoint, spec.name) for endpoint in spec.endpoints]

    def _shared(self, endpoint: Endpoint, name: str) -> SharedProvider:
        """Return an endpoint of a model, whose own name the endpoint may not have."""
        # Only models elsewhere need a client of HTTP.
        from voxgate.providers.upstream.client import UpstreamClient  # noqa: PLC0415
        from voxgate.providers.upstream.model import UpstreamModel  # noqa: PLC0415

        if self._client is None:
            self._client = UpstreamClient(self._settings)
        if (endpoint, name) not in self._elsewhere:
            named = replace(endpoint, model=name)
            model = UpstreamModel(named, capabilities_of(endpoint), self._client)
            self._elsewhere[endpoint, name] = SharedProvider.of(model, named)
        return self._elsewhere[endpoint, name]

    def _start_engine(self, spec: ModelSpec, settings: Settings) -> Provider:
        return LocalEngine(spec, settings, self._arbiters.for_device(spec.device))


def refusal(shared: SharedProvider, options: Options, check: Check) -> str | None:
    """Return why a provider cannot fulfil the options; None where it can."""
    try:
        check(shared.capabilities, shared.slug, options)
    except UsageError as error:
        return error.sentence
    return None
