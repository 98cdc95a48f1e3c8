"""`/playground`: a recording becomes words; `/playground/compare`: by several models."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.models.default_model import DEFAULT_NAME
from voxgate.prices import TOKENS_PER_S
from voxgate.remote.address_policy import AddressPolicy
from voxgate.web.playground.playground_export import FORMATS
from voxgate.web.playground.playground_models import model_choices
from voxgate.web.signing.visitor import require_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.web.playground.playground_models import ModelChoice

MAX_COMPARED = 6


async def playground(request: Request) -> Response:
    """The page for one recording; `?model=` and the other options choose what it begins with."""
    site, visitor = Site.of(request), await require_visitor(request)
    settings = site.gateway.settings
    choices = await model_choices(site.gateway, visitor.key) if visitor.transcribes else []
    wanted = request.query_params.get("model", "")
    chosen = await _named(request, wanted or DEFAULT_NAME, choices)
    return site.renderer.page(
        request,
        "playground.html",
        visitor,
        models=choices,
        chosen=chosen,
        unknown="" if chosen else wanted,
        formats=FORMATS,
        limits=_limits(request),
        by_address=not AddressPolicy.listed(settings.url_allow).allows_nothing,
    )


async def compare(request: Request) -> Response:
    """The same recording by each of the models in the address: `?model=a&model=b`."""
    site, visitor = Site.of(request), await require_visitor(request)
    choices = await model_choices(site.gateway, visitor.key) if visitor.transcribes else []
    named = request.query_params.getlist("model")[:MAX_COMPARED]
    found = {name: await _named(request, name, choices) for name in named if choices}
    own = {each.name: each for each in choices}
    compared = [own[name] for name in dict.fromkeys(found.values()) if name]
    return site.renderer.page(
        request,
        "playground_compare.html",
        visitor,
        models=choices,
        compared=compared,
        unknown=[name for name, its in found.items() if not its],
        most=MAX_COMPARED,
        limits=_limits(request),
    )


def _limits(request: Request) -> dict[str, float]:
    """Return what the page's scripts refuse and estimate by."""
    settings = Site.of(request).gateway.settings
    return {
        "max_bytes": settings.max_upload_bytes,
        "max_s": settings.max_upload_s,
        "tokens_per_s": TOKENS_PER_S,
    }


async def _named(request: Request, name: str, choices: list[ModelChoice]) -> str:
    """Return the choice that a name or an alias stands for; "" without one."""
    own = await Site.of(request).gateway.session.own_names([name[:256]])
    return next((each.name for each in choices if each.name in own), "")


PAGES = (("GET", "/playground", playground), ("GET", "/playground/compare", compare))
