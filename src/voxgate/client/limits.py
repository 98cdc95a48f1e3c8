"""`Limits`: what a server may take of its caller's time and memory."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The work itself has no limit: a server that gives signs of life may take days."""

    connect_s: float = 10.0
    block_s: float = 60.0  # until it has taken the next part of the recording
    answer_s: float = 15 * 60.0  # until the answer's first byte
    silence_s: float = 60.0  # from byte to byte of the answer
    answer_bytes: int = 2**28  # the words of a week
