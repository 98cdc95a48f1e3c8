"""`DecodeGraph`: a decode step with static shapes, which a GPU records once and then replays.

A step of Mini is some hundreds of kernels of a few microseconds each. Launching them one by one
from Python takes longer than running them; a CUDA graph launches all of them at once, if shapes
and addresses never change. So a step here has no lengths in Python: tokens and positions are in
tensors, and positions that a slot does not have are masked. On a CPU the same step runs eagerly.

Row 3 of a step is slot 3 of the cache. Keys and values are therefore read in place: slots that are
not adjacent need not be gathered, which would copy all they hold in every layer. Rows that are not
in the step are computed too. They write to their slot's scratch position, which is never read, they
attend to their own slot only, and their results are dropped.
"""

from __future__ import annotations

from functools import partial
from itertools import product
from typing import TYPE_CHECKING, Any, NamedTuple

import torch

from voxgate.voxtral.attention import grouped_attention
from voxgate.voxtral.layers import RotaryEmbedding
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Sequence

    from torch import Tensor

    from voxgate.voxtral.decoder import Decoder
    from voxgate.voxtral.kv_cache import KVCache

LENGTH_STEP = 256  # positions from one graph to the next longer one, at least

MOST_LENGTHS = 16
"""Lengths of a cache's graphs: recording one takes some 100 ms, and each needs memory. A step that
attends to a sixteenth of a long slot in vain costs little beside the weights that it reads."""

WARM_UPS = 2
"""Eager runs before a recording: libraries allocate workspaces and choose their kernels."""


class StepShape(NamedTuple):
    """The part of a cache that a step computes with."""

    rows: int  # the slots from 0 on
    length: int  # the positions from 0 on


