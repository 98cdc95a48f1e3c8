"""`GET /models` and related routes: the models of this server.

OpenRouter lists text models by default. This server transcribes, so it lists every model.
The routes need no key; one that is given is checked, since clients test their key here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, TypeAlias

from fastapi import APIRouter, Depends, Query, Request, Response

from voxgate.api.auth import caller, check_given_key
from voxgate.api.endpoint_cards import endpoint_cards, provider_cards
from voxgate.api.error_responses import error_response, json_response
from voxgate.api.model_card import model_card
from voxgate.api.model_card import output_modalities as made_by
from voxgate.api.model_uptime import find_uptime, uptime_record
from voxgate.api.openapi import model_schemas
from voxgate.api.openapi.document import OPTIONAL_KEY
from voxgate.api.openapi.responses import KEY_ERRORS, OPTIONAL_KEY_ERRORS, json_of, responses
from voxgate.api.query import check_names
from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)
from voxgate.models.elsewhere import is_reachable

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.session import Session
    from voxgate.settings import Settings

PAGE_SIZE = 500

FILTERS = {"output_modalities", "q", "offset", "limit"}
RANGES = ("price", "output_price", "age_days", "intelligence_index", "coding_index")
UNBUILT_FILTERS = {
    *("input_modalities", "supported_parameters", "sort", "model_authors", "providers", "arch"),
    *("zdr", "region", "context", "category", "distillable", "use_rss", "use_rss_chat_links"),
    *(f"{end}_{name}" for end in ("min", "max") for name in (*RANGES, "agentic_index")),
    *("min_tool_success_rate", "max_tool_success_rate"),
}
"""OpenRouter's other filters (openrouter-api.md 4.1): a list that ignored them would mislead."""

Offset: TypeAlias = Annotated[int, Query(ge=0)]
Limit: TypeAlias = Annotated[int, Query(ge=1, le=1000)]

router = APIRouter(dependencies=[Depends(check_given_key)])


@router.get(
    "/models",
    summary="List the models",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.ModelList), *OPTIONAL_KEY_ERRORS, 400),
)
async def models(
    request: Request,
    output_modalities: str = "all",
    q: str = "",
    offset: Offset = 0,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """Every known model; `voxgate.providers` tells where it can be used."""
    _check_filters(request, FILTERS)
    listed = await _listed(request, output_modalities)
    return _page(request, [spec for spec in listed if q.lower() in _text(spec)], offset, limit)


@router.get(
    "/models/user",
    summary="List the models of a key",
    response_model=None,
    responses=responses(json_of(model_schemas.ModelList), *KEY_ERRORS, 400),
)
async def for_user(
    request: Request,
    key: Annotated[Key | None, Depends(caller)],  # before the query is looked at
    output_modalities: str = "all",
    offset: Offset = 0,
    limit: Limit = PAGE_SIZE,
) -> Response:
    """The models that the caller's key may ask for: all of them, unless it is limited to some."""
    _check_filters(request, FILTERS - {"q"})
    listed = await _listed(request, output_modalities)
    if key and key.allowed_models:
        allowed = await _session(request).own_names(key.allowed_models)
        listed = [spec for spec in listed if spec.name in allowed]
    return _page(request, listed, offset, limit)


@router.get(
    "/models/count",
    summary="Count the models",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.ModelCount), *OPTIONAL_KEY_ERRORS, 400),
)
async def count(request: Request, output_modalities: str = "all") -> Response:
    """The number of models."""
    _check_filters(request, {"output_modalities"})
    return json_response({"data": {"count": len(await _listed(request, output_modalities))}})


@router.get(
    "/models/{model:path}/endpoints",
    summary="A model's endpoints",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.WrappedEndpoints), *OPTIONAL_KEY_ERRORS, 400, 404),
)
async def endpoints(request: Request, model: str) -> Response:
    """What serves a model, here and elsewhere; an alias has the endpoints of its model."""
    try:
        spec = await _session(request).resolve(model, folders=False)
    except VoxgateError as error:
        return error_response(request, error, model)
    fields = ("id", "name", "created", "description", "architecture")
    card = model_card(spec, _settings(request))
    described = {name: value for name, value in card.items() if name in fields}
    gateway: Gateway = request.app.state.gateway
    health, canaries = gateway.session.endpoints.health, gateway.canaries.book
    cards = endpoint_cards(spec, gateway.settings.prices, health, canaries)
    return json_response({"data": {**described, "endpoints": cards}})


