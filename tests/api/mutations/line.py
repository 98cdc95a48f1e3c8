"""Mutations of the connection: how a message is sent, and how the connection ends."""

from __future__ import annotations

import re
from dataclasses import dataclass, replace
from itertools import accumulate, pairwise
from typing import TYPE_CHECKING, Literal, TypeAlias

from tests.api.mutations.message import KEY

if TYPE_CHECKING:
    import random

Ending: TypeAlias = Literal["stays", "closes", "resets", "half-closes"]

END_OF_HEAD = re.compile(rb"\n\r?\n")
EXTRA_BYTES = (
    *(b"rubbish", b"\r\n\r\n", b"GET / HTTP/1.1\r\n\r\n", b"\0" * 1000, b"POST / HTTP/1.1\r\n"),
    *(
        b"rubbish\r\n\r\n",
        b"x" * 200_000,
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
        b"\x16\x03\x01\r\n\r\n",
    ),
)


@dataclass(frozen=True)
class Line:
    """`pieces` are sent with `pause_s` seconds between them; then `ending` follows."""

    pieces: tuple[bytes, ...]
    pause_s: float = 0.0
    ending: Ending = "stays"
    has_more: bool = False  # with more than a message: that may be answered as well

    @property
    def raw(self) -> bytes:
        return b"".join(self.pieces)

    @property
    def expects_response(self) -> bool:
        """Whether the sender waits and has sent a complete head."""
        return self.ending == "stays" and END_OF_HEAD.search(self.raw.lstrip(b"\r\n")) is not None

    def with_key(self, key: str) -> Line:
        """Return the line for a server that has this key."""
        raw = self.raw.replace(KEY, key.encode())  # of the same length
        ends = [0, *accumulate(map(len, self.pieces))]
        return replace(self, pieces=tuple(raw[start:end] for start, end in pairwise(ends)))


def leave(chance: random.Random, line: Line) -> Line:
    """Close the connection somewhere in the middle."""
    return replace(_cut(chance, line), ending=chance.choice(("closes", "resets")))


def leave_at_the_end(chance: random.Random, line: Line) -> Line:
    return replace(line, ending=chance.choice(("closes", "resets")))


def half_close(chance: random.Random, line: Line) -> Line:
    shut = _cut(chance, line) if chance.random() < 0.5 else line
    return replace(shut, ending="half-closes")


def stall(chance: random.Random, line: Line) -> Line:
    return _cut(chance, line)


def tiny_pieces(chance: random.Random, line: Line) -> Line:
    """Send some parts byte by byte."""
    raw, cuts = line.raw, {0}
    start = chance.choice((0, 0, len(raw) // 2, max(0, len(raw) - 60)))
    cuts.update(range(start, min(len(raw), start + 60)))
    cuts.update(chance.randrange(len(raw)) for _ in range(30))
    places = [*sorted(cuts), len(raw)]
    pieces = tuple(raw[a:b] for a, b in pairwise(places))
    return replace(line, pieces=pieces, pause_s=chance.choice((0.0, 0.001)))


def extra_bytes(chance: random.Random, line: Line) -> Line:
    if b"Connection: close" in line.raw or b" HTTP/1.0\r" in line.raw:
        return line  # behind such a message comes nothing: the server may close at once
    more = chance.choice((*EXTRA_BYTES, line.raw))
    return replace(line, pieces=(*line.pieces, more), has_more=True)


MUTATIONS = (leave, leave_at_the_end, half_close, stall, tiny_pieces, extra_bytes)


def _cut(chance: random.Random, line: Line) -> Line:
    raw = line.raw
    end = END_OF_HEAD.search(raw)
    head = end.end() if end else len(raw)
    at = chance.choice(
        (chance.randrange(head + 1), chance.randrange(head, len(raw) + 1), len(raw) - 1)
    )
    return replace(line, pieces=(raw[: max(1, at)],))
