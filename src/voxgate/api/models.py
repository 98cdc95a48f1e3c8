"""`GET /models` and related routes: the models of this server, in OpenRouter's shape.

OpenRouter lists text models by default. This server only transcribes, so it lists every model.
OpenAI's client reads `id` alone, and finds the fields that it expects.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any

from fastapi import APIRouter, Query, Request, Response

from voxgate.api.error_responses import error_response, json_response
from voxgate.api.submission import PROVIDER_NAME
from voxgate.errors import UsageError, VoxgateError
from voxgate.models.catalogue import missing_distributions
from voxgate.models.precision import precision_of

if TYPE_CHECKING:
    from voxgate.models.catalogue import ModelSpec
    from voxgate.pipeline.session import Session

ARCHITECTURE = {
    "modality": "audio->transcription",
    "input_modalities": ["audio"],
    "output_modalities": ["transcription"],
    "tokenizer": "Other",
    "instruct_type": None,
}
PRICING = {"prompt": "0", "completion": "0"}
PAGE_SIZE = 500

UNBUILT_FILTERS = {
    *("input_modalities", "supported_parameters", "sort", "model_authors", "providers", "arch"),
    *("zdr", "region", "context", "min_price", "max_price", "min_output_price"),
    *("max_output_price", "min_age_days", "max_age_days", "category", "distillable"),
    *("use_rss", "use_rss_chat_links"),
}
"""OpenRouter's other filters (openrouter-api.md 4.1): a list that ignored them would mislead."""

router = APIRouter()


@router.get("/models", summary="List the models", response_model=None)
async def models(
    request: Request,
    output_modalities: str = "all",
    q: str = "",
    offset: int = Query(0, ge=0),
    limit: int = Query(PAGE_SIZE, ge=1, le=1000),
) -> Response:
    """Every known model; `voxgate.installed` tells whether it can be used."""
    if unbuilt := UNBUILT_FILTERS & request.query_params.keys():
        raise UsageError(
            f"'{min(unbuilt)}' is not built yet in this version: leave it out, and choose from the "
            f"whole list.",
            code="not_built",
        )
    listed = await _listed(request, output_modalities)
    known = [spec for spec in listed if q.lower() in _text(spec)]
    page = [_model(spec) for spec in known[offset : offset + limit]]
    links = {"next": _next(request, offset + limit) if offset + limit < len(known) else None}
    return _json({"object": "list", "data": page, "total_count": len(known), "links": links})


@router.get("/models/count", summary="Count the models", response_model=None)
async def count(request: Request, output_modalities: str = "all") -> Response:
    """The number of models."""
    return _json({"data": {"count": len(await _listed(request, output_modalities))}})


@router.get("/models/{model:path}/endpoints", summary="A model's endpoints", response_model=None)
async def endpoints(request: Request, model: str) -> Response:
    """The one endpoint of an installed model; an alias has that of its model."""
    try:
        spec = await _session(request).resolve(model, folders=False)
    except VoxgateError as error:
        return error_response(request, error, model)
    fields = ("id", "name", "created", "description", "architecture")
    described = {name: value for name, value in _model(spec).items() if name in fields}
    serving = [] if missing_distributions(spec) else [_endpoint(spec)]
    return _json({"data": {**described, "endpoints": serving}})


@router.get("/models/{model:path}", include_in_schema=False, response_model=None)
async def retrieve(request: Request, model: str) -> Response:
    """OpenAI's `models.retrieve`, which escapes the slash in a model's name."""
    return await _one(request, model, wrapped=False)


@router.get("/model/{name:path}", summary="Describe a model", response_model=None)
async def model(request: Request, name: str) -> Response:
    """One model by its name, which may have no author, or by an alias."""
    return await _one(request, name, wrapped=True)


async def _one(request: Request, name: str, *, wrapped: bool) -> Response:
    try:
        described = _model(await _session(request).resolve(name, folders=False))
    except VoxgateError as error:
        return error_response(request, error, name)
    return _json({"data": described} if wrapped else described)


