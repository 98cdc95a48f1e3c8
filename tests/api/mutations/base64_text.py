"""Mutations of a recording's base64, as other and faulty encoders write it."""

from __future__ import annotations

import base64
from typing import TYPE_CHECKING

from tests.api.mutations.layers import place

if TYPE_CHECKING:
    import random

STRANGE = ("\n", " ", "\0", "é", "😀", "-", "=", "==", "!", '"', "\\", "%2B", "\ud800", ",")


def break_lines(chance: random.Random, text: str) -> str:
    width, end = chance.choice((64, 76)), chance.choice(("\n", "\r\n"))
    return end.join(text[at : at + width] for at in range(0, len(text), width))


def lose_padding(chance: random.Random, text: str) -> str:
    return text.rstrip("=")


def add_padding(chance: random.Random, text: str) -> str:
    return text + "=" * chance.randint(1, 5)


def pad_within(chance: random.Random, text: str) -> str:
    """Two texts, each encoded on its own."""
    return base64.b64encode(chance.randbytes(chance.randint(1, 9))).decode() + text


def alphabet_of_addresses(chance: random.Random, text: str) -> str:
    return text.replace("+", "-").replace("/", "_")


def data_uri(chance: random.Random, text: str) -> str:
    return chance.choice(("data:audio/wav;base64,", "data:,", "DATA:;base64,")) + text


def strange(chance: random.Random, text: str) -> str:
    at = place(chance, text)
    return text[:at] + chance.choice(STRANGE) + text[at:]


def cut(chance: random.Random, text: str) -> str:
    return text[: -chance.randint(1, 4)] if chance.random() < 0.5 else text[: place(chance, text)]


def twice(chance: random.Random, text: str) -> str:
    """Encoded, and encoded again."""
    return base64.b64encode(text.encode("utf-8", "surrogatepass")).decode()


def other_encoding(chance: random.Random, text: str) -> str:
    return chance.choice((base64.b32encode, base64.b16encode, base64.b85encode))(
        text[:5000].encode("utf-8", "surrogatepass")
    ).decode()


def nothing(chance: random.Random, text: str) -> str:
    return chance.choice(("", "=", "====", "A", " "))


MUTATIONS = (
    *(break_lines, lose_padding, add_padding, pad_within, alphabet_of_addresses, data_uri),
    *(strange, cut, twice, other_encoding, nothing),
)
