"""`GET /generation/content`: the transcript of a request, where its key keeps them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any

from fastapi import APIRouter, Depends, Request, Response

from voxgate.api.auth import caller
from voxgate.api.error_responses import json_response
from voxgate.api.generations import find_generation
from voxgate.api.openapi import generation_schemas
from voxgate.api.openapi.responses import KEY_ERRORS, json_of, responses
from voxgate.ledger.key import Key  # noqa: TC001 (FastAPI evaluates it)
from voxgate.ledger.usage import FIRST_FAILURE

if TYPE_CHECKING:
    from voxgate.api.gateway import Gateway
    from voxgate.ledger.generation import Generation

router = APIRouter()


@router.get(
    "/generation/content",
    summary="The transcript of a request, where it is kept",
    response_model=None,
    responses=responses(json_of(generation_schemas.WrappedContent), *KEY_ERRORS, 400, 404),
)
async def content(
    request: Request,
    key: Annotated[Key | None, Depends(caller)],  # before the query is looked at
    id: str,  # noqa: A002 (the name on the wire)
) -> Response:
    """The text of one request that the same key sent. The recording is never kept."""
    gateway: Gateway = request.app.state.gateway
    found = await find_generation(gateway, key, id)
    text = await gateway.keeper.read(found)
    data = {
        "input": {"messages": []},
        "output": {"completion": text, "reasoning": None},
        "error": _error(found),
    }
    return json_response({"data": data})


def _error(found: Generation) -> dict[str, Any] | None:
    """Return how a generation failed that had text before; None for one that succeeded."""
    if found.status is None or found.status < FIRST_FAILURE:
        return None
    return {
        "status": found.status,
        "message": found.error_message or found.error_code,
        "provider_name": found.provider,
        "raw": None,
        "previous_errors": [
            {
                "code": attempt.status,
                "message": attempt.error,
                "provider_name": attempt.provider,
                "raw": None,
            }
            for attempt in found.attempts
            if attempt.error
        ],
    }
