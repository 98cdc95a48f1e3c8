"""Schemas that contain themselves, and whether an answer by them can end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.answers.keywords import TYPES, Pointer
from voxgate.answers.schema_reader import pointer_of

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from voxgate.answers.schema_reader import Schema

NESTING = frozenset(("array", "object"))


def find_endless(
    schemas: Mapping[Pointer, Schema], references: Mapping[Pointer, Pointer]
) -> Pointer | None:
    """Return the place of a referenced schema of which no value is finite; None without any.

    `schemas` are all of a document, and `references` where each `$ref` is and to what it points. A
    tree with optional children ends; an object that requires itself does not. A schema is known to
    end once all that it requires is: then those that refer to it are looked at again, and no
    others, for a caller can make a long chain of them.
    """
    targets = set(references.values())
    waiting = _referring(references, targets)
    ending, pending = set[Pointer](), targets
    while pending:
        found = {each for each in pending if _ends(schemas[each], TYPES, ending)}
        ending |= found
        pending = set[Pointer]().union(*(waiting[each] for each in found)) - ending
    return min(targets - ending, default=None)


def _referring(
    references: Mapping[Pointer, Pointer], targets: Collection[Pointer]
) -> Mapping[Pointer, set[Pointer]]:
    """Return of each target those targets that have a reference to it in them."""
    referring: dict[Pointer, set[Pointer]] = {target: set() for target in targets}
    for source, target in references.items():
        holders = (source[:length] for length in range(len(source) + 1))
        referring[target].update(holder for holder in holders if holder in referring)
    return referring


def _ends(schema: Schema, types: frozenset[str], ending: set[Pointer]) -> bool:
    """Return whether a value of one of these types is finite, where the `ending` schemas are."""
    if isinstance(schema, bool):
        return schema
    if "$ref" in schema and pointer_of(schema["$ref"]) not in ending:
        return False
    every = schema.get("allOf", [])
    types = types.intersection(*map(_types, (schema, *every)))
    if not all(_ends(each, types, ending) for each in every):
        return False
    for keyword in ("anyOf", "oneOf"):
        if keyword in schema and not any(_ends(each, types, ending) for each in schema[keyword]):
            return False
    if "const" in schema or "enum" in schema or types - NESTING:
        return True
    return any(
        all(_ends(each, TYPES, ending) for each in needed(schema))
        for kind, needed in (("array", _needed_items), ("object", _needed_properties))
        if kind in types
    )


def _types(schema: Schema) -> frozenset[str]:
    given = schema.get("type", TYPES) if isinstance(schema, dict) else TYPES
    return frozenset([given] if isinstance(given, str) else given)


def _needed_items(schema: dict[str, Any]) -> list[Schema]:
    least, prefix = schema.get("minItems", 0), schema.get("prefixItems", [])
    rest = [schema.get("items", True)] if least > len(prefix) else []
    return [*prefix[:least], *rest]


def _needed_properties(schema: dict[str, Any]) -> list[Schema]:
    properties, other = schema.get("properties", {}), schema.get("additionalProperties", True)
    return [properties.get(name, other) for name in schema.get("required", [])]
