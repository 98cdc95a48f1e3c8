"""`Resumable`: a long computation that pauses between layers, for schedulers.

Encoding a window takes seconds on a CPU. A scheduler resumes several computations in turn and can
abandon one after any layer. A caller that only wants the result uses `run_to_end`.
"""

from __future__ import annotations

from collections.abc import Generator
from typing import TypeAlias, TypeVar

T = TypeVar("T")

Resumable: TypeAlias = Generator[None, None, T]
"""Yields None at each pause and returns the result. Closing it abandons the computation."""


def run_to_end(computation: Resumable[T]) -> T:
    """Resume the computation until it ends, and return its result."""
    while True:
        try:
            next(computation)
        except StopIteration as end:
            result: T = end.value
            return result
