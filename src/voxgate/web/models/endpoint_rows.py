"""`EndpointRow`: how an endpoint does and what it costs at this moment, for lists."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import floor
from typing import TYPE_CHECKING

from voxgate.api.model_card import providers_of
from voxgate.routing.candidate import local_slug
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.gateway import Gateway
    from voxgate.models.catalogue import ModelSpec
    from voxgate.prices import CurrentPrices, Price
    from voxgate.routing.health import HealthBook


@dataclass(frozen=True, slots=True)
class EndpointRow:
    """One endpoint. A figure is None where it is not known yet."""

    slug: str  # the shortest that names it in `provider.order`
    provider: str  # `local`, or the name of the one elsewhere
    price: Price | None
    latency_s: float | None  # p50 of 30 minutes, of an attempt to its end
    first_text_s: float | None  # p50 of 30 minutes
    speed: float | None  # p50 of 30 minutes: seconds of sound in a second
    uptime: float | None  # percent of a day's attempts, rounded down to hundredths
    word_error_rate: float | None  # of the last canary
    regressed: bool

    @property
    def is_local(self) -> bool:
        """Whether it is an engine of this server."""
        return self.provider == LOCAL


@dataclass(frozen=True, slots=True)
class EndpointBooks:
    """What is known of all endpoints at one moment."""

    prices: CurrentPrices
    health: HealthBook
    word_error_rates: Mapping[str, float]  # by slug

    @classmethod
    def of(cls, gateway: Gateway) -> EndpointBooks:
        """Return those of a server, now."""
        return cls(
            gateway.settings.prices.at(datetime.now(UTC)),
            gateway.session.endpoints.health,
            gateway.canaries.book.word_error_rates,
        )

    def rows(self, spec: ModelSpec) -> tuple[EndpointRow, ...]:
        """Return a model's endpoints, this server's own first."""
        slugs = {each.upstream.name: each.slug for each in spec.endpoints}
        return tuple(
            self._row(spec, provider, slugs.get(provider, local_slug(spec.name)))
            for provider in providers_of(spec)
        )

    def _row(self, spec: ModelSpec, provider: str, slug: str) -> EndpointRow:
        health = self.health.summary(slug)
        lately, uptime = health.last_30m, health.last_1d.uptime
        return EndpointRow(
            slug=LOCAL if provider == LOCAL else slug,
            provider=provider,
            price=self.prices.find(spec.name, provider),
            latency_s=lately.latency_s.p50 if lately.latency_s else None,
            first_text_s=lately.first_text_s.p50 if lately.first_text_s else None,
            speed=lately.throughput.p50 if lately.throughput else None,
            uptime=None if uptime is None else floor(uptime * 100) / 100,
            word_error_rate=self.word_error_rates.get(slug),
            regressed=health.regressed,
        )
