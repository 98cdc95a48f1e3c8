"""`responses`: what an operation answers, as FastAPI's argument of that name."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, TypeAlias

from voxgate.api.dialects.render import FORMAT_WRITERS
from voxgate.api.dialects.streaming import EVENT_STREAM
from voxgate.api.openapi import chat_schemas, schemas
from voxgate.transcript.formats import WRITERS

if TYPE_CHECKING:
    from collections.abc import Mapping

    from msgspec import Struct

    from voxgate.api.dialects.wire import OutputFormat

JSON: Final = "application/json"
OPTIONAL_KEY_ERRORS: Final = (401, 429, 503)
KEY_ERRORS: Final = (401, 403, 429, 503)
BODY_ERRORS: Final = (400, 408, 413, 415)
TRANSCRIPTION_ERRORS: Final = (*KEY_ERRORS, *BODY_ERRORS, 402, 404, 502, 504)

ERRORS: Final = {
    400: "The request is malformed, contradicts itself, or asks for what is not done here.",
    401: "The request has no key, or one that is not valid here.",
    402: "Too little is left of the key's budget.",
    403: "The caller is not allowed to do this.",
    404: "Nothing here has that name.",
    408: "The body stopped arriving.",
    413: "The body or the recording is too large, or the recording too long.",
    415: "The body's content type, charset or encoding is not read here.",
    429: "The server or the key has as many jobs as it may, the key sent as many requests a minute "
    "as it may, or too many wrong keys came from the address.",
    502: "The engine, or a provider elsewhere, cannot transcribe a part of the recording.",
    503: "The server, the model's engine or every endpoint does not take the request now.",
    504: "A provider elsewhere did not answer in time.",
}
"""What each status of an error means."""

_HEADERS: Final = {
    **{
        name: {"required": True, "schema": {"type": "string"}}
        for name in ("X-Generation-Id", "X-Request-Id", "X-Voxgate-Model", "Server-Timing")
    },
    **{
        name: {"schema": {"type": "string"}} for name in ("X-Voxgate-Warning", "X-Voxgate-Estimate")
    },
}

_ERROR_HEADERS: Final[dict[int, dict[str, Any]]] = {
    401: {"WWW-Authenticate": {"required": True, "schema": {"const": "Bearer"}}},
    429: {
        "Retry-After": {"required": True, "schema": {"type": "integer"}},
        **{
            f"X-RateLimit-{name}": {"schema": {"type": "integer"}}
            for name in ("Limit", "Remaining", "Reset")
        },
    },
    503: {"Retry-After": {"schema": {"type": "integer"}}},
}

Responses: TypeAlias = dict[int | str, dict[str, Any]]


def responses(
    content: Mapping[str, Any],
    *errors: int,
    headers: Mapping[str, Any] | None = None,
    error: type[Struct] = schemas.Error,
    status: int = 200,
) -> Responses:
    """Return the answer of a success, by its media types, and those of the errors."""
    success = {"description": "What was asked for.", "content": content, "headers": headers or {}}
    return {status: success, **{each: _error(each, error) for each in sorted(set(errors))}}


def json_of(*objects: type[Struct]) -> dict[str, Any]:
    """Return the content of a response that is one of these objects."""
    kinds = [schema_of(each) for each in objects]
    return {JSON: {"schema": kinds[0] if len(kinds) == 1 else {"anyOf": kinds}}}


def text_of(*media_types: str) -> dict[str, Any]:
    """Return the content of a response that is a text of one of these types."""
    return {name: {"schema": {"type": "string"}} for name in media_types}


def schema_of(kind: type[Struct]) -> dict[str, str]:
    """Return the reference to the schema of an object."""
    return {"$ref": f"#/components/schemas/{kind.__name__}"}


def transcription_responses(
    content: Mapping[str, Any], *formats: OutputFormat, error: type[Struct] = schemas.Error
) -> Responses:
    """Return the answers to a recording: this content, and texts in these formats."""
    texts = text_of(*(WRITERS[FORMAT_WRITERS[name]].media_type for name in formats))
    return responses({**content, **texts}, *TRANSCRIPTION_ERRORS, headers=_HEADERS, error=error)


def _error(status: int, kind: type[Struct]) -> dict[str, Any]:
    headers = _ERROR_HEADERS.get(status, {})
    return {"description": ERRORS[status], "content": json_of(kind), "headers": headers}


ANSWERS: Final = responses(
    {
        # An error that comes after white space was sent has the status 200.
        **json_of(chat_schemas.ChatCompletion, schemas.Error),
        EVENT_STREAM: {"itemSchema": schema_of(schemas.StreamEvent)},
    },
    *TRANSCRIPTION_ERRORS,
    headers=_HEADERS,
)
"""What a question is answered with."""

DOCUMENTED_DIALECTS: Final = transcription_responses(
    {
        # An error that comes after white space was sent has the status 200.
        **json_of(schemas.Transcript, schemas.VerboseTranscript, schemas.Error),
        # The key of OpenAPI 3.2, which FastAPI writes as well.
        EVENT_STREAM: {"itemSchema": schema_of(schemas.StreamEvent)},
    },
    *("text", "srt", "vtt"),
)
"""The answers of OpenRouter's, OpenAI's and Mistral's paths."""
