"""`/compare/<author>/<slug>/<author>/<slug>/...`: up to four models side by side."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from starlette.responses import RedirectResponse

from voxgate.errors import UnknownModelError, UsageError
from voxgate.web.models.comparison import MOST, ComparedModel, compare
from voxgate.web.models.endpoint_details import endpoint_details
from voxgate.web.models.endpoint_rows import EndpointBooks
from voxgate.web.models.model_address import quoted_name
from voxgate.web.models.model_facts import effective_price_text, size_text
from voxgate.web.models.model_rows import ModelRow
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Sequence

    from starlette.requests import Request
    from starlette.responses import Response

    from voxgate.api.gateway import Gateway
    from voxgate.models.catalogue import ModelSpec

PREFIX = "/compare"


async def comparison(request: Request) -> Response:
    """Compare the models of the address; `add` has one more, for which the address changes."""
    site, visitor = Site.of(request), await find_visitor(request)
    gateway, path = site.gateway, request.path_params.get("names", "")
    known = await gateway.session.list_models()
    added = request.query_params.get("add", "")
    chosen = models_of("/".join(filter(None, (path, added))), known)
    address = compare_path(chosen)
    if added or path != "/".join(spec.name for spec in chosen):
        return RedirectResponse(address, 302)
    columns = [await _column(gateway, spec) for spec in chosen]
    return site.renderer.page(
        request,
        "compare.html",
        visitor,
        columns=columns,
        without=[compare_path([each for each in chosen if each is not spec]) for spec in chosen],
        rows=compare(columns) if columns else [],
        others=[spec for spec in known if spec not in chosen] if len(chosen) < MOST else [],
        address=address,
        most=MOST,
    )


async def _column(gateway: Gateway, spec: ModelSpec) -> ComparedModel:
    row = ModelRow.of(spec, EndpointBooks.of(gateway))
    return ComparedModel(
        row,
        await asyncio.to_thread(endpoint_details, spec, row.endpoints, gateway.settings),
        await asyncio.to_thread(size_text, spec, gateway.settings),
        await effective_price_text(gateway, spec.name),
    )


def compare_path(models: Sequence[ModelSpec]) -> str:
    """Return the address at which models are compared."""
    return "/".join((PREFIX, *(quoted_name(spec.name) for spec in models)))


def models_of(path: str, known: Sequence[ModelSpec]) -> list[ModelSpec]:
    """Return the models whose names stand in a path one after the other, each once.

    Names have slashes: of two that begin alike the longer one is meant. Raises `UnknownModelError`
    for what is no model's name, and `UsageError` for too many.
    """
    by_name = {name.lower(): spec for spec in known for name in spec.aliases}
    by_name |= {spec.name.lower(): spec for spec in known}
    longest = max((name.count("/") + 1 for name in by_name), default=1)
    found: dict[str, ModelSpec] = {}
    parts = [part for part in path.split("/") if part]
    while parts:
        for length in range(min(longest, len(parts)), 0, -1):
            if spec := by_name.get("/".join(parts[:length]).lower()):
                break
        else:
            raise UnknownModelError(
                f"No model is called '{'/'.join(parts[:2])[:200]}'. Choose one from the list of "
                f"models."
            )
        found[spec.name] = spec
        parts = parts[length:]
    if len(found) > MOST:
        raise UsageError(
            f"{len(found)} models are too many to be seen side by side: at most {MOST} are."
        )
    return list(found.values())


PAGES = (("GET", PREFIX, comparison), ("GET", f"{PREFIX}/{{names:path}}", comparison))
