"""A long computation that pauses between layers, so that its caller may stop or share it.

A window's encoding takes seconds on a processor. Whoever serves several callers, or must be able to
break off, takes the steps one by one; whoever only wants the result calls `finish`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Resumable: TypeAlias = Generator[None, None, T]
"""Yields nothing, often; returns the result. Closing it abandons the computation."""


def run_to_end(steps: Resumable[T]) -> T:
    """Take every step, and return the result."""
    while True:
        try:
            next(steps)
        except StopIteration as end:
            result: T = end.value
            return result
