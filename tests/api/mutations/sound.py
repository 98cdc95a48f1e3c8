"""Mutations of the recording's bytes: transmission errors, truncation, attacks."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING

from tests.api.mutations.layers import place
from tests.sounds import RATE, encode, sample

if TYPE_CHECKING:
    import random

BIT_EXACT = ("-fflags", "+bitexact", "-flags:a", "+bitexact")  # no random serial numbers
HEAD = 200  # bytes in which most of a container's numbers stand
NUMBERS = (b"\0" * 4, b"\xff" * 4, b"\x7f\xff\xff\xff", b"\xff\xff\xff\x7f", b"\x80\0\0\0", b"\1\0")


@cache
def recordings() -> dict[str, bytes]:
    """Speech of 0.5 to 1 s, by file name: encoded once."""
    speech = sample()[3 * RATE :]
    kinds: dict[str, tuple[float, tuple[str, ...]]] = {
        "a.wav": (0.5, ()),
        "a.flac": (0.7, ()),
        "a.mp3": (1.0, ()),
        "a.ogg": (0.8, ("-c:a", "libopus")),
        "a.m4a": (0.9, ()),
        "a.webm": (0.6, ("-c:a", "libopus")),
    }
    return {
        name: encode(speech[: int(seconds * RATE)], name, *how, *BIT_EXACT)
        for name, (seconds, how) in kinds.items()
    }


def flip(chance: random.Random, data: bytes) -> bytes:
    return _flipped(chance, data, len(data))


def flip_head(chance: random.Random, data: bytes) -> bytes:
    return _flipped(chance, data, HEAD)


def number(chance: random.Random, data: bytes) -> bytes:
    """Overwrite a number in the container's header."""
    at = chance.randrange(min(HEAD, len(data)) + 1)
    value = chance.choice(NUMBERS)
    return data[:at] + value + data[at + len(value) :]


def cut(chance: random.Random, data: bytes) -> bytes:
    return data[: place(chance, data)]


def behead(chance: random.Random, data: bytes) -> bytes:
    return data[place(chance, data) :]


def take_out(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted((place(chance, data), place(chance, data)))
    return data[:start] + data[end:]


def insert(chance: random.Random, data: bytes) -> bytes:
    at = place(chance, data)
    return data[:at] + chance.randbytes(chance.choice((1, 7, 300, 5000))) + data[at:]


def splice(chance: random.Random, data: bytes) -> bytes:
    """Its beginning, and the end of another file."""
    other = chance.choice(list(recordings().values()))
    return data[: place(chance, data)] + other[place(chance, other) :]


def repeat(chance: random.Random, data: bytes) -> bytes:
    return data * chance.choice((2, 3, 8, 20))


def repeat_a_piece(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted((place(chance, data), place(chance, data)))
    return data[:start] + data[start:end] * chance.choice((2, 5, 12)) + data[end:]


def zero(chance: random.Random, data: bytes) -> bytes:
    start, end = sorted((place(chance, data), place(chance, data)))
    return data[:start] + bytes(end - start) + data[end:]


def rubbish(chance: random.Random, data: bytes) -> bytes:
    """Nothing, next to nothing, or no sound at all."""
    return chance.choice((b"", b"\0", data[:4], b"Dear all,\n", chance.randbytes(3000)))


def _flipped(chance: random.Random, data: bytes, within: int) -> bytes:
    flipped = bytearray(data)
    for _ in range(chance.choice((1, 3, 20)) if data else 0):
        flipped[chance.randrange(min(within, len(data)))] ^= 1 << chance.randrange(8)
    return bytes(flipped)


MUTATIONS = (
    *(flip, flip_head, number, cut, behead, take_out, insert),
    *(splice, repeat, repeat_a_piece, zero, rubbish),
)
