"""Steps with static shapes against ordinary ones, which are tested against the reference."""

from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor

from tests.voxtral.signals import chirp
from voxgate.errors import UsageError
from voxgate.voxtral.cuda_graph import LENGTH_STEP, DecodeGraph, StepShape
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.network import Network
from voxgate.voxtral.resumable import run_to_end

TOLERANCE = 5e-5  # of logits
CONTINUATION = [1100, 7, 4095, 2, 1700, 1100, 12, 3322]  # arbitrary ids
NEEDS_GPU = pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no NVIDIA GPU")


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


class CachePair:
    """The same sequences in the same slots of a static cache and of an ordinary one."""

    def __init__(self, network: Network, slots: int, capacity: int) -> None:
        self.network = network
        config = network.decoder.config
        self.static = KVCache(config, slots, capacity, static=True)
        self.ordinary = KVCache(config, slots, capacity)
        self.graph = DecodeGraph(network.decoder, self.static, use_graphs=False)

    def fill_slot(self, positions: int, seed: int = 0) -> int:
        """Allocate a slot with so many positions."""
        x = torch.randn(1, positions, 96, generator=torch.Generator().manual_seed(seed))
        slot = self.static.allocate()
        assert self.ordinary.allocate() == slot
        for cache in (self.static, self.ordinary):
            run_to_end(self.network.decoder(x, cache, [slot]))
        return slot

    def free(self, slot: int) -> None:
        self.static.free(slot)
        self.ordinary.free(slot)

    def step(self, slots: list[int], tokens: list[int]) -> Tensor:
        """Run both steps, compare them, and return the static one's logits."""
        decoder = self.network.decoder
        ours = self.graph.step(self.static, slots, tokens)
        theirs = run_to_end(
            decoder(decoder.embed(torch.tensor(tokens))[:, None], self.ordinary, slots)
        )
        assert ours.dtype == torch.float32
        assert float((ours - theirs).abs().max()) <= TOLERANCE
        assert ours.argmax(-1).tolist() == theirs.argmax(-1).tolist()
        assert self.static.lengths == self.ordinary.lengths
        return ours


@pytest.fixture
def pair(network: Network) -> CachePair:
    return CachePair(network, slots=5, capacity=700)


def test_slots_of_unequal_lengths_that_are_not_adjacent(pair: CachePair) -> None:
    for seed, positions in enumerate((390, 3, 255, 1, 600)):
        pair.fill_slot(positions, seed)
    for number, token in enumerate(CONTINUATION):
        company = [[0], [3], [0, 2], [4, 1], [2, 0, 4, 3], [1, 2, 3, 4, 0], [4], [1, 3]][number]
        pair.step(company, [(token + slot) % 4096 for slot in company])


def test_lengths_that_cross_into_the_next_graph(pair: CachePair) -> None:
    slot = pair.fill_slot(LENGTH_STEP - 3)
    for token in CONTINUATION:
        pair.step([slot], [token])


def test_a_slot_is_filled_to_its_last_position(network: Network) -> None:
    for capacity in (20, 256, 259):
        pair = CachePair(network, slots=2, capacity=capacity)
        slots = [pair.fill_slot(capacity - 2), pair.fill_slot(4)]
        for token in CONTINUATION[:2]:
            pair.step(slots, [token, token])
        with pytest.raises(UsageError, match="no room for 1 more"):
            pair.graph.step(pair.static, slots, [1, 1])
        pair.step(slots[1:], [7])  # a full slot is unchanged
        assert pair.static.lengths == [capacity, 7]


def test_a_slot_outside_the_step_is_unchanged(pair: CachePair) -> None:
    """It is allocated, partly prefilled, or free while others step."""
    busy, idle = pair.fill_slot(40, 1), pair.fill_slot(300, 2)
    last = [pair.fill_slot(10, seed) for seed in (3, 4)][-1]
    half = pair.static.allocate()
    assert pair.ordinary.allocate() == half
    prompt = torch.randn(1, 30, 96, generator=torch.Generator().manual_seed(5))
    begun = [pair.network.decoder(prompt, cache, [half]) for cache in (pair.static, pair.ordinary)]
    for steps in begun:
        for _ in range(2):
            next(steps)
    for token in CONTINUATION[:4]:
        pair.step([last, busy], [token, token])
    logits = [run_to_end(steps) for steps in begun]
    assert float((logits[0] - logits[1]).abs().max()) <= TOLERANCE
    for token in CONTINUATION:
        pair.step([half, idle, busy], [token] * 3)


def test_a_freed_slot_leaves_nothing_behind(pair: CachePair) -> None:
    first, second = pair.fill_slot(500, 1), pair.fill_slot(20, 2)
    pair.step([first, second], [7, 8])
    pair.free(first)
    assert not pair.static.keys[:, first, :, :-1].any()
    assert pair.fill_slot(2, 3) == first
    for token in CONTINUATION:
        pair.step([second, first], [token, token])


