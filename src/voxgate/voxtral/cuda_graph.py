"""`DecodeGraph`: a decode step on static shapes, which a card records once and then replays.

A step of Mini is some hundreds of kernels of a few microseconds each. To launch them one by one
from Python takes a card longer than to run them; a CUDA graph launches all of them at once, if
shapes and addresses never change. So a step here knows no lengths: tokens and positions lie in
tensors, and what a slot does not hold is masked. On a processor the very same step runs eagerly.

Row 3 of a step is slot 3 of the cache. Keys and values are thus attended to where they lie: slots
that are no neighbours need not be brought together, which would copy all they hold in every layer.
Rows that take no part are computed too. They write to their slot's scratch place, which nobody
reads, see their own slot alone, and what they compute is dropped.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.layers import RotaryEmbedding
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from torch import Tensor

    from voxgate.voxtral.decoder import Decoder
    from voxgate.voxtral.kv_cache import KVCache


# MERGED voxtral.recorder
# `GraphRecorder`: CUDA graphs of computations on static shapes, recorded once and replayed.

WARM_UPS = 2
"""Eager runs before a recording: libraries take their workspaces and choose their kernels."""


class CapturedGraph(NamedTuple):
    """A graph, and the tensor that each replay writes its result to."""

    graph: torch.cuda.CUDAGraph
    result: Tensor


class GraphRecorder:
    """The graphs of one card, in memory that they share: one is replayed after another, never two.

    What a computation reads lies in tensors that stay where they are. Its result is to be read
    before the next replay of any.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._recordings: dict[Hashable, CapturedGraph] = {}

    def replayed(self, name: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """The result of a computation, which is recorded when its name is first met.

        It is then taken in earnest several times, so it must not matter how often that is.
        """
        with torch.cuda.device(self._device):
            if name not in self._recordings:
                self._recordings[name] = self._recorded(compute)
            recording = self._recordings[name]
            recording.graph.replay()
        return recording.result

    def _recorded(self, compute: Callable[[], Tensor]) -> CapturedGraph:
        graph, here = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        self._stream.wait_stream(here)
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                compute()
        here.wait_stream(self._stream)
        # thread_local: what other threads do with the card meanwhile is no fault of the recording.
        with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
            result = compute()
        return CapturedGraph(graph, result)


LENGTH_STEP = 256  # positions from one graph to the next longer one


class Shape(NamedTuple):
    """What of a cache a step computes with."""

    rows: int  # the slots from 0 on
    length: int  # the positions from 0 on


class DecodeGraph:
    """The steps of one static cache: a graph for each shape, recorded when it is first met."""

    def __init__(self, decoder: Decoder, cache: KVCache, *, recorded: bool) -> None:
        """`recorded` is for CUDA alone; without, every step runs eagerly."""
        # The cache's tensors, not the cache: who finds this by its cache must not keep it alive.
        self._decoder, self._keys, self._values = decoder, cache.keys, cache.values
        slots, places = cache.keys.shape[1], cache.keys.shape[3]
        self._longest, self._scratch = places - 1, places - 1
        # Tokens, positions, and the places that keys and values are written to, of every slot.
        self._idle = torch.tensor([[0], [0], [self._scratch]]).repeat(1, slots)
        self._inputs = self._idle.to(self._keys.device, copy=True)
        self._recorder = GraphRecorder(self._keys.device) if recorded else None

    @torch.inference_mode()
    def step(self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Put a token behind each slot; float32 logits [slots, vocabulary] of the next ones.

        `cache` is the one that this was made for. Raises `UsageError` for a slot without room.
        """
        cache.reserve(slots, 1)
        cache.mark(slots, 1)
        lengths = [cache.lengths[slot] for slot in slots]
        inputs = self._idle.clone()
        inputs[:, [*slots]] = torch.tensor([[*tokens], lengths, lengths])
        self._inputs.copy_(upload(inputs, self._inputs.device))
        logits = self._logits(self._shape(max(slots) + 1, max(lengths) + 1))
        cache.advance(slots, 1)
        return logits[upload(torch.tensor([*slots]), logits.device)]  # a copy: the next step's too

    @torch.inference_mode()
    def record(self) -> None:
        """Record every shape there is: seconds, which no window then waits for.

        The largest first: the others find room for what they compute in its memory. Does nothing
        where steps run eagerly.
        """
        if self._recorder is None:
            return
        self._inputs.copy_(self._idle)
        for shape in self.shapes():
            self._logits(shape)

    def shapes(self) -> list[Shape]:
        """Every one that a step may have, the largest first."""
        rows = {self._shape(count, 1).rows for count in range(1, self._keys.shape[1] + 1)}
        lengths = {self._shape(1, count).length for count in range(1, self._longest + 1)}
        return sorted((Shape(*each) for each in product(rows, lengths)), reverse=True)

    def _shape(self, rows: int, length: int) -> Shape:
        """The least shape that has so many: rows by powers of two, for a row more costs little."""
        rows = 1 << (rows - 1).bit_length()
        length = -(-length // LENGTH_STEP) * LENGTH_STEP
        return Shape(min(rows, self._keys.shape[1]), min(length, self._longest))

    def _logits(self, shape: Shape) -> Tensor:
        if self._recorder is None:
            return self._computed(shape)
        return self._recorder.replayed(shape, partial(self._computed, shape))

    def _computed(self, shape: Shape) -> Tensor:
        """Logits [rows, vocabulary] of what lies in the inputs; no length is known to Python."""
        decoder = self._decoder
        tokens, positions, places = self._inputs[:, : shape.rows]
        x = decoder.embed(tokens)[:, None]
        rope = RotaryEmbedding(
            positions[:, None], decoder.config.head_dim, decoder.config.rope_theta, x.dtype
        )
        seen = torch.arange(shape.length, device=x.device) <= positions[:, None, None, None]
        # Made once, to be added: of a mask of booleans each layer would make such a one for itself.
        mask = torch.zeros(seen.shape, dtype=self._keys.dtype, device=x.device)
        mask.masked_fill_(~seen, -torch.inf)
        at = torch.arange(shape.rows, device=x.device), slice(None), places
        for layer, keys, values in zip(decoder.layers, self._keys, self._values, strict=True):
            x = layer(x, rope, _Layer(keys[: shape.rows], values[: shape.rows], at, shape), mask)
        logits: Tensor = decoder.head(decoder.norm(x[:, -1]))
        return logits.float()


class _Layer:
    """One layer's part of a static cache: what `DecoderAttention` needs of it."""

    def __init__(self, keys: Tensor, values: Tensor, at: Any, shape: Shape) -> None:
        """Keys and values [rows, kv_heads, places, head_dim], and the index of the new ones."""
        self._keys, self._values, self._at, self._length = keys, values, at, shape.length

    def attended(self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor, **_: bool) -> Tensor:
        """Queries [rows, heads, 1, head_dim] over what slots hold, these keys and values too.

        Queries that share a key and a value become rows of one product, under a mask. PyTorch's
        other way to group them (`enable_gqa`) has no fused kernel that takes a mask, and falls
        back to one that repeats the keys for each of them; flash attention takes no mask at all.
        """
        self._keys[self._at] = keys[:, :, 0].to(self._keys.dtype)
        self._values[self._at] = values[:, :, 0].to(self._values.dtype)
        held = self._keys[:, :, : self._length], self._values[:, :, : self._length]
        rows, shared, width = len(q), self._keys.shape[1], q.shape[-1]
        grouped = q.to(self._keys.dtype).reshape(rows, shared, -1, width)
        mixed = F.scaled_dot_product_attention(grouped, *held, attn_mask=mask)
        return mixed.reshape(q.shape)
