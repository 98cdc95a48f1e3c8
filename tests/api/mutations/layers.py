"""`Layers`: which layers of one request are mutated, and how."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Sequence

T = TypeVar("T")

COUNTS = (0, 1, 1, 1, 1, 1, 2, 2, 2, 3)  # of layers in a request: most of it stays good


class Layers:
    """Applies mutations of the chosen layers; `applied` names them."""

    def __init__(self, chance: random.Random, names: Sequence[str]) -> None:
        self.chance = chance
        self.applied: list[str] = []
        self._chosen = set(chance.sample(names, min(len(names), chance.choice(COUNTS))))

    def __call__(
        self, layer: str, mutations: Sequence[Callable[[random.Random, T], T]], value: T
    ) -> T:
        """Return the value, mutated once or twice if its layer is chosen."""
        if layer in self._chosen:
            for mutation in self.chance.choices(mutations, k=self.chance.choice((1, 1, 2))):
                value = mutation(self.chance, value)
                self.applied.append(f"{layer}.{mutation.__name__}")
        return value


def place(chance: random.Random, data: bytes | bytearray | str) -> int:
    """Return a random position, the end included."""
    return chance.randrange(len(data) + 1)
