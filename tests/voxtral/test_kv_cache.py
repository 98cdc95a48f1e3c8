"""Slots: allocation, contents, and what is refused."""

import os
from dataclasses import replace
from pathlib import Path

import pytest
import torch

from tests.failures import raises
from voxgate.errors import UsageError
from voxgate.voxtral.checkpoint.config import DecoderConfig
from voxgate.voxtral.kv_cache import KVCache

CONFIG = DecoderConfig(
    width=8, layers=2, heads=4, kv_heads=2, head_dim=4, ffn_width=16, vocabulary=32,
    context=64, rope_theta=1e4, norm_eps=1e-5,
)  # fmt: skip


def test_each_slot_is_allocated_once_until_freed() -> None:
    cache = KVCache(CONFIG, slots=3, capacity=8)
    slots = [cache.allocate() for _ in range(3)]
    assert sorted(slots) == [0, 1, 2]
    assert cache.free_slots == 0
    cache.free(1)
    assert cache.allocate() == 1


def test_an_allocated_slot_is_empty() -> None:
    cache = KVCache(CONFIG, slots=1, capacity=8)
    slot = cache.allocate()
    cache.advance([slot], 8)
    cache.free(slot)
    assert cache.lengths[cache.allocate()] == 0


def test_a_cache_without_free_slots_refuses() -> None:
    cache = KVCache(CONFIG, slots=1, capacity=8)
    cache.allocate()
    with raises("engine_busy", match="All 1 slots"):
        cache.allocate()


@pytest.mark.parametrize("slot", [1, 2, -1])
def test_a_slot_that_is_not_allocated_cannot_be_used_or_freed(slot: int) -> None:
    cache = KVCache(CONFIG, slots=2, capacity=8)
    assert cache.allocate() == 0
    with pytest.raises(UsageError, match=f"Slot {slot} is not allocated"):
        cache.free(slot)
    with pytest.raises(UsageError, match=f"Slot {slot} is not allocated"):
        cache.check_room([0, slot], 1)


def test_a_slot_cannot_appear_twice_in_a_step() -> None:
    cache = KVCache(CONFIG, slots=2, capacity=8)
    slot = cache.allocate()
    with pytest.raises(UsageError, match="twice"):
        cache.check_room([slot, slot], 1)


def test_a_full_slot_is_refused() -> None:
    cache = KVCache(CONFIG, slots=2, capacity=8)
    slots = [cache.allocate(), cache.allocate()]
    cache.advance(slots[:1], 7)
    cache.check_room(slots, 1)
    with pytest.raises(UsageError, match=f"Slot {slots[0]} holds 7 positions.*no room for 2 more"):
        cache.check_room(slots, 2)
    assert [cache.lengths[slot] for slot in slots] == [7, 0]


@pytest.mark.parametrize(("slots", "capacity"), [(0, 8), (-1, 8), (1, 0), (1, 65)])
def test_an_impossible_cache_is_refused(slots: int, capacity: int) -> None:
    with pytest.raises(UsageError, match="64 positions"):
        KVCache(CONFIG, slots, capacity)


def test_a_caches_size_is_that_of_its_slots() -> None:
    cache = KVCache(CONFIG, slots=3, capacity=64, dtype=torch.bfloat16)
    per_position = 2 * CONFIG.layers * CONFIG.kv_heads * CONFIG.head_dim * 2
    assert cache.nbytes == 3 * 64 * per_position


def test_the_lowest_free_slot_is_allocated() -> None:
    """Pages that were never touched take no memory."""
    cache = KVCache(CONFIG, slots=4, capacity=8)
    for slot in [cache.allocate() for _ in range(3)]:
        cache.free(slot)
    assert [cache.allocate() for _ in range(4)] == [0, 1, 2, 3]


def test_a_freed_slot_is_cleared_of_abandoned_positions_too() -> None:
    cache = KVCache(CONFIG, slots=2, capacity=8)
    slots = [cache.allocate(), cache.allocate()]
    cache.advance(slots, 2)
    broken = torch.full((2, 2, 3, 4), torch.nan)
    cache.write(1, slots, broken, broken)  # and not advanced
    cache.free(slots[0])
    assert not cache.keys[:, 0].any()
    assert not cache.values[:, 0].any()
    assert cache.keys[1, 1, :, 2:5].isnan().all()


def test_a_slots_size_is_known_without_a_cache() -> None:
    size = KVCache.slot_bytes(CONFIG, 64, torch.bfloat16)
    assert 3 * size == KVCache(CONFIG, slots=3, capacity=64, dtype=torch.bfloat16).nbytes


def test_a_static_cache_has_a_scratch_position_in_each_slot() -> None:
    """It is after all positions, and keeps the alignment that attention kernels need."""
    cache = KVCache(CONFIG, slots=3, capacity=20, dtype=torch.bfloat16, static=True)
    assert cache.capacity == 20
    assert cache.keys.shape[3] == 33
    assert 3 * KVCache.slot_bytes(CONFIG, 20, torch.bfloat16, static=True) == cache.nbytes
    slot = cache.allocate()
    cache.check_room([slot], 20)
    with pytest.raises(UsageError, match="no room for 21 more"):
        cache.check_room([slot], 21)


def test_marked_positions_are_cleared_by_free() -> None:
    cache = KVCache(CONFIG, slots=1, capacity=8, static=True)
    slot = cache.allocate()
    cache.advance([slot], 2)
    cache.mark_written([slot], 1)
    cache.keys[:, slot, :, 2] = torch.nan
    cache.free(slot)
    assert not cache.keys[:, slot, :, :8].any()


def test_several_positions_of_one_slot_are_written_at_once() -> None:
    """As those of a draft: each at its own place, and cleared by `free` if they were abandoned."""
    cache, alone = (KVCache(CONFIG, slots=2, capacity=8) for _ in range(2))
    for each in (cache, alone):
        assert (each.allocate(), each.allocate()) == (0, 1)
        each.advance([0, 1], 3)
    keys, values = torch.randn(3, 2, 1, 4), torch.randn(3, 2, 1, 4)
    slots, starts = [1, 1, 0], [3, 4, 3]
    cache.write(1, slots, keys, values, starts)
    for row, (slot, start) in enumerate(zip(slots, starts, strict=True)):
        alone.write(1, [slot], keys[row : row + 1], values[row : row + 1], [start])
    assert torch.equal(cache.keys, alone.keys)
    assert torch.equal(cache.values, alone.values)
    assert cache.keys[1, 1, :, 3:5].any(dim=-1).all()
    assert cache.lengths == [3, 3]
    cache.free(1)
    assert not cache.keys[:, 1].any()


def resident_bytes() -> int:
    return int(Path("/proc/self/statm").read_text().split()[1]) * os.sysconf("SC_PAGE_SIZE")


def test_slots_take_memory_when_they_are_used() -> None:
    """An engine has slots for all windows and answers at once; most of the time few are in use."""
    large = replace(CONFIG, context=65_536, head_dim=256)
    before = resident_bytes()
    cache = KVCache(large, slots=4, capacity=large.context)
    assert cache.nbytes == 2**31
    assert resident_bytes() - before < 2**27
    slot = cache.allocate()
    rows = torch.ones(1, 2, 100, 256)
    cache.write(0, [slot], rows, rows)
    cache.advance([slot], 100)
    keys, _ = cache.read(0, [slot], 101)
    assert torch.equal(keys[..., :100, :], rows)
    assert not keys[..., 100:, :].any()
    assert resident_bytes() - before < 2**27
