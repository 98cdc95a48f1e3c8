"""What the operations take that read their bodies themselves, as FastAPI's `openapi_extra`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from voxgate.api.body.request_body import FORM_TYPE, JSON_TYPE, RAW_TYPE, URLENCODED_TYPE
from voxgate.api.chat.wire import ChatRequest
from voxgate.api.dialects.wire import TranscriptionRequest

if TYPE_CHECKING:
    from pydantic import BaseModel

_BINARY: Final = {"type": "string", "format": "binary"}

_JSON_TEXT: Final = {"type": "string", "contentMediaType": JSON_TYPE}


def _as_text(schema: dict[str, Any]) -> dict[str, Any]:
    """Return the schema of a field of a form or an address, where an object is JSON text."""
    if "anyOf" not in schema:
        return schema
    return {**schema, "anyOf": [_JSON_TEXT if "$ref" in each else each for each in schema["anyOf"]]}


_FIELDS: Final[dict[str, Any]] = {
    name: _as_text(schema)
    for name, schema in TranscriptionRequest.model_json_schema()["properties"].items()
    if name not in {"input_audio", "provider"}
}


def json_body(model: type[BaseModel]) -> dict[str, Any]:
    """Return a body that is an object of JSON, whose schema the document has by its name."""
    schema = {"$ref": f"#/components/schemas/{model.__name__}"}
    return {"requestBody": {"required": True, "content": {JSON_TYPE: {"schema": schema}}}}


def form(file: str, properties: dict[str, Any]) -> dict[str, Any]:
    """Return a form with a recording as the part `file`, and other fields."""
    schema = {
        "type": "object",
        "required": [file],
        "properties": {file: _BINARY, **properties},
    }
    return {"requestBody": {"required": True, "content": {FORM_TYPE: {"schema": schema}}}}


def form_with_query(file: str, options: type[BaseModel]) -> dict[str, Any]:
    """Return a form with a recording alone, and the options in the address."""
    return {"parameters": query(options.model_json_schema()["properties"]), **form(file, {})}


def query(properties: dict[str, Any], description: str | None = None) -> list[dict[str, Any]]:
    """Return optional parameters in the address."""
    described = {"description": description} if description else {}
    return [
        {"name": name, "in": "query", "required": False, **described, "schema": schema}
        for name, schema in properties.items()
    ]


def _one_of_the_fields(*names: str) -> dict[str, Any]:
    return {
        "type": "object",
        "required": ["model"],
        "anyOf": [{"required": [name]} for name in names],
        "properties": {**({"file": _BINARY} if "file" in names else {}), **_FIELDS},
    }


TRANSCRIPTION: Final[dict[str, Any]] = {
    "parameters": query(
        {
            name: {key: value for key, value in schema.items() if key not in {"title", "default"}}
            for name, schema in _FIELDS.items()
        },
        "Only beside a recording that is the whole body.",
    ),
    "requestBody": {
        "required": True,
        "content": {
            JSON_TYPE: {"schema": {"$ref": "#/components/schemas/TranscriptionRequest"}},
            FORM_TYPE: {"schema": _one_of_the_fields("file", "file_url", "file_id")},
            # As Mistral's client writes it for an address or a kept file.
            URLENCODED_TYPE: {"schema": _one_of_the_fields("file_url", "file_id")},
            **{name: {"schema": _BINARY} for name in ("audio/*", "video/*", RAW_TYPE)},
        },
    },
}
"""A recording, or where it is, with options: the three documented dialects."""

CHAT: Final[dict[str, Any]] = json_body(ChatRequest)
"""Messages with texts and recordings, and options."""
