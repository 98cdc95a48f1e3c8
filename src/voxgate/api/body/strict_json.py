"""Strict JSON: the standard library's parser without its extensions, and with limits."""

from __future__ import annotations

import json
from functools import partial
from typing import Any, NoReturn

from voxgate.errors import UsageError

MAX_JSON_DEPTH = 64  # of lists and objects: code that reads the value may recurse
MAX_VALUES = 20_000  # of all lists and objects together: a few milliseconds of work


def parse_json(text: bytes | bytearray, what: str = "The body", *, whole: bool = True) -> Any:
    """Parse UTF-8 `text`, which may have a byte order mark. `what` names it in messages.

    `whole` means that positions in `text` are positions in the bytes that the caller sent.

    Raises `UsageError`, also for NaN, Infinity and numbers beyond a double, numbers of thousands of
    digits, half a surrogate pair, more than 20 000 values, and nesting deeper than 64.
    """
    check_encoding(text, what)
    if sum(map(text.count, (b",", b"[", b"{"))) > MAX_VALUES:
        raise UsageError(f"{what} has more than {MAX_VALUES:,} values. Send fewer.")
    try:
        value = json.loads(text.decode("utf-8-sig"), parse_constant=partial(_refuse_constant, what))
    except RecursionError:
        raise _too_deep(what) from None
    except json.JSONDecodeError as error:
        position = f" at line {error.lineno} column {error.colno}" if whole else ""
        raise not_json(what, _lower(error.msg).removesuffix(" at") + position) from error
    except UnicodeError as error:
        raise not_json(what, "it is not UTF-8") from error
    except ValueError as error:
        raise not_json(what, "a number in it has thousands of digits") from error
    _check(value, what)
    return value


def check_encoding(text: bytes | bytearray, what: str = "The body") -> None:
    """Raise `UsageError` if the start of `text` shows that it is UTF-16 or UTF-32."""
    encoding = json.detect_encoding(text)
    if not encoding.startswith("utf-8"):
        raise not_json(what, f"it is {encoding.upper()}, and JSON is UTF-8")


def not_json(what: str, why: str) -> UsageError:
    """Return the error for text that is not JSON."""
    return UsageError(f"{what} is not JSON: {why}.")


def _too_deep(what: str) -> UsageError:
    return UsageError(f"{what} is nested deeper than {MAX_JSON_DEPTH}. Send a flatter object.")


def _refuse_constant(what: str, name: str) -> NoReturn:
    raise not_json(what, f"{name} is no number")


def _check(value: Any, what: str) -> None:
    """Raise `UsageError` for a value that is too deep, or cannot be written as JSON again."""
    level = [value]
    for _ in range(MAX_JSON_DEPTH + 1):
        level = [child for node in level for child in _children(node)]
    if level:
        raise _too_deep(what)
    try:
        json.dumps(value, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeError as error:
        raise not_json(what, "it has half a surrogate pair (\\ud800 to \\udfff)") from error
    except ValueError as error:
        raise not_json(what, "a number in it is too large") from error


def _children(node: Any) -> list[Any]:
    if not isinstance(node, (dict, list)):
        return []
    items = node.values() if isinstance(node, dict) else node
    return [child for child in items if isinstance(child, (dict, list))]


def _lower(message: str) -> str:
    return message[:1].lower() + message[1:]
