"""`/`: the models that can be asked for, here and at providers."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.transcript.language import language_name
from voxgate.web.models.endpoint_rows import EndpointBooks
from voxgate.web.models.model_query import AT, ORDERS, PLACES, ModelQuery
from voxgate.web.models.model_rows import ModelRow
from voxgate.web.signing.visitor import find_visitor
from voxgate.web.site import Site

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from starlette.requests import Request
    from starlette.responses import Response


async def models(request: Request) -> Response:
    """The models that fit a query, one page of them."""
    site, visitor = Site.of(request), await find_visitor(request)
    query = ModelQuery.parse(request.query_params)
    books = EndpointBooks.of(site.gateway)
    rows = [ModelRow.of(spec, books) for spec in await site.gateway.session.list_models()]
    return site.renderer.page(
        request,
        "models.html",
        visitor,
        query=query,
        found=query.select(rows),
        known=len(rows),
        languages=_languages(rows),
        places=PLACES | {f"{AT}{name}": f"At {name}" for name in _providers(rows)},
        orders={name: title for name, (title, _) in ORDERS.items()},
        measured=any(row.word_error_rate is not None for row in rows),
        sends_canaries=site.gateway.settings.sends_canaries,
    )


def _languages(rows: Iterable[ModelRow]) -> dict[str, str]:
    """Return the languages that any of the models knows, by their codes, in the order of names."""
    codes = {code for row in rows for code in row.spec.capabilities.languages}
    return dict(sorted(((code, language_name(code)) for code in codes), key=lambda pair: pair[1]))


def _providers(rows: Sequence[ModelRow]) -> list[str]:
    return sorted({name for row in rows for name in row.providers})


PAGES = (("GET", "/", models), ("GET", "/models", models))
"""The second is what people make of the address of a model."""
