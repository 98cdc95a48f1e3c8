"""`KVCache`: the keys and values of several sequences, one slot for each."""

from __future__ import annotations

import math
import mmap
from heapq import heappop, heappush
from typing import TYPE_CHECKING

import torch

from voxgate.errors import EngineError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import DecoderConfig

ALIGNMENT = 16  # positions: attention kernels need mask rows aligned to so many elements


class KVCache:
    """Keys and values of `slots` sequences with at most `capacity` positions each.

    A slot is allocated, filled from position 0 on, and freed. `lengths[slot]` counts its valid
    positions; the rest is masked, and must be finite. The cache knows no tokens and no requests.

    A static cache serves steps with static shapes (`cuda_graph`), which also compute slots that are
    not in the step: each slot has one scratch position after the last, to which those write.
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
        """Raise `UsageError` if the model has fewer positions than `capacity`."""
        if slots < 1 or not 1 <= capacity <= config.context:
            raise UsageError(
                f"A cache of {slots} slots with {capacity} positions is not possible: this model "
                f"has {config.context} positions. Use at least one slot, and at most so many."
            )
        shape = (
            config.layers,
            slots,
            config.kv_heads,
            _padded(capacity, static=static),
            config.head_dim,
        )
        # Zeros: a masked position has the weight 0, but 0 * NaN is NaN.
        self.keys = _zeros(shape, dtype, device)
        self.values = _zeros(shape, dtype, device)
        self.capacity = capacity
        self.static = static
        self.lengths = [0] * slots  # valid positions of each slot
        self._written = [0] * slots  # positions ever written, abandoned ones too
        self._free = list(range(slots))  # a heap

    @staticmethod
    def slot_bytes(
        config: DecoderConfig, capacity: int, dtype: torch.dtype, *, static: bool = False
    ) -> int:
        """Return the bytes of one slot, without creating a cache."""
        vectors = 2 * config.layers * config.kv_heads * _padded(capacity, static=static)
        return vectors * config.head_dim * dtype.itemsize

    @property
    def nbytes(self) -> int:
        """Bytes of all slots."""
        return self.keys.nbytes + self.values.nbytes

    @property
    def free_slots(self) -> int:
        """How many slots are free."""
        return len(self._free)

    def allocate(self) -> int:
        """Return an empty slot. Raise `EngineError` (`engine_busy`) when all are in use."""
        if not self._free:
            raise EngineError(
                f"All {len(self.lengths)} slots of the cache are in use. Try again in a moment.",
                code="engine_busy",
            )
        # The lowest one: pages of slots that were never used are never touched, and take no memory.
        slot = heappop(self._free)
        self.lengths[slot] = 0
        return slot

    def free(self, slot: int) -> None:
        """Free a slot. Raise `UsageError` for one that is not allocated."""
        self._check(slot)
        # NaNs of an overflow must not reach the next sequence: see `__init__`.
        self.keys[:, slot, :, : self._written[slot]] = 0.0
        self.values[:, slot, :, : self._written[slot]] = 0.0
        self._written[slot] = 0
        heappush(self._free, slot)

    def check_room(self, slots: Sequence[int], positions: int) -> None:
        """Raise `UsageError` unless each slot is allocated and has room for `positions` more."""
        if len(set(slots)) != len(slots):
            raise UsageError(f"A slot appears twice in {list(slots)}. Give each once.")
        for slot in slots:
            self._check(slot)
            if self.lengths[slot] + positions > self.capacity:
                raise UsageError(
                    f"Slot {slot} holds {self.lengths[slot]} positions and has no room for "
                    f"{positions} more in {self.capacity}. Use a cache with a larger capacity."
                )

    def write(
        self,
        layer: int,
        slots: Sequence[int],
        keys: Tensor,
        values: Tensor,
        starts: Sequence[int] | None = None,
    ) -> None:
        """Write keys and values [slots, kv_heads, new, head_dim] from a position of each slot on.

        `starts` are these positions, by default the slots' lengths. A slot may be named several
        times, with a position each. The lengths do not change: call `advance` when all layers have
        written.
        """
        starts = [self.lengths[slot] for slot in slots] if starts is None else starts
        new = keys.shape[2]
        for slot, start in zip(slots, starts, strict=True):
            self._written[slot] = max(self._written[slot], start + new)
        if new == 1 and len(slots) > 1 and keys.device.type == "cpu":  # one copy, not one for each
            places = torch.tensor([*slots]), slice(None), torch.tensor([*starts])
            self.keys[layer][places] = keys[:, :, 0].to(self.keys.dtype)
            self.values[layer][places] = values[:, :, 0].to(self.values.dtype)
            return
        for row, (slot, start) in enumerate(zip(slots, starts, strict=True)):
            self.keys[layer, slot, :, start : start + new] = keys[row]
            self.values[layer, slot, :, start : start + new] = values[row]

    def mark_written(self, slots: Sequence[int], positions: int) -> None:
        """Have `free` clear so many positions after each slot's length.

        For callers that write to `keys` and `values` without `write`.
        """
        for slot in slots:
            self._written[slot] = max(self._written[slot], self.lengths[slot] + positions)

    def read(self, layer: int, slots: Sequence[int], length: int) -> tuple[Tensor, Tensor]:
        """Return keys and values [slots, kv_heads, length, head_dim], with invalid positions."""
        first, count = slots[0], len(slots)
        if list(slots) == list(range(first, first + count)):  # a view instead of a copy
            rows: slice | list[int] = slice(first, first + count)
        else:
            rows = list(slots)
        return self.keys[layer, rows, :, :length], self.values[layer, rows, :, :length]

    def advance(self, slots: Sequence[int], positions: int) -> None:
        """Count `positions` written ones as valid."""
        for slot in slots:
            self.lengths[slot] += positions

    def _check(self, slot: int) -> None:
        if not 0 <= slot < len(self.lengths) or slot in self._free:
            raise UsageError(f"Slot {slot} is not allocated. `allocate` returns one.")


def _zeros(shape: tuple[int, ...], dtype: torch.dtype, device: torch.device | str) -> Tensor:
    """Return zeros, on a CPU in pages that take memory when they are first written to.

    `torch.zeros` writes to all of them, which for Voxtral Mini's slots is gigabytes at each start.
    """
    if torch.device(device).type != "cpu":
        return torch.zeros(shape, dtype=dtype, device=device)
    nbytes = math.prod(shape) * dtype.itemsize
    pages = mmap.mmap(-1, nbytes, flags=mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS)
    return torch.frombuffer(pages, dtype=dtype).view(shape)


def _padded(capacity: int, *, static: bool) -> int:
    """Return the stored positions of a slot. A static cache's last one is the scratch position."""
    return -(-capacity // ALIGNMENT) * ALIGNMENT + 1 if static else capacity
