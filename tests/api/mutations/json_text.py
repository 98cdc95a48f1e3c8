"""Mutations of a JSON body: of its values, then of its text."""

from __future__ import annotations

import copy
import json
import re
from typing import TYPE_CHECKING, Any

from tests.api.mutations.layers import place
from tests.api.mutations.options import ODD

if TYPE_CHECKING:
    import random
    from collections.abc import Callable

STRING = re.compile(rb'"([^"\\]*)"')
TOKENS = (
    *(b'"', b"\\", b"{", b"}", b"[", b"]", b",", b":", b"null", b"NaN", b"-Infinity", b"1e999"),
    *(b"9" * 5000, b"-", b"0123", b"\0", b"\xff", b"\xed\xa0\x80", b"\xf0\x9f", b"\\u", b"\\ud83d"),
    *(
        b"\\ude00",
        b"\\u0000",
        b"/* */",
        b"'",
        b"\n",
        b"\t",
        b"\r",
        b"\xef\xbb\xbf",
        b"\\\\",
        b'\\"',
    ),
)


def drop(chance: random.Random, tree: Any) -> Any:
    holder, key = _somewhere(chance, tree)
    holder.pop(key, None)
    return tree


def rename(chance: random.Random, tree: Any) -> Any:
    holder, key = _somewhere(chance, tree)
    value = holder.pop(key, None)
    return _put(
        holder, chance.choice((key.upper(), f"{key} ", key[:-1], f"{key}[]", "")), value, tree
    )


def retype(chance: random.Random, tree: Any) -> Any:
    holder, key = _somewhere(chance, tree)
    return _put(holder, key, _odd(chance), tree)


def wrap_a_value(chance: random.Random, tree: Any) -> Any:
    holder, key = _somewhere(chance, tree)
    value = holder.get(key)
    return _put(holder, key, chance.choice(([value], {"value": value}, [[value] * 2])), tree)


def wrap_all(chance: random.Random, tree: Any) -> Any:
    return chance.choice(([tree], {"request": tree}, json.dumps(tree), [], "x", 7, None, True))


def nest(chance: random.Random, tree: Any) -> Any:
    """Nest a value around and beyond the limit of depth."""
    value: Any = chance.choice((None, "a", {}))
    for _ in range(chance.choice((20, 62, 63, 64, 65, 200))):
        value = [value] if chance.random() < 0.5 else {"a": value}
    return _put(tree, chance.choice(("extra", "prompt", "input_audio", "provider")), value, tree)


def beside_the_data(chance: random.Random, tree: Any) -> Any:
    audio = tree.get("input_audio") if isinstance(tree, dict) else None
    key = chance.choice(("format", "url", "xyzzy", "Data"))
    return _put(audio, key, _odd(chance), tree) if isinstance(audio, dict) else tree


def long_strings(chance: random.Random, tree: Any) -> Any:
    """Add long strings beside the recording, as values or as names."""
    for count in range(chance.choice((1, 2, 9))):
        long = chance.choice("Aé\n=") * chance.choice((65_536, 65_537, 30_000))
        name, value = (long, count) if chance.random() < 0.3 else (f"long{count}", long)
        _put(tree, name, value, tree)
    return tree


TREE: tuple[Callable[[random.Random, Any], Any], ...] = (
    *(drop, rename, retype, wrap_a_value, wrap_all, nest, beside_the_data, long_strings),
)


def flip(chance: random.Random, text: bytes) -> bytes:
    flipped = bytearray(text)
    for _ in range(chance.choice((1, 2, 10)) if text else 0):
        flipped[chance.randrange(len(text))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


def cut(chance: random.Random, text: bytes) -> bytes:
    return text[: -chance.randint(1, 5)] if chance.random() < 0.4 else text[: place(chance, text)]


def token(chance: random.Random, text: bytes) -> bytes:
    at = chance.choice((place(chance, text), place(chance, text[:100]), 0, len(text)))
    return text[:at] + chance.choice(TOKENS) + text[at + chance.choice((0, 0, 1)) :]


def duplicate_a_key(chance: random.Random, text: bytes) -> bytes:
    key = chance.choice(("model", "input_audio", "language", "prompt"))
    pair = f"{json.dumps(key)}: {json.dumps(chance.choice(ODD))}".encode()
    if chance.random() < 0.5:
        return text.replace(b"{", b"{" + pair + b",", 1)
    return text[:-1] + b"," + pair + b"}"


def escape(chance: random.Random, text: bytes) -> bytes:
    """Write characters of strings as escapes of six bytes."""
    share = chance.choice((0.01, 0.3))

    def escaped(match: re.Match[bytes]) -> bytes:
        content = b"".join(
            b"\\u%04x" % byte if byte < 128 and chance.random() < share else bytes([byte])
            for byte in match[1]
        )
        return b'"' + content + b'"'

    return STRING.sub(escaped, text)


def escape_slashes(chance: random.Random, text: bytes) -> bytes:
    return text.replace(b"/", b"\\/")


def recode(chance: random.Random, text: bytes) -> bytes:
    names = ("utf-16", "utf-16-le", "utf-32", "utf-8-sig", "utf-7")
    return text.decode("latin-1").encode(chance.choice(names))


def surround(chance: random.Random, text: bytes) -> bytes:
    before = chance.choice((b"", b" " * 2000, b"\n", b"\xef\xbb\xbf", b")]}',\n", b"{}", b"\x1e"))
    return before + text + chance.choice((b"", b"\n", b"{}", b"\0", b"rubbish", b" " * 100_000))


def brackets(chance: random.Random, text: bytes) -> bytes:
    """Nest deeply, with or without closing brackets."""
    depth = chance.choice((100, 9_000, 100_000))
    opened = chance.choice((b"[", b'{"a":')) * depth
    return opened if chance.random() < 0.5 else b'{"model": ' + b"[" * depth + b"]" * depth + b"}"


def huge_number(chance: random.Random, text: bytes) -> bytes:
    digits = b"9" * chance.choice((400, 4_300, 4_301, 60_000))
    number = chance.choice((digits, b"-" + digits, b"0." + digits, b"1e" + digits[:500]))
    return text.replace(b"{", b'{"seed": ' + number + b",", 1)


def many_values(chance: random.Random, text: bytes) -> bytes:
    values = b",".join([chance.choice((b"0", b"[]", b"{}"))] * chance.choice((999, 9_999, 60_000)))
    return text.replace(b"{", b'{"keyterms": [' + values + b"],", 1)


TEXT = (
    *(flip, cut, token, token, duplicate_a_key, escape, escape_slashes, recode, surround),
    *(brackets, huge_number, many_values),
)


def _odd(chance: random.Random) -> Any:
    """One of its own: the next mutation may change it."""
    return copy.deepcopy(chance.choice(ODD))


def _somewhere(chance: random.Random, tree: Any) -> tuple[dict[str, Any], str]:
    """An object and a key that it may have."""
    holder = tree if isinstance(tree, dict) else {}
    audio = holder.get("input_audio")
    if isinstance(audio, dict) and chance.random() < 0.5:
        holder = audio
    return holder, chance.choice([str(key) for key in holder] or ["a"])


def _put(holder: Any, key: str, value: Any, tree: Any) -> Any:
    if isinstance(holder, dict):
        holder[key] = value
    return tree
