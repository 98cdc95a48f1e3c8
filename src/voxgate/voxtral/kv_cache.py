"""`KVCache`: the keys and values of several sequences, each in a slot of its own."""

from __future__ import annotations

from heapq import heappop, heappush
from typing import TYPE_CHECKING

import torch

from voxgate.errors import EngineBusyError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import DecoderConfig

ALIGNED = 16  # positions: attention's kernels want a mask's rows to be so many elements apart


class KVCache:
    """Room for `slots` sequences of at most `capacity` positions each.

    A slot is taken, filled from position 0 on, and freed. A slot's `length` says how much of it
    counts; the rest is masked, and must be numbers. Knows no tokens and no requests.

    A static cache is for steps of static shapes, which compute slots that take no part in them too
    (`decode_graph`): each slot has a scratch place behind its positions, for what those write.
    """

    def __init__(
        self,
        config: DecoderConfig,
        slots: int,
        capacity: int,
        dtype: torch.dtype = torch.float32,
        device: torch.device | str = "cpu",
        *,
        static: bool = False,
    ) -> None:
        """Raises `UsageError` where the model has fewer positions than `capacity`."""
        if slots < 1 or not 1 <= capacity <= config.context:
            raise UsageError(
                f"A cache of {slots} slots of {capacity} positions cannot be made: this model has "
                f"{config.context} positions. Ask for at least one slot and no more positions."
            )
        places = _places(capacity, static=static)
        shape = (config.layers, slots, config.kv_heads, places, config.head_dim)
        # Zeros: a masked position weighs nothing, but nothing times not-a-number is not-a-number.
        self.keys = torch.zeros(shape, dtype=dtype, device=device)
        self.values = torch.zeros(shape, dtype=dtype, device=device)
        self.capacity = capacity
        self.static = static
        self.lengths = [0] * slots  # positions that count, of each slot
        self._written = [0] * slots  # positions that hold something, abandoned ones too
        self._free = list(range(slots))  # a heap

    @staticmethod
    def slot_bytes(
        config: DecoderConfig, capacity: int, dtype: torch.dtype, *, static: bool = False
    ) -> int:
        """Bytes of one slot, known before there is any."""
        vectors = 2 * config.layers * config.kv_heads * _places(capacity, static=static)
        return vectors * config.head_dim * dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all slots."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def free_slots(self) -> int:
        """Slots that nobody has."""
        return len(self._free)

    def take(self) -> int:
        """An empty slot, the caller's until `free`. Raises `EngineBusyError` when all are taken."""
        if not self._free:
            raise EngineBusyError(
                f"All {len(self.lengths)} places of the cache are taken. Try again in a moment."
            )
        # The lowest: pages of slots that were never used are never touched, and take no memory.
        slot = heappop(self._free)
        self.lengths[slot] = 0
        return slot

    def free(self, slot: int) -> None:
        """Give a slot back. Raises `UsageError` for one that is not taken."""
        self._check(slot)
        # A computation that overflowed must not reach the next sequence: see `__init__`.
        self.keys[:, slot, :, : self._written[slot]] = 0.0
        self.values[:, slot, :, : self._written[slot]] = 0.0
        self._written[slot] = 0
        heappush(self._free, slot)

    def reserve(self, slots: Sequence[int], positions: int) -> None:
        """Raise `UsageError` unless each slot is taken and has room for so many positions more."""
        if len(set(slots)) != len(slots):
            raise UsageError(f"A slot stands twice in {list(slots)}. Name each once.")
        for slot in slots:
            self._check(slot)
            if self.lengths[slot] + positions > self.capacity:
                raise UsageError(
                    f"Slot {slot} holds {self.lengths[slot]} positions and has no room for "
                    f"{positions} more in {self.capacity}. Make a cache with a larger capacity."
                )

    def write(self, layer: int, slots: Sequence[int], keys: Tensor, values: Tensor) -> None:
        """Put keys and values [slots, kv_heads, new, head_dim] behind what each slot holds.

        The slots' lengths change when all layers have written, by `advance`.
        """
        self.mark(slots, keys.shape[2])
        for row, slot in enumerate(slots):
            start = self.lengths[slot]
            end = start + keys.shape[2]
            self.keys[layer, slot, :, start:end] = keys[row]
            self.values[layer, slot, :, start:end] = values[row]

    def mark(self, slots: Sequence[int], positions: int) -> None:
        """Expect something in so many positions behind each slot's, to be cleared by `free`.

        For whoever writes to `keys` and `values` past `write`.
        """
        for slot in slots:
            self._written[slot] = max(self._written[slot], self.lengths[slot] + positions)

    def read(self, layer: int, slots: Sequence[int], length: int) -> tuple[Tensor, Tensor]:
        """Keys and values [slots, kv_heads, length, head_dim], positions that do not count too."""
        first, count = slots[0], len(slots)
        if list(slots) == list(range(first, first + count)):  # a view instead of a copy
            rows: slice | list[int] = slice(first, first + count)
        else:
            rows = list(slots)
        return self.keys[layer, rows, :, :length], self.values[layer, rows, :, :length]

    def advance(self, slots: Sequence[int], positions: int) -> None:
        """Count what was written as held."""
        for slot in slots:
            self.lengths[slot] += positions

    def _check(self, slot: int) -> None:
        if not 0 <= slot < len(self.lengths) or slot in self._free:
            raise UsageError(f"Slot {slot} is not taken. `take` gives one.")


def _places(capacity: int, *, static: bool) -> int:
    """Positions that are there of each slot; a static cache's last one is its scratch place."""
    return -(-capacity // ALIGNED) * ALIGNED + 1 if static else capacity
