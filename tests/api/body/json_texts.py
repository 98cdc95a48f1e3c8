"""JSON texts as no encoder writes them all: every escape, duplicate keys, junk, broken bytes."""

from __future__ import annotations

import base64
import json
import random
from typing import Any, TypeAlias

from hypothesis import strategies as st
from hypothesis.strategies import DrawFn, SearchStrategy, composite

Pairs: TypeAlias = list[tuple[str, Any]]

_SHORT = {'"': '\\"', "\\": "\\\\", "/": "\\/", "\n": "\\n", "\t": "\\t", "\b": "\\b"}


class Object:
    """A JSON object whose keys may occur more than once."""

    def __init__(self, pairs: Pairs) -> None:
        self.pairs = pairs

    def __repr__(self) -> str:
        return f"Object({self.pairs})"


def encoded(value: Any, style: random.Random) -> str:
    """JSON, with white space and escapes where nobody needs them."""
    if isinstance(value, str):
        return '"' + "".join(_character(c, style) for c in value) + '"'
    if isinstance(value, Object):
        pairs = [
            f"{encoded(key, style)}{_white(style)}:{encoded(item, style)}"
            for key, item in value.pairs
        ]
        return "{" + _white(style) + ",".join(pairs) + _white(style) + "}"
    if isinstance(value, list):
        return "[" + ",".join(_white(style) + encoded(item, style) for item in value) + "]"
    return json.dumps(value)


def _character(character: str, style: random.Random) -> str:
    units = character.encode("utf-16-be")
    escaped = "".join(f"\\u{units[i]:02x}{units[i + 1]:02X}" for i in range(0, len(units), 2))
    if character < " ":
        return style.choice([_SHORT.get(character, escaped), escaped])
    if character in _SHORT and (character != "/" or style.random() < 0.5):
        return style.choice([_SHORT[character], _SHORT[character], escaped])
    return escaped if style.random() < 0.1 else character


def _white(style: random.Random) -> str:
    return style.choice(["", "", "", " ", "\n\t", "\r\n  "])


keys = st.sampled_from(["model", "data", "input_audio", "format", "x"]) | st.text(max_size=4)
texts = st.text(max_size=12) | st.sampled_from(
    ["\\", '"', '\\"', "\\\\/", "data:", "😀é\\/", "\\u002b", "\\" * 40, "QUJD" * 12, "é" * 30]
)
scalars = st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | texts
values = st.recursive(
    scalars,
    lambda inner: (
        st.lists(inner, max_size=4) | st.lists(st.tuples(keys, inner), max_size=4).map(Object)
    ),
    max_leaves=8,
)


@composite
def base64_texts(draw: DrawFn) -> str:
    """Base64, sometimes invalid."""
    text = base64.b64encode(
        draw(st.binary(max_size=30) | st.binary(min_size=45, max_size=150) | st.just(b"\xff" * 60))
    ).decode()
    spoil = draw(st.sampled_from(["", "", "", "break", "cut", "url", "more", "uri"]))
    place = draw(st.integers(0, len(text)))
    return {
        "": text,
        "break": text[:place] + "\r\n" + text[place:],
        "cut": text[:place],
        "url": text.replace("+", "-").replace("/", "_"),
        "more": text + draw(st.sampled_from(["=", "==", "QQ==", "A", " "])),
        "uri": f"data:audio/wav;base64,{text}",
    }[spoil]


@composite
def bodies(draw: DrawFn) -> bytes:
    """A whole request: the recording among whatever else there may be, in any order."""
    audio = st.lists(
        st.tuples(st.just("data"), base64_texts()) | st.tuples(keys, values), max_size=4
    ).map(Object)
    pairs = draw(st.lists(st.tuples(keys, values), max_size=4))
    for value in draw(st.lists(audio | values, min_size=0, max_size=2)):
        pairs.insert(draw(st.integers(0, len(pairs))), ("input_audio", value))
    style = random.Random(draw(st.integers(0, 2**32)))
    mark = draw(st.sampled_from(["", "", "", "\ufeff"]))
    return (mark + encoded(Object(pairs), style)).encode()


@composite
def mutated(draw: DrawFn, source: SearchStrategy[bytes]) -> bytes:
    """The same, with a few bytes replaced, inserted or taken away."""
    body = bytearray(draw(source))
    pieces = st.binary(max_size=3) | st.sampled_from(
        [b"\\", b'"', b"\\u", b"\\ud83d", b"\\ude00", b"\x00", b"\xed\xa0\x80", b"\xf0\x9f", b"NaN",
         b"1e999", b"{", b"}", b"[", b"]", b",", b":", b"=", b"\n", b"\\\\", b'\\"']
    )  # fmt: skip
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(body)))
        body[start : start + draw(st.integers(0, 3))] = draw(pieces)
    return bytes(body)
