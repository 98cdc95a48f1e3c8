"""Steps on static shapes against ordinary ones, which the reference has checked."""

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
CONTINUATION = [1100, 7, 4095, 2, 1700, 1100, 12, 3322]  # any ids at all
ON_A_CARD = pytest.mark.skipif(not torch.cuda.is_available(), reason="no card of NVIDIA's is here")


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.inference_mode():
        yield


class Twins:
    """The same sequences in a static cache and in an ordinary one, in slots of the same numbers."""

    def __init__(self, network: Network, slots: int, capacity: int) -> None:
        self.network = network
        config = network.decoder.config
        self.static = KVCache(config, slots, capacity, static=True)
        self.ordinary = KVCache(config, slots, capacity)
        self.graph = DecodeGraph(network.decoder, self.static, use_graphs=False)

    def take(self, positions: int, seed: int = 0) -> int:
        """A slot that holds so many positions."""
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
        """The static step's logits, once they are found to be the ordinary one's."""
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
def twins(network: Network) -> Twins:
    return Twins(network, slots=5, capacity=700)


def test_slots_of_unequal_lengths_that_are_no_neighbours(twins: Twins) -> None:
    for seed, positions in enumerate((390, 3, 255, 1, 600)):
        twins.take(positions, seed)
    for number, token in enumerate(CONTINUATION):
        company = [[0], [3], [0, 2], [4, 1], [2, 0, 4, 3], [1, 2, 3, 4, 0], [4], [1, 3]][number]
        twins.step(company, [(token + slot) % 4096 for slot in company])


def test_lengths_that_cross_into_the_next_graph(twins: Twins) -> None:
    slot = twins.take(LENGTH_STEP - 3)
    for token in CONTINUATION:
        twins.step([slot], [token])


def test_a_slot_is_filled_to_its_last_position(network: Network) -> None:
    for capacity in (20, 256, 259):
        twins = Twins(network, slots=2, capacity=capacity)
        slots = [twins.take(capacity - 2), twins.take(4)]
        for token in CONTINUATION[:2]:
            twins.step(slots, [token, token])
        with pytest.raises(UsageError, match="no room for 1 more"):
            twins.graph.step(twins.static, slots, [1, 1])
        twins.step(slots[1:], [7])  # and a full neighbour keeps what it has
        assert twins.static.lengths == [capacity, 7]


def test_a_slot_that_takes_no_part_keeps_what_it_has(twins: Twins) -> None:
    """While others step it is idle, half filled by a prompt, or free."""
    busy, idle = twins.take(40, 1), twins.take(300, 2)
    last = [twins.take(10, seed) for seed in (3, 4)][-1]
    half = twins.static.allocate()
    assert twins.ordinary.allocate() == half
    prompt = torch.randn(1, 30, 96, generator=torch.Generator().manual_seed(5))
    begun = [
        twins.network.decoder(prompt, cache, [half]) for cache in (twins.static, twins.ordinary)
    ]
    for steps in begun:
        for _ in range(2):
            next(steps)
    for token in CONTINUATION[:4]:
        twins.step([last, busy], [token, token])
    logits = [run_to_end(steps) for steps in begun]
    assert float((logits[0] - logits[1]).abs().max()) <= TOLERANCE
    for token in CONTINUATION:
        twins.step([half, idle, busy], [token] * 3)


def test_a_freed_slot_leaves_nothing_behind(twins: Twins) -> None:
    first, second = twins.take(500, 1), twins.take(20, 2)
    twins.step([first, second], [7, 8])
    twins.free(first)
    assert not twins.static.keys[:, first, :, :-1].any()
    assert twins.take(2, 3) == first
    for token in CONTINUATION:
        twins.step([second, first], [token, token])


def test_numbers_that_are_none_stay_in_the_sequence_that_computed_them(twins: Twins) -> None:
    """In its step, in the steps of others beside it, and after it has gone."""
    broken, good = twins.take(30, 1), twins.take(40, 2)
    run_to_end(twins.network.decoder(torch.full((1, 5, 96), torch.nan), twins.static, [broken]))
    both = twins.graph.step(twins.static, [broken, good], [7, 8])
    assert both[0].isnan().all()
    assert both[1].isfinite().all()
    alone = twins.network.decoder.embed(torch.tensor([8]))[:, None]
    run_to_end(twins.network.decoder(alone, twins.ordinary, [good]))
    twins.ordinary.advance([broken], 6)
    twins.step([good], [9])
    twins.free(broken)
    assert twins.take(12, 3) == broken
    for token in CONTINUATION:
        twins.step([good, broken], [token, token])


def test_an_interrupted_step_counts_for_nothing_and_is_cleared(twins: Twins) -> None:
    slot = twins.take(40)

    def break_off(*_: object) -> None:
        raise MemoryError("no room for a layer")

    hook = twins.network.decoder.layers[1].register_forward_pre_hook(break_off)
    with pytest.raises(MemoryError):
        twins.graph.step(twins.static, [slot], [7])
    hook.remove()
    assert twins.static.lengths[slot] == 40
    assert twins.static.keys[0, slot, :, 40].any()
    for token in CONTINUATION:
        twins.step([slot], [token])
    hook = twins.network.decoder.layers[1].register_forward_pre_hook(break_off)
    with pytest.raises(MemoryError):
        twins.graph.step(twins.static, [slot], [7])
    hook.remove()
    twins.free(slot)
    assert not twins.static.keys[:, slot, :, :-1].any()


def test_every_step_has_one_of_the_shapes_that_are_recorded(network: Network) -> None:
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
    graph.record()  # does nothing here


def test_the_model_steps_a_static_cache_this_way(voxtral: Voxtral) -> None:
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


def test_a_step_pauses_once_before_anything_is_computed(voxtral: Voxtral) -> None:
    """Whoever drives it looks after each pause whether anybody still waits, and notes the time."""
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


def test_a_caches_graphs_go_with_it(voxtral: Voxtral) -> None:
    cache = voxtral.new_cache(1, 20, static=True)
    run_to_end(voxtral.step(cache, [cache.allocate()], [7]))
    assert len(voxtral._decode_graphs) == 1
    del cache
    assert not voxtral._decode_graphs


@ON_A_CARD
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_recorded_steps_are_the_eager_ones(hf: Path, dtype: torch.dtype) -> None:
    voxtral = Voxtral.load(hf, device="cuda", dtype=dtype)
    assert voxtral.use_graphs
    found = [on_a_card(voxtral, recorded) for recorded in (True, False)]
    assert torch.equal(*found)


def on_a_card(voxtral: Voxtral, recorded: bool) -> Tensor:
    voxtral.use_graphs = recorded
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