async def _listed(request: Request, output_modalities: str) -> list[ModelSpec]:
    modalities = {name.strip() for name in (output_modalities or "all").split(",")}
    wanted = modalities & {"all", "transcription"}
    return await _session(request).list_models() if wanted else []


def _session(request: Request) -> Session:
    session: Session = request.app.state.gateway.session
    return session


def _text(spec: ModelSpec) -> str:
    return f"{spec.name} {spec.title}".lower()


def _next(request: Request, offset: int) -> str:
    return str(request.url.include_query_params(offset=offset))


def _supported(spec: ModelSpec) -> list[str]:
    """Return the honoured options, by the names of openrouter-api.md 2.7."""
    return [*sorted(spec.capabilities.options), "response_format"]


def _created(spec: ModelSpec) -> int:
    return int(datetime.combine(spec.released, time(), UTC).timestamp())


def _model(spec: ModelSpec) -> dict[str, Any]:
    missing = why_unavailable(spec)
    return {
        "id": spec.name,
        "canonical_slug": spec.name,
        "name": spec.title,
        "created": _created(spec),
        "description": spec.summary,
        "context_length": 0,
        "architecture": ARCHITECTURE,
        "pricing": PRICING,
        "top_provider": {
            "context_length": None,
            "max_completion_tokens": None,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": _supported(spec),
        "default_parameters": None,
        "supported_voices": None,
        "hugging_face_id": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{spec.name}/endpoints"},
        "object": "model",
        "owned_by": spec.name.partition("/")[0],
        "voxgate": {
            "price_unit": "second",
            "languages": list(spec.capabilities.languages),
            "times": spec.capabilities.times,
            "detects_language": spec.capabilities.detects_language,
            "translates": spec.capabilities.translates,
            "vocabulary": spec.capabilities.vocabulary,
            "speakers": spec.capabilities.speakers,
            "streaming": spec.capabilities.streaming,
            "licence": spec.licence,
            **_checkpoint(spec),
            "aliases": list(spec.aliases),
            "installed": missing is None,
            "missing": missing,
        },
    }


def why_unavailable(spec: ModelSpec) -> str | None:
    """Return a sentence with the packages that the model lacks; None if none is missing.

    It has no command, unlike `why_not_installed`: that one names folders of this machine, and
    callers elsewhere cannot type it.
    """
    missing = missing_distributions(spec)
    if not missing:
        return None
    return (
        f"{spec.name} needs {' '.join(missing)}, which this server does not have. Its operator "
        f"finds the command that installs them with `voxgate doctor`."
    )


def _checkpoint(spec: ModelSpec) -> dict[str, str | None]:
    """Return the checkpoint that would be used now; null for a model that comes in a package."""
    return {"revision": spec.revision, "profile": spec.profile}


def _endpoint(spec: ModelSpec) -> dict[str, Any]:
    return {
        "name": f"{PROVIDER_NAME} | {spec.name}",
        "model_id": spec.name,
        "model_name": spec.title,
        "provider_name": PROVIDER_NAME,
        "tag": PROVIDER_NAME.lower(),
        "context_length": 0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "pricing": {**PRICING, "discount": 0},
        "quantization": precision_of(spec),
        "supported_parameters": _supported(spec),
        "status": 0,
        "uptime_last_5m": None,
        "uptime_last_30m": None,
        "uptime_last_1d": None,
        "latency_last_30m": None,
        "throughput_last_30m": None,
        "voxgate": _checkpoint(spec),
        "supports_implicit_caching": False,
        "supports_diarization": spec.capabilities.speakers,
        "native_tools": {},
        "service_tier": None,
        "supports_tool_choice": {
            "auto": False,
            "function": False,
            "none": False,
            "required": False,
        },
    }


def _json(body: dict[str, Any]) -> Response:
    return json_response(json.dumps(body).encode())
