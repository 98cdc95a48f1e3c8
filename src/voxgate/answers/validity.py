"""Whether a text is JSON that a schema allows, for answers that were written elsewhere.

What is written here follows its schema token by token. Elsewhere a server may say that it does, and
not do it. The same library decides, with each byte as a token: it knows exactly the schemas that
`schema.checked_schema` accepts.
"""

from __future__ import annotations

import json
from functools import cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import llguidance


def valid_json(text: str, schema: str) -> str | None:
    """Return the JSON value of a text without needless spaces; None where the schema forbids it.

    `schema` is the text of one that was accepted. Takes a millisecond for a page: not for the event
    loop.
    """
    try:
        value = json.loads(text, parse_constant=_refuse)
        as_sent = _plain(value)
        if _fits(as_sent, schema):
            return as_sent
        # The order of properties has no meaning, and the library wants the schema's.
        names = dict.fromkeys(_properties(json.loads(schema)))
        places = {name: place for place, name in enumerate(names)}
        in_order = _plain(_sorted(value, places))
    except (ValueError, RecursionError):
        return None
    return in_order if in_order != as_sent and _fits(in_order, schema) else None


def _fits(text: str, schema: str) -> bool:
    import llguidance  # noqa: PLC0415 (only answers from elsewhere need it)

    grammar = llguidance.LLMatcher.grammar_from_json_schema(schema)
    matcher = llguidance.LLMatcher(_bytes(), grammar, log_level=0)
    data = text.replace("\x7f", "\\u007f").encode()  # which it wants to be escaped
    return matcher.consume_tokens(list(data)) and matcher.is_accepting()


@cache
def _bytes() -> llguidance.LLTokenizer:
    """Return a tokenizer of which each byte is a token."""
    import llguidance  # noqa: PLC0415

    return llguidance.LLTokenizer("byte")


def _plain(value: object) -> str:
    """Return a value as JSON. Escapes and spaces are no matter of a schema."""
    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    text.encode()  # raises for half of a surrogate pair
    return text


def _properties(schema: Any) -> Iterator[str]:
    """Yield the names of all properties in a schema, in its order."""
    if isinstance(schema, dict):
        if isinstance(schema.get("properties"), dict):
            yield from schema["properties"]
        for part in schema.values():
            yield from _properties(part)
    elif isinstance(schema, list):
        for part in schema:
            yield from _properties(part)


def _sorted(value: Any, places: Mapping[str, int]) -> Any:
    """Return a value with the properties of its objects in order; unknown ones are the last."""
    if isinstance(value, list):
        return [_sorted(each, places) for each in value]
    if not isinstance(value, dict):
        return value
    names = sorted(value, key=lambda name: places.get(name, len(places)))
    return {name: _sorted(value[name], places) for name in names}


def _refuse(name: str) -> None:
    raise ValueError(f"{name} is no JSON")