def test_nans_stay_in_their_sequence(pair: CachePair) -> None:
    """In its own step, in the steps of others, and after it is freed."""
    broken, good = pair.fill_slot(30, 1), pair.fill_slot(40, 2)
    run_to_end(pair.network.decoder(torch.full((1, 5, 96), torch.nan), pair.static, [broken]))
    both = pair.graph.step(pair.static, [broken, good], [7, 8])
    assert both[0].isnan().all()
    assert both[1].isfinite().all()
    alone = pair.network.decoder.embed(torch.tensor([8]))[:, None]
    run_to_end(pair.network.decoder(alone, pair.ordinary, [good]))
    pair.ordinary.advance([broken], 6)
    pair.step([good], [9])
    pair.free(broken)
    assert pair.fill_slot(12, 3) == broken
    for token in CONTINUATION:
        pair.step([good, broken], [token, token])


def test_an_interrupted_step_changes_no_length_and_is_cleared(pair: CachePair) -> None:
    slot = pair.fill_slot(40)

    def interrupt(*_: object) -> None:
        raise MemoryError("no room for a layer")

    hook = pair.network.decoder.layers[1].register_forward_pre_hook(interrupt)
    with pytest.raises(MemoryError):
        pair.graph.step(pair.static, [slot], [7])
    hook.remove()
    assert pair.static.lengths[slot] == 40
    assert pair.static.keys[0, slot, :, 40].any()
    for token in CONTINUATION:
        pair.step([slot], [token])
    hook = pair.network.decoder.layers[1].register_forward_pre_hook(interrupt)
    with pytest.raises(MemoryError):
        pair.graph.step(pair.static, [slot], [7])
    hook.remove()
    pair.free(slot)
    assert not pair.static.keys[:, slot, :, :-1].any()


def test_every_step_has_a_recorded_shape(network: Network) -> None:
    cache = KVCache(network.decoder.config, slots=5, capacity=700, static=True)
    graph = DecodeGraph(network.decoder, cache, use_graphs=False)
    shapes = graph.shapes()
    assert shapes == [StepShape(rows, n) for rows in (5, 4, 2, 1) for n in (704, 512, 256)]
    for rows in range(1, 6):
        for length in (1, 256, 257, 512, 513, 700):
            shape = graph._shape(rows, length)
            assert shape in shapes
            assert rows <= shape.rows
            assert length <= shape.length
    graph.record()  # does nothing on a CPU


def test_a_long_cache_has_few_lengths(network: Network) -> None:
    cache = KVCache(network.decoder.config, slots=1, capacity=9000, static=True)
    lengths = [
        shape.length for shape in DecodeGraph(network.decoder, cache, use_graphs=False).shapes()
    ]
    assert lengths == [9008, *range(8448, 0, -768)]


def test_the_model_uses_static_steps_for_a_static_cache(voxtral: Voxtral) -> None:
    (audio,) = run_to_end(voxtral.encode([chirp(3.2)]))
    ids = [1, 3, 25, *[24] * 375, 4, 34]
    logits = []
    for static in (False, True):
        cache = voxtral.new_cache(3, 420, static=static)
        assert cache.static is static
        assert 3 * voxtral.slot_bytes(420, static=static) == cache.nbytes
        voxtral.record_graphs(cache) if static else None
        slots = [cache.allocate(), cache.allocate()]
        for slot in slots:
            run_to_end(voxtral.prefill(cache, slot, ids, audio))
        logits.append(
            torch.stack(
                [
                    run_to_end(voxtral.step(cache, slots[::-1], [n, n // 2]))
                    for n in CONTINUATION[:4]
                ]
            )
        )
    assert float((logits[0] - logits[1]).abs().max()) <= TOLERANCE


def test_a_static_step_pauses_once_before_the_computation(voxtral: Voxtral) -> None:
    """The scheduler checks for cancelled windows after each pause."""
    cache = voxtral.new_cache(1, 20, static=True)
    slot = cache.allocate()
    steps = voxtral.step(cache, [slot], [7])
    next(steps)
    steps.close()
    assert cache.lengths == [0]
    assert not cache.keys.any()
    assert run_to_end(voxtral.step(cache, [slot], [7])).shape == (
        1,
        voxtral.config.decoder.vocabulary,
    )


def test_a_caches_graphs_are_freed_with_it(voxtral: Voxtral) -> None:
    cache = voxtral.new_cache(1, 20, static=True)
    run_to_end(voxtral.step(cache, [cache.allocate()], [7]))
    assert len(voxtral._decode_graphs) == 1
    del cache
    assert not voxtral._decode_graphs


@NEEDS_GPU
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_graphs_compute_what_eager_steps_compute(hf: Path, dtype: torch.dtype) -> None:
    voxtral = Voxtral.load(hf, device="cuda", dtype=dtype)
    assert voxtral.use_graphs
    found = [gpu_logits(voxtral, recorded) for recorded in (True, False)]
    assert torch.equal(*found)


def gpu_logits(voxtral: Voxtral, use_graphs: bool) -> Tensor:
    voxtral.use_graphs = use_graphs
    cache = voxtral.new_cache(5, 420, static=True)
    slots = [cache.allocate() for _ in range(5)]
    (audio,) = run_to_end(voxtral.encode([chirp(3.2)]))
    for slot in slots[::2]:
        run_to_end(voxtral.prefill(cache, slot, [1, 3, 25, *[24] * 375, 4, 34], audio))
    company = [[4], [0, 2], [2, 0, 4], [1], [3, 1, 4], [0], [0, 4], [4, 3, 2, 1, 0]]
    steps = [
        run_to_end(voxtral.step(cache, slots, [token] * len(slots)))
        for token, slots in zip(CONTINUATION, company, strict=True)
    ]
    return torch.cat(steps)
