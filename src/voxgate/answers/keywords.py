"""What each keyword of a schema may say, so that it is enforced in an answer, or has no effect.

The rules are for llguidance 1.9, by its source and by tests: of what it cannot enforce it refuses
some, reads some in another way, and passes some over.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from voxgate.answers.pattern import CONTROLS, portable_pattern

Pointer: TypeAlias = tuple[str, ...]
"""A JSON pointer, in parts."""

TYPES = frozenset(("null", "boolean", "number", "integer", "string", "array", "object"))
FORMATS = (
    *("date-time", "date", "time", "duration", "email", "hostname"),
    *("ipv4", "ipv6", "uuid", "uri"),
)
MOST_CHOICES = 1_000  # values of one `enum`
LARGEST_NUMBER = 2**53 - 1  # beyond it, floating point lacks some whole numbers
LEAST_STEP = 1e-6  # from an exclusive bound to the number that is allowed
LARGEST_DIVISOR = 1_000  # of `multipleOf`; of fractions, each reader has other remainders
LIMITS = {
    "minLength": 10_000,  # characters
    "maxLength": 10_000,
    "minItems": 500,
    "maxItems": 500,
    "minProperties": 500,
    "maxProperties": 500,
}
BOUNDS = ("minimum", "maximum", "exclusiveMinimum", "exclusiveMaximum")

_POINT = "Use '$ref' with a pointer, as in '#/$defs/person'."
_NAME = "Name the properties in 'properties', or allow any with 'additionalProperties'."
_ITEMS = "Describe the items with 'items' or 'prefixItems'."
_CASES = "Write 'anyOf' with one alternative for each case."
REFUSED = {
    **dict.fromkeys(("not", "if", "then", "else"), _CASES),
    **dict.fromkeys(("dependentRequired", "dependentSchemas", "dependencies"), _CASES),
    **dict.fromkeys(("contains", "minContains", "maxContains", "unevaluatedItems"), _ITEMS),
    # llguidance forgets the patterns of one part of an `allOf` where another has
    # `additionalProperties`, and has none for two patterns of one name.
    **dict.fromkeys(("patternProperties", "propertyNames", "unevaluatedProperties"), _NAME),
    **dict.fromkeys(("$dynamicRef", "$recursiveRef", "$id", "$anchor", "$dynamicAnchor"), _POINT),
    "additionalItems": "Use 'prefixItems' with 'items'.",
    "uniqueItems": "Leave it out, and look for items that are repeated in the answer.",
    "x-guidance": "Leave it out: how answers are spaced is not a caller's choice.",
}
"""Keywords that answers cannot be made to follow, with what to do instead."""


class SchemaFaultError(Exception):
    """Why answers cannot follow a schema: a clause, a place in it, and a sentence of advice."""

    def __init__(self, problem: str, pointer: Pointer, advice: str) -> None:
        super().__init__(problem)
        self.problem, self.pointer, self.advice = problem, pointer, advice


def checked_value(keyword: str, value: Any, schema: dict[str, Any], at: Pointer) -> Any:
    """Return what llguidance should have as the value of a keyword, which is no schema.

    `schema` is the one that has the keyword, and `at` the keyword's place. Raises
    `SchemaFaultError`.
    """
    if keyword in REFUSED:
        raise SchemaFaultError("answers cannot be made to follow this", at, REFUSED[keyword])
    if keyword in LIMITS:
        _check_count(value, 0, LIMITS[keyword], at)
    if keyword in BOUNDS:
        _check_bound(value, at)
    if keyword == "pattern":
        return _pattern(value, at)
    check = _CHECKS.get(keyword)
    if check is not None:
        check(value, schema, at)
    return value


def include_bounds(schema: dict[str, Any]) -> None:
    """Write exclusive bounds that are whole numbers as the next number that is allowed.

    llguidance allows the bound itself where the other bound has the same whole part: 0 where a
    number is above 0 and at most 0.5.
    """
    for name, sign, nearer in (("Minimum", 1, max), ("Maximum", -1, min)):
        bound = schema.get(f"exclusive{name}")
        if bound is not None and bound == int(bound):
            del schema[f"exclusive{name}"]
            step = sign * LEAST_STEP
            allowed = bound + step if bound + step != bound else bound + sign
            schema[name.lower()] = nearer(schema.get(name.lower(), allowed), allowed)


def kind(value: object) -> str:
    """Return what a wrong value is, as a sentence has it."""
    names = {dict: "an object", list: "a list", str: "text", type(None): "null"}
    return names.get(type(value), str(value)[:40].lower())


def _check_count(value: Any, least: int, most: int, at: Pointer) -> None:
    if type(value) is not int or not least <= value <= most:
        advice = f"Give a whole number from {least:,} to {most:,}."
        raise SchemaFaultError(f"the value is {kind(value)}", at, advice)


def _check_bound(value: Any, at: Pointer) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise SchemaFaultError(f"the value is {kind(value)}", at, "Give a number.")
    _check_constant(value, {}, at)


def _check_constant(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    """Check that a value can be written, and is the same for all who read it."""
    if isinstance(value, dict):
        value = list(value.values())
    if isinstance(value, list):
        for each in value:
            _check_constant(each, {}, at)
    if isinstance(value, str) and (found := CONTROLS.search(value)):
        advice = "Leave it out."
        problem = f"the control character U+{ord(found[0]):04X} is never in an answer"
        raise SchemaFaultError(problem, at, advice)
    if isinstance(value, int | float) and not abs(value) <= LARGEST_NUMBER:
        advice = f"Use numbers up to {LARGEST_NUMBER}."
        raise SchemaFaultError(f"{kind(value)} is too large to be exact", at, advice)


def _check_enum(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    if not isinstance(value, list) or not 1 <= len(value) <= MOST_CHOICES:
        size = f"there are {len(value):,}" if isinstance(value, list) else f"it is {kind(value)}"
        raise SchemaFaultError(size, at, f"Give a list of 1 to {MOST_CHOICES:,} values.")
    _check_constant(value, {}, at)


def _check_type(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    names = value if isinstance(value, list) else [value]
    if not names or not all(isinstance(each, str) and each in TYPES for each in names):
        advice = f"Use one or a list of {', '.join(sorted(TYPES))}."
        raise SchemaFaultError("a type is unknown", at, advice)


def _check_required(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    if not isinstance(value, list) or not all(isinstance(each, str) for each in value):
        raise SchemaFaultError(f"the value is {kind(value)}", at, "Give a list of names.")


def _check_format(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    if not isinstance(value, str) or value not in FORMATS:
        advice = f"Use one of {', '.join(FORMATS)}, or 'pattern'."
        raise SchemaFaultError(f"the format {str(value)[:40]!r} is unknown", at, advice)


def _check_least_properties(value: int, schema: dict[str, Any], at: Pointer) -> None:
    """A name that is there twice counts as two for llguidance, and as one for who reads it."""
    required = schema.get("required", ())
    if value > max(1, len(required) if isinstance(required, list) else 0):
        advice = "Name the properties that must be there in 'required'."
        raise SchemaFaultError("properties cannot be counted in an answer", at, advice)


def _check_divisor(value: Any, _schema: dict[str, Any], at: Pointer) -> None:
    _check_count(value, 1, LARGEST_DIVISOR, at)


def _pattern(value: Any, at: Pointer) -> str:
    if not isinstance(value, str):
        raise SchemaFaultError(f"the value is {kind(value)}", at, "Give text.")
    try:
        return portable_pattern(value)
    except ValueError as error:
        advice = "Use a pattern that JavaScript, Python and Rust read alike."
        raise SchemaFaultError(str(error), at, advice) from None


_CHECKS = {
    "const": _check_constant,
    "enum": _check_enum,
    "type": _check_type,
    "required": _check_required,
    "format": _check_format,
    "minProperties": _check_least_properties,
    "multipleOf": _check_divisor,
}
