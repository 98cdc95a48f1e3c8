"""`/models/{author}/{slug}`: all that is known of a model, one section below the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from starlette.responses import RedirectResponse

from voxgate.api.request_log import RequestEntry
from voxgate.errors import EngineStartError, UnknownModelError
from voxgate.models.catalogue import why_not_installed
from voxgate.web.model_figures.figure_choice import FigureChoice
from voxgate.web.model_figures.model_figures import model_figures
from voxgate.web.models.code_samples import RECORDING, base_url, code_samples
from voxgate.web.models.compare_page import compare_path
from voxgate.web.models.endpoint_details import endpoint_details, language_list
from voxgate.web.models.endpoint_rows import EndpointBooks
from voxgate.web.models.model_address import PREFIX, find_model_page, model_path, nearest_models
from voxgate.web.models.model_facts import capability_list, size_text, week_text
from voxgate.web.models.model_rows import ModelRow
from voxgate.web.models.parameters import parameter_rows
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.errors import VoxgateError
    from voxgate.models.catalogue import ModelSpec
    from voxgate.web.signing.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page, with an anchor and an address of its own."""

    title: str
    has_figures: bool = False  # over time: they are read for it

    @property
    def id(self) -> str:
        """Its anchor, and the last part of its address."""
        return self.title.lower()

    @property
    def template(self) -> str:
        """What shows it."""
        return f"model/{self.id}.html"


SECTIONS = (
    Section("Overview"),
    Section("Providers"),
    Section("Performance", has_figures=True),
    Section("Pricing", has_figures=True),
    Section("Apps", has_figures=True),
    Section("Activity", has_figures=True),
    Section("Uptime", has_figures=True),
    Section("API"),
    Section("Parameters"),
)


async def model(request: Request) -> Response:
    """The page of a model, or one section of it."""
    site, visitor = Site.of(request), await find_visitor(request)
    rest = request.path_params["name"]
    try:
        found = await find_model_page(site.gateway.session, rest, [each.id for each in SECTIONS])
    except (UnknownModelError, EngineStartError) as error:
        return await _missing(request, rest, error)
    if found.moved:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(model_path(found.spec.name, found.section) + query, 302)
    shown = [each for each in SECTIONS if found.section in {"", each.id}]
    choice = FigureChoice.of(request.query_params)
    figures = None
    if any(each.has_figures for each in shown):
        figures = await model_figures(site, found.spec, visitor, choice)
    url = base_url(request.url.scheme, request.headers.get("host", ""))
    return site.renderer.page(
        request,
        "model.html",
        visitor,
        sections=SECTIONS,
        shown=shown,
        section=found.section,
        figures=figures,
        url=url,
        recording=RECORDING,
        samples=code_samples(url, found.spec.name),
        **await _facts(site, found.spec, visitor),
    )


async def _facts(site: Site, spec: ModelSpec, visitor: Visitor) -> dict[str, Any]:
    """Return what the templates show of a model at this moment, by their names."""
    settings = site.gateway.settings
    row = ModelRow.of(spec, EndpointBooks.of(site.gateway))
    endpoints = await asyncio.to_thread(endpoint_details, spec, row.endpoints, settings)
    return {
        "spec": spec,
        "row": row,
        "compare_path": compare_path([spec]),
        # The command that installs it names folders of this machine: it is for its owner alone.
        "to_do": why_not_installed(spec) if row.missing and visitor.manages else row.missing,
        "endpoints": endpoints,
        "size": await asyncio.to_thread(size_text, spec, settings),
        "languages": language_list(spec.capabilities.languages),
        "capabilities": capability_list(spec.capabilities),
        "week": await week_text(site.gateway, spec.name, visitor),
        "settings": settings,
        "parameters": parameter_rows(endpoints),
    }


async def _missing(request: Request, name: str, error: VoxgateError) -> Response:
    """Tell that no model has a name, and which have nearly that one."""
    RequestEntry.of(request.scope).fail(error)
    site, visitor = Site.of(request), await find_visitor(request)
    known = await site.gateway.session.list_models()
    near = await asyncio.to_thread(nearest_models, name, known)  # 0.4 s for 1000 models
    return site.renderer.page(
        request,
        "model_missing.html",
        visitor,
        status=404,
        sentence=error.public_sentence,
        near=[(each.title, each.name, model_path(each.name)) for each in near],
    )


PAGES = (("GET", f"{PREFIX}{{name:path}}", model),)
