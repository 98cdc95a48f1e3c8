"""`/`: the models that can be asked for."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.api.model_card import model_card
from voxgate.web.site import Site
from voxgate.web.visitor import find_visitor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response


async def models(request: Request) -> Response:
    """Every known model, each with where it can be used."""
    site, visitor = Site.of(request), await find_visitor(request)
    listed = await site.gateway.session.list_models()
    cards = [model_card(spec, site.gateway.settings.prices) for spec in listed]
    return site.renderer.page(request, "models.html", visitor, models=cards)


PAGES = (("GET", "/", models),)
