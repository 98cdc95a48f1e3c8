"""`GET /generation`: the outcome of a request, by its `X-Generation-Id`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from voxgate.api.auth import caller
from voxgate.api.error_responses import json_response
from voxgate.api.keys.fields import WORKSPACE_ID
from voxgate.api.model_card import endpoint_id
from voxgate.api.openapi import generation_schemas
from voxgate.api.openapi.responses import KEY_ERRORS, json_of, responses
from voxgate.errors import VoxgateError
from voxgate.ledger.amounts import json_dollars
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.ledger.generation import Generation, RecordedAttempt

NULL_FIELDS: dict[str, Any] = dict.fromkeys(
    (
        *("upstream_inference_cost", "cache_discount", "moderation_latency"),
        *("native_tokens_cached", "native_tokens_reasoning"),
        *("native_tokens_completion_images", "num_media_prompt", "num_media_completion"),
        *("num_search_results", "num_fetches", "app_id"),
        *("preset_id", "router", "service_tier", "web_search_engine", "upstream_id"),
    )
)
"""Keys that clients require (openrouter-api.md 5.5) and that have no meaning for this server."""

router = APIRouter()


@router.get(
    "/generation",
    summary="What became of a request",
    response_model=None,
    responses=responses(json_of(generation_schemas.WrappedGeneration), *KEY_ERRORS, 400, 404),
)
async def generation(
    request: Request,
    key: Annotated[Key | None, Depends(caller)],  # before the query is looked at
    id: str,  # noqa: A002 (the name on the wire)
) -> Response:
    """Status, seconds, cost and attempts of one request that the same key sent."""
    gateway: Gateway = request.app.state.gateway
    found = await find_generation(gateway, key, id)
    return json_response({"data": _data(found)})


async def find_generation(gateway: Gateway, key: Key | None, id_: str) -> Generation:
    """Return the generation of a caller with this id. Raises `VoxgateError` (`not_found`)."""
    found = await gateway.ledger.generations.find(id_, key.hash if key else None)
    if found is None:
        raise VoxgateError(
            f"No generation of this key has the id '{id_[:100]}'. Ids stand in the header "
            f"X-Generation-Id of an answer.",
            code="not_found",
        )
    return found


def _data(found: Generation) -> dict[str, Any]:
    cost = json_dollars(found.cost_nanodollars)
    return {
        **NULL_FIELDS,
        "id": found.id,
        "api_type": found.api_type or "stt",
        "created_at": found.created_at.isoformat(timespec="microseconds"),
        "model": found.model,
        "provider_name": found.provider,
        "origin": found.http_referer or "",
        "data_region": "global",
        "is_byok": False,
        "usage": cost,
        "total_cost": cost,
        "latency": found.latency_ms,
        "generation_time": found.generation_time_ms,
        "tokens_prompt": found.prompt_tokens,
        "native_tokens_prompt": found.prompt_tokens,
        "tokens_completion": found.tokens,
        "native_tokens_completion": found.tokens,
        "streamed": found.streamed,
        "cancelled": found.cancelled,
        "finish_reason": found.finish_reason,
        "native_finish_reason": found.finish_reason,
        "num_input_audio_prompt": None if found.api_type else 1,
        "external_user": found.external_user,
        "http_referer": found.http_referer,
        "user_agent": found.user_agent,
        "workspace_id": WORKSPACE_ID,
        "session_id": found.session_id,
        "request_id": found.id,
        "provider_responses": [_attempt(found, attempt) for attempt in found.attempts],
        # Voxgate's own: the true outcome, also where white space was sent with a 200 before.
        "status": found.status,
        "error_code": found.error_code,
        "audio_seconds": found.audio_seconds,
        "voxgate": {"revision": found.revision, "profile": found.profile},
    }


def _attempt(found: Generation, attempt: RecordedAttempt) -> dict[str, Any]:
    return {
        "endpoint_id": endpoint_id(found.model, attempt.provider),
        "model_permaslug": found.model,
        "status": attempt.status,
        "provider_name": attempt.provider,
        "latency": attempt.latency_ms,
        "is_byok": False,
        "error_code": attempt.error,
    }