@router.get(
    "/models/{model:path}/uptime",
    summary="A model's uptime",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.WrappedUptime), *OPTIONAL_KEY_ERRORS, 400, 404),
)
async def uptime(request: Request, model: str) -> Response:
    """How a model did in 72 hours, as its callers met it and at each of its endpoints."""
    try:
        spec = await _session(request).resolve(model, folders=False)
    except VoxgateError as error:
        return error_response(request, error, model)
    gateway: Gateway = request.app.state.gateway
    found = await find_uptime(gateway.ledger, spec, utc_now())
    return json_response({"data": uptime_record(found)})


@router.get(
    "/models/{model:path}",
    summary="Describe a model",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.Model), *OPTIONAL_KEY_ERRORS, 400, 404),
)
async def retrieve(request: Request, model: str) -> Response:
    """As OpenAI's and Mistral's clients ask, which escape the slash in a model's name."""
    return await _one(request, model, wrapped=False)


@router.get(
    "/model/{name:path}",
    summary="Describe a model",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.WrappedModel), *OPTIONAL_KEY_ERRORS, 400, 404),
)
async def model(request: Request, name: str) -> Response:
    """The same, wrapped in `data`, as OpenRouter's client asks."""
    return await _one(request, name, wrapped=True)


@router.get(
    "/providers",
    summary="List the providers",
    response_model=None,
    openapi_extra=OPTIONAL_KEY,
    responses=responses(json_of(model_schemas.ProviderList), *OPTIONAL_KEY_ERRORS),
)
async def providers(request: Request) -> Response:
    """Who serves the models: this server, and the providers elsewhere that it uses."""
    gateway: Gateway = request.app.state.gateway
    settings = gateway.settings
    used = [each for each in settings.endpoints.upstreams if is_reachable(each, settings)]
    return json_response({"data": provider_cards(used)})


def _check_filters(request: Request, known: set[str]) -> None:
    """Raise `UsageError` for a filter that is not one of these."""
    if unbuilt := UNBUILT_FILTERS & request.query_params.keys():
        raise UsageError(
            f"'{min(unbuilt)}' is not built yet in this version: leave it out, and choose from the "
            f"whole list.",
            code="not_built",
        )
    check_names(request, known)


def _page(request: Request, known: list[ModelSpec], offset: int, limit: int) -> Response:
    page = [model_card(spec, _settings(request)) for spec in known[offset : offset + limit]]
    links = {"next": _next(request, offset + limit) if offset + limit < len(known) else None}
    return json_response(
        {"object": "list", "data": page, "total_count": len(known), "links": links}
    )


async def _one(request: Request, name: str, *, wrapped: bool) -> Response:
    try:
        spec = await _session(request).resolve(name, folders=False)
        described = model_card(spec, _settings(request))
    except VoxgateError as error:
        return error_response(request, error, name)
    return json_response({"data": described} if wrapped else described)


def _settings(request: Request) -> Settings:
    gateway: Gateway = request.app.state.gateway
    return gateway.settings


async def _listed(request: Request, output_modalities: str) -> list[ModelSpec]:
    wanted = {name.strip() for name in (output_modalities or "all").split(",")}
    listed = await _session(request).list_models()
    if "all" in wanted:
        return listed
    is_read = bool(_settings(request).answer_model)
    return [spec for spec in listed if wanted & set(made_by(spec, is_read=is_read))]


def _session(request: Request) -> Session:
    session: Session = request.app.state.gateway.session
    return session


def _text(spec: ModelSpec) -> str:
    return f"{spec.name} {spec.title}".lower()


def _next(request: Request, offset: int) -> str:
    return str(request.url.include_query_params(offset=offset))
