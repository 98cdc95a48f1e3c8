"""The decoder with its cache against whole sequences in transformers, teacher-forced."""

from collections.abc import Iterator
from dataclasses import dataclass

import pytest
import torch
from torch import Tensor

from tests.voxtral.reference import Reference
from tests.voxtral.signals import chirp
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.network import Network
from voxgate.voxtral.resumable import run_to_end

TOLERANCE = 5e-5  # of logits
AUDIO = 24
CONTINUATION = [1100, 7, 4095, 2, 1700, 1100, 12, 3322]  # arbitrary ids


@dataclass(frozen=True)
class ForcedSequence:
    """A prompt followed by `CONTINUATION`, and the reference's logits after each position."""

    prompt: int  # positions before the continuation
    embeddings: Tensor  # [positions, width]
    logits: Tensor  # [positions, vocabulary]


@pytest.fixture(autouse=True)
def _no_gradients() -> Iterator[None]:
    with torch.no_grad():
        yield


@pytest.fixture(scope="module")
def forced(network: Network, reference: Reference) -> list[ForcedSequence]:
    """One chunk, two chunks with a language, three chunks."""
    asked = [(3.2, None), (33.0, "fr"), (65.0, None)]
    return [force(network, reference, seconds, language) for seconds, language in asked]


@torch.no_grad()
def force(
    network: Network, reference: Reference, seconds: float, language: str | None
) -> ForcedSequence:
    prompt = reference.prompt(chirp(seconds), language)
    ids = torch.tensor(prompt + CONTINUATION)
    embeddings = network.decoder.embeddings(ids)
    embeddings[ids == AUDIO] = reference.audio(reference.features(chirp(seconds)))
    logits = reference.logits(chirp(seconds), language, CONTINUATION)
    return ForcedSequence(len(prompt), embeddings, logits)


def run(network: Network, cache: KVCache, slots: list[int], *new: Tensor) -> Tensor:
    """Append embeddings [new, width] to each slot; return logits [slots, vocabulary]."""
    logits: Tensor = run_to_end(network.decoder(torch.stack(new), cache, slots))
    assert logits.dtype == torch.float32
    return logits


def max_difference(ours: Tensor, theirs: Tensor) -> float:
    return float((ours - theirs).abs().max())


@pytest.fixture
def cache(network: Network) -> KVCache:
    return KVCache(network.decoder.config, slots=4, capacity=1200)


@pytest.mark.parametrize("case", [0, 1])
@pytest.mark.parametrize("length", [1, 3, 4, 200, 378, 380, 388])
def test_a_prefix_gives_the_references_logits(
    network: Network, cache: KVCache, forced: list[ForcedSequence], case: int, length: int
) -> None:
    logits = run(network, cache, [cache.allocate()], forced[case].embeddings[:length])
    assert max_difference(logits[0], forced[case].logits[length - 1]) <= TOLERANCE


@pytest.mark.parametrize("case", [0, 1, 2])
def test_steps_give_the_references_logits(
    network: Network, cache: KVCache, forced: list[ForcedSequence], case: int
) -> None:
    prompt, embeddings = forced[case].prompt, forced[case].embeddings
    slot = cache.allocate()
    run(network, cache, [slot], embeddings[:prompt])
    for position in range(prompt, len(embeddings)):
        logits = run(network, cache, [slot], embeddings[position : position + 1])
        assert max_difference(logits[0], forced[case].logits[position]) <= TOLERANCE
    assert cache.lengths[slot] == len(embeddings)


def test_a_prompt_may_be_split(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    slot = cache.allocate()
    for piece in torch.split(forced[1].embeddings, [1, 100, 379, len(forced[1].embeddings) - 480]):
        logits = run(network, cache, [slot], piece)
    assert max_difference(logits[0], forced[1].logits[-1]) <= TOLERANCE


def test_a_batch_of_unequal_lengths_equals_single_sequences(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    slots = [cache.allocate() for _ in forced]
    for slot, one in zip(slots, forced, strict=True):
        run(network, cache, [slot], one.embeddings[: one.prompt])
    for step in range(len(CONTINUATION)):
        order = [[0, 1, 2], [2, 0, 1], [1, 0, 2], [2, 1, 0]][step % 4]
        new = [forced[i].embeddings[forced[i].prompt + step][None] for i in order]
        logits = run(network, cache, [slots[i] for i in order], *new)
        for row, i in zip(logits, order, strict=True):
            assert max_difference(row, forced[i].logits[forced[i].prompt + step]) <= TOLERANCE


def test_a_batch_may_append_several_positions_each(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    slots = [cache.allocate(), cache.allocate()]
    for slot, one in zip(slots, forced, strict=False):
        run(network, cache, [slot], one.embeddings[: one.prompt])
    new = [one.embeddings[one.prompt :] for one in forced[:2]]
    logits = run(network, cache, slots, *new)
    assert max_difference(logits, torch.stack([one.logits[-1] for one in forced[:2]])) <= TOLERANCE


def test_a_freed_slot_leaves_nothing_behind(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    longest, shortest = forced[2], forced[0]
    used = [cache.allocate() for _ in range(4)]
    for slot in used:
        run(network, cache, [slot], longest.embeddings)
    for slot in used:
        cache.free(slot)
    other, slot = cache.allocate(), cache.allocate()
    run(network, cache, [other], longest.embeddings[: longest.prompt])
    run(network, cache, [slot], shortest.embeddings[: shortest.prompt])
    new = [longest.embeddings[longest.prompt], shortest.embeddings[shortest.prompt]]
    logits = run(network, cache, [other, slot], *(one[None] for one in new))
    assert max_difference(logits[1], shortest.logits[shortest.prompt]) <= TOLERANCE


def test_nans_stay_in_their_sequence(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    longest, shortest = forced[2], forced[0]
    other, slot = cache.allocate(), cache.allocate()
    run(network, cache, [slot], torch.full((1100, 96), torch.nan))
    cache.free(slot)
    assert cache.allocate() == slot
    run(network, cache, [other], longest.embeddings[: longest.prompt])
    run(network, cache, [slot], shortest.embeddings[: shortest.prompt])
    new = [longest.embeddings[longest.prompt], shortest.embeddings[shortest.prompt]]
    logits = run(network, cache, [other, slot], *(one[None] for one in new))
    assert max_difference(logits[1], shortest.logits[shortest.prompt]) <= TOLERANCE


def test_an_abandoned_step_changes_no_length(
    network: Network, cache: KVCache, forced: list[ForcedSequence]
) -> None:
    slot, one = cache.allocate(), forced[0]
    run(network, cache, [slot], one.embeddings[: one.prompt])
    computation = network.decoder(one.embeddings[None, :9], cache, [slot])
    next(computation)
    next(computation)
    computation.close()
    assert cache.lengths[slot] == one.prompt
    logits = run(network, cache, [slot], one.embeddings[one.prompt][None])
    assert max_difference(logits[0], one.logits[one.prompt]) <= TOLERANCE
