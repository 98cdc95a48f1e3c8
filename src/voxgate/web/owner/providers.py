"""`/owner/providers`: how each endpoint does, its keys without the keys, and its canaries."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from voxgate.api.endpoint_figures import endpoint_figures
from voxgate.api.model_card import providers_of
from voxgate.routing.candidate import local_slug
from voxgate.upstreams import LOCAL
from voxgate.web.signing.visitor import require_owner
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.gateway import Gateway
    from voxgate.models.catalogue import ModelSpec
    from voxgate.upstreams import Endpoint

STATES = {
    "normal": ("answers", "good"),
    "degraded": ("fails more than usual", "fair"),
    "last_resort": ("asked last: it fails often", "bad"),
    "unstable": ("failed just now", "fair"),
    "rate_limited": ("rests: it was asked too often", "fair"),
    "failing": ("left alone: it failed too often", "bad"),
}
"""In words, and how good that is, by the state of `HealthSummary`."""


@dataclass(frozen=True, slots=True)
class EndpointHealth:
    """One endpoint of a model."""

    slug: str
    model: str
    state: str
    kind: str  # `good`, `fair`, `bad`; empty where it was not asked
    rests_s: float | None
    figures: dict[str, Any]  # as clients are told
    attempts: int  # of 30 minutes
    keys: int
    key_rests_s: tuple[float, ...]
    canary: dict[str, Any] | None


async def providers(request: Request) -> Response:
    """The endpoints of all models, here and elsewhere."""
    site, visitor = Site.of(request), await require_owner(request)
    gateway = site.gateway
    found = [
        _health(gateway, spec, slug, endpoint)
        for spec in await gateway.session.list_models()
        for slug, endpoint in _endpoints(spec)
    ]
    return site.renderer.page(
        request,
        "owner/providers.html",
        visitor,
        endpoints=found,
        sends_canaries=gateway.settings.sends_canaries,
    )


def _endpoints(spec: ModelSpec) -> list[tuple[str, Endpoint | None]]:
    """Return the slugs of a model's endpoints, the one on this machine first."""
    here = [(local_slug(spec.name), None)] if LOCAL in providers_of(spec) else []
    return [*here, *((each.slug, each) for each in spec.endpoints)]


def _health(
    gateway: Gateway, spec: ModelSpec, slug: str, endpoint: Endpoint | None
) -> EndpointHealth:
    book = gateway.session.endpoints.health
    summary = book.summary(slug)
    asked = summary.last_1d.attempts > 0 or summary.pause is not None
    state, kind = STATES[summary.state(book.now)] if asked else ("not asked for a day", "")
    pause = summary.pause
    upstream = endpoint.upstream if endpoint else None
    return EndpointHealth(
        slug=slug,
        model=spec.name,
        state=state,
        kind=kind,
        rests_s=max(0.0, pause.until - book.now) if pause else None,
        figures=endpoint_figures(summary),
        attempts=summary.last_30m.attempts,
        keys=len(upstream.keys) if upstream else 0,
        key_rests_s=tuple(gateway.session.endpoints.key_rests_s(upstream) if upstream else ()),
        canary=gateway.canaries.book.facts(slug),
    )


PAGES = (("GET", "/owner/providers", providers),)
