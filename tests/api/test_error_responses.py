"""The body and headers of an error that says why no endpoint is left."""

from __future__ import annotations

import json
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec
import pytest

from tests.routing.candidates import candidate
from voxgate.api.error_responses import error_body, error_headers
from voxgate.api.openapi import schemas
from voxgate.errors import AvailabilityError
from voxgate.routing.choice import choose
from voxgate.routing.preferences import Preferences
from voxgate.routing.summary import Pause

if TYPE_CHECKING:
    from voxgate.routing.candidate import Candidate

MODEL = "openai/whisper-base"


def failure(preferences: Preferences, *candidates: Candidate) -> AvailabilityError:
    with pytest.raises(AvailabilityError) as caught:
        choose(preferences, candidates, now=0.0, random=Random(0))
    return caught.value


def availability(error: AvailabilityError) -> dict[str, Any]:
    body = json.loads(error_body(error, MODEL))
    msgspec.convert(body, schemas.Error)
    found: dict[str, Any] = body["error"]["availability"]
    return found


def test_a_constraint_is_named_with_the_providers_that_it_excludes() -> None:
    error = failure(Preferences(only=("azure",)), candidate("groq/x"), candidate("local/x"))
    assert availability(error) == {
        "code": "constraint_filtered",
        "retryable": False,
        "requested_models": [MODEL],
        "docs_url": "/docs",
        "affected_providers": ["groq", "local"],
        "excluded_by": ["allowed_providers"],
        "constraint": {"field": "provider.only", "detail": "'provider.only' names azure"},
    }
    assert error_headers(error) == {"x-should-retry": "false"}


def test_a_pause_says_when_to_come_back() -> None:
    error = failure(Preferences(), candidate("groq/x", pause=Pause("rate_limited", 40.5)))
    assert availability(error) == {
        "code": "capacity_exhausted",
        "retryable": True,
        "requested_models": [MODEL],
        "docs_url": "/docs",
        "retry_after": 41,
        "affected_providers": ["groq"],
        "excluded_by": ["rate_limited"],
    }
    assert error_headers(error) == {"Retry-After": "41"}
