"""Whether drafts can be checked here, and what it costs: found by a trial, not by belief.

A draft may not change a text. So a pass of several tokens must give each token, bit for bit, the
logits that it has alone. Integer products do, and floating-point ones add up in another order for
another number of rows. The trial compares both on the first layers and the head of the loaded
network, and takes the time of passes of 1 to `MOST_ROWS` rows.
"""

from __future__ import annotations

import math
import time
from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from voxgate.voxtral.decoder import Decoder
from voxgate.voxtral.kv_cache import KVCache

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.voxtral.network import Network
    from voxgate.voxtral.resumable import Resumable

MOST_ROWS = 16  # tokens of one pass, of all texts together: with more, a product is no longer cheap
TRIED_ROWS = (1, 2, 4, 8, MOST_ROWS)
ROUNDS = 4  # of a pass of each; its fastest layer counts, and its fastest rest
LAYERS = 2  # of the network: the head between two passes leaves none of their weights in a cache
HELD_POSITIONS = 400  # of a slot before the tokens: the prompt of a window


@dataclass(frozen=True, slots=True)
class PassCosts:
    """The seconds of a pass of all layers, by its rows.

    What was not measured is interpolated.
    """

    seconds: Mapping[int, float]

    @classmethod
    def measured(cls, seconds: Mapping[int, float]) -> PassCosts:
        """Return the costs by a measurement that other programs may have disturbed.

        A pass takes no longer than one of more rows, and no longer than a pass for each row.
        """
        return cls(
            {
                rows: min(
                    [rows * seconds[1], *(other for n, other in seconds.items() if n >= rows)]
                )
                for rows in seconds
            }
        )

    @property
    def most_rows(self) -> int:
        """The most rows of a pass."""
        return max(self.seconds)

    def of(self, rows: int) -> float:
        """Return the seconds of a pass of so many rows, from 1 to `most_rows`."""
        if rows in self.seconds:
            return self.seconds[rows]
        fewer, more = next(
            pair for pair in pairwise(sorted(self.seconds)) if pair[0] < rows < pair[1]
        )
        share = (rows - fewer) / (more - fewer)
        return self.seconds[fewer] + share * (self.seconds[more] - self.seconds[fewer])


@dataclass(frozen=True, slots=True)
class DraftTrial:
    """What a trial found. `reason` says why drafts are not checked; None: they are."""

    reason: str | None
    costs: PassCosts | None = None  # where they are

    @property
    def sentence(self) -> str:
        """What the engine's log says of it."""
        if self.costs is None:
            return f"Drafts are not used here: {self.reason}."
        ratios = [f"{self.costs.of(n) / self.costs.of(1):.2f} (of {n})" for n in TRIED_ROWS[1:]]
        return (
            f"Drafts are used here. A pass of several tokens takes as long as so many of one: "
            f"{', '.join(ratios)}."
        )


@torch.inference_mode()
def try_drafts(network: Network) -> Resumable[DraftTrial]:
    """Try it with a network, with a pause after each of 36 passes of its first layers and head."""
    decoder = network.decoder
    if decoder.norm.weight.device.type != "cpu":
        return DraftTrial("a GPU adds up in another order for another number of rows")
    if network.attention_dtype is None:  # the profile exact
        return DraftTrial("in the profile exact, products add up in another order for several rows")
    first = _first_layers(decoder)
    cache = _filled_cache(first, network.attention_dtype)
    draw = torch.Generator().manual_seed(0)
    tokens = torch.randint(decoder.config.vocabulary, (MOST_ROWS,), generator=draw)
    alone, several = cache.allocate(), cache.allocate()
    cache.advance([alone, several], HELD_POSITIONS)
    expected = list[Tensor]()
    for token in tokens:
        expected.append(_timed_check(first, cache, alone, token[None])[0])
        cache.advance([alone], 1)
        yield
    layer_s, rest_s = (dict.fromkeys(TRIED_ROWS, math.inf) for _ in range(2))
    for _ in range(ROUNDS):
        for rows in TRIED_ROWS:
            logits, layer, rest = _timed_check(first, cache, several, tokens[:rows])
            if not torch.equal(logits, torch.cat(expected[:rows])):
                return DraftTrial(f"a pass of {rows} rows has other last bits than {rows} passes")
            layer_s[rows], rest_s[rows] = min(layer_s[rows], layer), min(rest_s[rows], rest)
            yield
    layers = len(decoder.layers) - len(first.layers) + 1  # the rest has all but one of the first
    seconds = {rows: layers * layer_s[rows] + rest_s[rows] for rows in TRIED_ROWS}
    return DraftTrial(None, PassCosts.measured(seconds))


def _first_layers(decoder: Decoder) -> Decoder:
    """Return a decoder of the first layers, and of the same head."""
    layers = min(LAYERS, decoder.config.layers)
    with torch.device("meta"):
        first = Decoder(replace(decoder.config, layers=layers))
    first.embeddings, first.norm, first.head = decoder.embeddings, decoder.norm, decoder.head
    first.layers = decoder.layers[:layers]
    return first.eval()


def _filled_cache(decoder: Decoder, dtype: torch.dtype) -> KVCache:
    """Return a cache of two slots that hold the same random keys and values."""
    cache = KVCache(decoder.config, 2, HELD_POSITIONS + MOST_ROWS, dtype)
    draw = torch.Generator().manual_seed(1)
    for held in (cache.keys, cache.values):
        held[:] = torch.randn(held[:, :1].shape, generator=draw)
    return cache


def _timed_check(
    decoder: Decoder, cache: KVCache, slot: int, tokens: Tensor
) -> tuple[Tensor, float, float]:
    """Return the logits after some tokens, and the seconds of a layer and of the rest.

    By a clock on the wall: threads that wait for each other count as work in the processor's time.
    """
    passing = decoder.check(decoder.embed(tokens), cache, {slot: len(tokens)})
    stamps_s = [time.perf_counter()]
    while True:
        try:
            next(passing)
        except StopIteration as end:
            logits: Tensor = end.value
            break
        stamps_s.append(time.perf_counter())  # before a layer, and after its attention
    whole_s = time.perf_counter() - stamps_s[0]
    layer_s = stamps_s[3] - stamps_s[1] if len(stamps_s) > 3 else 0.0
    return logits, layer_s, whole_s - layer_s
