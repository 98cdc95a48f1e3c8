"""`/models/{author}/{slug}`: all that is known of a model, one section below the other."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from voxgate.api.request_log import RequestEntry
from voxgate.errors import EngineStartError, UnknownModelError
from voxgate.models.catalogue import why_not_installed
from voxgate.web.code_samples import RECORDING, base_url, code_samples
from voxgate.web.compare_page import compare_path
from voxgate.web.endpoint_details import endpoint_details, language_list
from voxgate.web.endpoint_rows import EndpointBooks
from voxgate.web.model_address import PREFIX, find_model_page, model_path, nearest_models
from voxgate.web.model_facts import capability_list, size_text, week_text
from voxgate.web.model_rows import ModelRow
from voxgate.web.parameters import parameter_rows
from voxgate.web.site import Site
from voxgate.web.visitor import find_visitor

if TYPE_CHECKING:
    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.errors import VoxgateError


@dataclass(frozen=True, slots=True)
class Section:
    """A part of the page, with an anchor and an address of its own."""

    id: str
    title: str
    template: str


SECTIONS = tuple(
    Section(name.lower(), name, f"model/{name.lower()}.html")
    for name in ("Overview", "Providers", "Pricing", "API", "Parameters")
)


async def model(request: Request) -> Response:
    """The page of a model, or one section of it."""
    site, visitor = Site.of(request), await find_visitor(request)
    gateway, rest = site.gateway, request.path_params["name"]
    try:
        found = await find_model_page(gateway.session, rest, [each.id for each in SECTIONS])
    except (UnknownModelError, EngineStartError) as error:
        return await _missing(request, rest, error)
    spec, section = found.spec, found.section
    if found.moved:
        query = f"?{request.url.query}" if request.url.query else ""
        return RedirectResponse(model_path(spec.name, section) + query, 302)
    row = ModelRow.of(spec, EndpointBooks.of(gateway))
    endpoints = await asyncio.to_thread(endpoint_details, spec, row.endpoints, gateway.settings)
    url = base_url(request.url.scheme, request.headers.get("host", ""))
    return site.renderer.page(
        request,
        "model.html",
        visitor,
        row=row,
        compare_path=compare_path([spec]),
        # The command that installs it names folders of this machine: it is for its owner alone.
        to_do=why_not_installed(spec) if row.missing and visitor.manages else row.missing,
        spec=spec,
        sections=SECTIONS,
        shown=[each for each in SECTIONS if section in {"", each.id}],
        section=section,
        endpoints=endpoints,
        size=await asyncio.to_thread(size_text, spec, gateway.settings),
        languages=language_list(spec.capabilities.languages),
        capabilities=capability_list(spec.capabilities),
        week=await week_text(gateway, spec.name, visitor),
        settings=gateway.settings,
        parameters=parameter_rows(endpoints),
        url=url,
        recording=RECORDING,
        samples=code_samples(url, spec.name),
    )


async def _missing(request: Request, name: str, error: VoxgateError) -> Response:
    """Tell that no model has a name, and which have nearly that one."""
    RequestEntry.of(request.scope).fail(error)
    site, visitor = Site.of(request), await find_visitor(request)
    near = nearest_models(name, await site.gateway.session.list_models())
    return site.renderer.page(
        request,
        "model_missing.html",
        visitor,
        status=404,
        name=name[:200],
        sentence=error.public_sentence,
        near=[(each.title, each.name, model_path(each.name)) for each in near],
    )


PAGES = (("GET", f"{PREFIX}{{name:path}}", model),)