class DecodeGraph:
    """The steps of one static cache: a graph for each shape, recorded on first use."""

    def __init__(self, decoder: Decoder, cache: KVCache, *, use_graphs: bool) -> None:
        """Prepare steps of this cache. `use_graphs` needs CUDA; without it steps run eagerly."""
        # The cache's tensors, not the cache: this is the value of a weak dictionary of caches.
        self._decoder, self._keys, self._values = decoder, cache.keys, cache.values
        slots, positions = cache.keys.shape[1], cache.keys.shape[3]
        self._longest = self._scratch = positions - 1
        self._length_step = LENGTH_STEP * -(-self._longest // (LENGTH_STEP * MOST_LENGTHS))
        # Token, position, and the position that is written to, of every slot.
        self._unused = torch.tensor([[0], [0], [self._scratch]]).repeat(1, slots)
        self._inputs = self._unused.to(self._keys.device, copy=True)
        self._recorder = GraphRecorder(self._keys.device) if use_graphs else None

    @torch.inference_mode()
    def step(self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Append a token to each slot; return float32 logits [slots, vocabulary] of the next ones.

        `cache` is the one given to the constructor. Raises `UsageError` for a slot without room.
        """
        cache.check_room(slots, 1)
        cache.mark_written(slots, 1)
        lengths = [cache.lengths[slot] for slot in slots]
        inputs = self._unused.clone()
        inputs[:, [*slots]] = torch.tensor([[*tokens], lengths, lengths])
        self._inputs.copy_(upload(inputs, self._inputs.device))
        logits = self._logits(self._shape(max(slots) + 1, max(lengths) + 1))
        cache.advance(slots, 1)
        # Indexing copies: the next step overwrites `logits`.
        return logits[upload(torch.tensor([*slots]), logits.device)]

    @torch.inference_mode()
    def record(self) -> None:
        """Record every shape, which takes seconds, so that no window waits for it later.

        The largest is first: the others reuse its memory. Does nothing if steps run eagerly.
        """
        if self._recorder is None:
            return
        self._inputs.copy_(self._unused)
        for shape in self.shapes():
            self._logits(shape)

    def shapes(self) -> list[StepShape]:
        """Return every shape that a step may have, the largest first."""
        rows = {self._shape(count, 1).rows for count in range(1, self._keys.shape[1] + 1)}
        lengths = {self._shape(1, count).length for count in range(1, self._longest + 1)}
        return sorted((StepShape(*each) for each in product(rows, lengths)), reverse=True)

    def _shape(self, rows: int, length: int) -> StepShape:
        """Return the smallest shape with so many. Rows go by powers of two: a row costs little."""
        rows = 1 << (rows - 1).bit_length()
        length = -(-length // self._length_step) * self._length_step
        return StepShape(min(rows, self._keys.shape[1]), min(length, self._longest))

    def _logits(self, shape: StepShape) -> Tensor:
        if self._recorder is None:
            return self._compute(shape)
        return self._recorder.run(shape, partial(self._compute, shape))

    def _compute(self, shape: StepShape) -> Tensor:
        """Compute logits [rows, vocabulary] of `_inputs`. Python knows no sequence's length."""
        decoder = self._decoder
        tokens, positions, targets = self._inputs[:, : shape.rows]
        x = decoder.embed(tokens)[:, None]
        rope = RotaryEmbedding(
            positions[:, None], decoder.config.head_dim, decoder.config.rope_theta, x.dtype
        )
        visible = torch.arange(shape.length, device=x.device) <= positions[:, None, None, None]
        # An additive mask for all layers: from a boolean one, each layer would make its own.
        mask = torch.zeros(visible.shape, dtype=self._keys.dtype, device=x.device)
        mask.masked_fill_(~visible, -torch.inf)
        new = torch.arange(shape.rows, device=x.device), slice(None), targets
        for layer, keys, values in zip(decoder.layers, self._keys, self._values, strict=True):
            cache = _StaticLayer(keys[: shape.rows], values[: shape.rows], new, shape.length)
            x = run_to_end(layer(x, rope, cache, mask))
        logits: Tensor = decoder.head(decoder.norm(x[:, -1]))
        return logits.float()


class _StaticLayer:
    """One layer's keys and values in a static step: the `LayerCache` of `DecoderAttention`."""

    def __init__(self, keys: Tensor, values: Tensor, new: Any, length: int) -> None:
        """Take keys and values [rows, kv_heads, positions, head_dim], and the new ones' index."""
        self._keys, self._values, self._new, self._length = keys, values, new, length

    def attend(self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, **_: bool) -> Tensor:
        """Store the new keys and values, and attend from `q` [rows, heads, 1, head_dim].

        The mask rules out flash attention, which takes none.
        """
        self._keys[self._new] = k[:, :, 0].to(self._keys.dtype)
        self._values[self._new] = v[:, :, 0].to(self._values.dtype)
        keys, values = self._keys[:, :, : self._length], self._values[:, :, : self._length]
        return grouped_attention(q.to(keys.dtype), keys, values, mask)


class CapturedGraph(NamedTuple):
    """A graph, and the tensor that each replay writes its result to."""

    graph: torch.cuda.CUDAGraph
    result: Tensor


class GraphRecorder:
    """The CUDA graphs of one GPU. They share memory: only one is replayed at a time.

    A computation reads its input from tensors whose addresses never change. Its result must be read
    before the next replay of any graph.
    """

    def __init__(self, device: torch.device) -> None:
        self._device = device
        with torch.cuda.device(device):
            self._pool = torch.cuda.graph_pool_handle()
            self._stream = torch.cuda.Stream()  # type: ignore[no-untyped-call]
        self._graphs: dict[Hashable, CapturedGraph] = {}

    def run(self, key: Hashable, compute: Callable[[], Tensor]) -> Tensor:
        """Return the result of a computation, which is recorded when its key is new.

        Recording runs it several times, so it must not matter how often it runs.
        """
        with torch.cuda.device(self._device):
            if key not in self._graphs:
                self._graphs[key] = self._record(compute)
            captured = self._graphs[key]
            captured.graph.replay()
        return captured.result

    def _record(self, compute: Callable[[], Tensor]) -> CapturedGraph:
        graph, current = torch.cuda.CUDAGraph(), torch.cuda.current_stream()
        self._stream.wait_stream(current)
        with torch.cuda.stream(self._stream):
            for _ in range(WARM_UPS):
                compute()
        current.wait_stream(self._stream)
        # thread_local: other threads may use the GPU meanwhile without breaking the recording.
        with torch.cuda.graph(graph, self._pool, self._stream, "thread_local"):
            result = compute()
        return CapturedGraph(graph, result)
