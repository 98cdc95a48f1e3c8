"""`document`: the whole OpenAPI, from the routes and the objects that they answer with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import msgspec
from fastapi.openapi.utils import get_openapi

from voxgate.api.chat.wire import ChatRequest
from voxgate.api.dialects.wire import TranscriptionRequest
from voxgate.api.keys.fields import KeyChange, NewKey
from voxgate.api.openapi import (
    chat_schemas,
    file_schemas,
    generation_schemas,
    key_schemas,
    model_schemas,
    schemas,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from fastapi import FastAPI

_MODULES: Final = (
    schemas,
    chat_schemas,
    model_schemas,
    generation_schemas,
    file_schemas,
    key_schemas,
)
_REF = "#/components/schemas/{}"

_SCHEMES: Final = {
    "Bearer": {"type": "http", "scheme": "bearer", "description": "A key: `sk-vg-...`."},
    "Basic": {
        "type": "http",
        "scheme": "basic",
        "description": "The key as the password of an address, for clients that know no keys.",
    },
    "Signature": {
        "type": "apiKey",
        "in": "query",
        "name": "signature",
        "description": "Of an address that `/files/{id_}/url` made.",
    },
}

_KEY: Final[list[dict[str, list[str]]]] = [{"Bearer": []}, {"Basic": []}]
NO_KEY: Final[dict[str, Any]] = {"security": []}
OPTIONAL_KEY: Final[dict[str, Any]] = {"security": [{}, *_KEY]}
KEY_OR_SIGNATURE: Final[dict[str, Any]] = {"security": [*_KEY, {"Signature": []}]}


def document(app: FastAPI, *, keys: bool) -> dict[str, Any]:
    """Return the document; it tells of keys where the server asks for them."""
    made = get_openapi(
        title=app.title, version=app.version, description=app.description, routes=app.routes
    )
    for operation in _operations(made):
        operation["responses"].pop("422", None)  # an invalid query is a 400 here
        if not keys:
            operation.pop("security", None)
    made["components"] = {"schemas": _schemas()}
    if keys:
        made["components"]["securitySchemes"] = _SCHEMES
        made["security"] = _KEY
    return made


def _operations(made: dict[str, Any]) -> Iterator[dict[str, Any]]:
    for path in made["paths"].values():
        yield from path.values()


def _schemas() -> dict[str, Any]:
    objects = [
        each
        for module in _MODULES
        for each in vars(module).values()
        if _is_object(each, module.__name__)
    ]
    _, found = msgspec.json.schema_components(objects, ref_template=_REF.format("{name}"))
    for model in (TranscriptionRequest, ChatRequest, NewKey, KeyChange):
        request = model.model_json_schema(ref_template=_REF.format("{model}"))
        found |= {**request.pop("$defs", {}), model.__name__: request}
    return found


def _is_object(each: object, module: str) -> bool:
    is_own = isinstance(each, type) and each.__module__ == module
    return is_own and each not in (schemas.Closed, key_schemas.Spending)
