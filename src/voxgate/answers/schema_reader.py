"""`SchemaReader`: a caller's document, read as JSON schemas in each other."""

from __future__ import annotations

from typing import Any, TypeAlias
from urllib.parse import unquote

from voxgate.answers.keywords import Pointer, SchemaFaultError, checked_value, include_bounds, kind

Schema: TypeAlias = dict[str, Any] | bool

DRAFTS = ("2020-12", "2019-09", "draft-07")
MAPS = ("properties", "$defs", "definitions")
LISTS = ("allOf", "anyOf", "oneOf", "prefixItems")
SINGLE = ("items", "additionalProperties")


class SchemaReader:
    """Reads one document with `read`. Keywords that no draft knows are comments, and stay."""

    def __init__(self) -> None:
        self.schemas: dict[Pointer, Schema] = {}
        """Every schema of the document, rewritten."""
        self.targets: dict[Pointer, Pointer] = {}
        """Where the `$ref` of a schema points."""

    def read(self, document: object) -> Schema:
        """Return the document as llguidance should have it. Raises `SchemaFaultError`."""
        if document is False:
            raise SchemaFaultError("no value is allowed", (), "Describe what answers may be.")
        if document is True:
            document = dict[str, Any]()
        if isinstance(document, dict):
            draft = str(document.get("$schema", DRAFTS[0]))
            if not any(each in draft for each in DRAFTS):
                advice = f"Use {', '.join(DRAFTS)}, or leave it out."
                raise SchemaFaultError(f"{draft[:80]!r} is unknown", ("$schema",), advice)
            # `$id` is a name that nothing in the document needs, and never an address to ask.
            document = {k: v for k, v in document.items() if k not in ("$schema", "$id")}
        schema = self._read(document, ())
        for source, target in self.targets.items():
            if target not in self.schemas:
                problem = f"'#{'/'.join(('', *target))[:200]}' is no schema of the document"
                raise SchemaFaultError(problem, (*source, "$ref"), "Point to one below '$defs'.")
        return schema

    def _read(self, schema: object, at: Pointer) -> Schema:
        if isinstance(schema, bool):
            self.schemas[at] = schema
            return schema
        if not isinstance(schema, dict):
            raise SchemaFaultError(f"it is {kind(schema)}", at, "Give an object, true or false.")
        result = self.schemas[at] = {
            keyword: self._keyword(keyword, value, schema, at)
            for keyword, value in schema.items()
            if not (keyword == "uniqueItems" and value is False)
        }
        include_bounds(result)
        return result

    def _keyword(self, keyword: str, value: Any, schema: dict[str, Any], at: Pointer) -> Any:
        here = (*at, keyword)
        if keyword in MAPS:
            if not isinstance(value, dict):
                raise SchemaFaultError(f"it is {kind(value)}", here, "Give an object of schemas.")
            return {name: self._read(each, (*here, name)) for name, each in value.items()}
        if keyword in LISTS:
            if not isinstance(value, list):
                raise SchemaFaultError(f"it is {kind(value)}", here, "Give a list of schemas.")
            return [self._read(each, (*here, str(index))) for index, each in enumerate(value)]
        if keyword in SINGLE:
            return self._read(value, here)
        if keyword == "$ref":
            self.targets[at] = _reference(value, here)
            return value
        return checked_value(keyword, value, schema, here)


def pointer_of(reference: str) -> Pointer:
    """Return the place that a `$ref` names: `#`, or `#/` and a JSON pointer."""
    parts = unquote(reference.removeprefix("#")).split("/")[1:]
    return tuple(part.replace("~1", "/").replace("~0", "~") for part in parts)


def _reference(value: object, at: Pointer) -> Pointer:
    if not isinstance(value, str) or not (value == "#" or value.startswith("#/")):
        advice = "Put that schema below '$defs', and point to it as in '#/$defs/person'."
        raise SchemaFaultError(f"{str(value)[:80]!r} is not fetched", at, advice)
    return pointer_of(value)
