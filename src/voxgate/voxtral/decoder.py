"""The decoder: the language model over audio and text embeddings (voxtral-model.md A.4).

The architecture is Llama's: RMSNorm, grouped-query attention with rotary positions, SwiGLU, no
biases. It knows embeddings, positions and cache slots, and nothing about the meaning of tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn

from voxgate.voxtral.attention import causal_attention_by_head, causal_mask, grouped_attention
from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.layers import RMSNorm, RotaryEmbedding, SwiGLUGate
from voxgate.voxtral.quantization.linear import LinearGroup
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Protocol

    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import DecoderConfig
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.resumable import Resumable

    class LayerCache(Protocol):
        """One layer's keys and values of some slots."""

        def attend(
            self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, by_head: bool
        ) -> Tensor:
            """Store the new keys and values; attend from `q` to them and to the earlier ones."""


PIECE_POSITIONS = 512
"""The most positions that a pass through the layers appends to a slot.

More are appended in several passes, so that the steps of a question of thousands of positions take
as long as those of a window, whose prompt is one pass.
"""


class Decoder(nn.Module):
    """Embeddings [slots, new, width] to logits of each slot's next token [slots, vocabulary]."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        # With `_weight` it draws no random weights: drawing loads PyTorch's compiler, for 2 s.
        self.embeddings = nn.Embedding(
            config.vocabulary, config.width, _weight=torch.empty(config.vocabulary, config.width)
        )
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the activations: that of the norms, whatever the matrices are stored in."""
        return self.norm.weight.dtype

    def embed(self, tokens: Tensor) -> Tensor:
        """Return the embeddings [n, width] of tokens [n]."""
        rows: Tensor = self.embeddings(tokens)
        return rows.to(self.dtype)

    def forward(self, x: Tensor, cache: KVCache, slots: Sequence[int]) -> Resumable[Tensor]:
        """Append `new` positions to each slot, with two pauses for each layer and piece.

        Returns float32 logits. The slots' lengths grow when all layers have appended a piece.
        Raises `UsageError` for a slot without room for the new positions.
        """
        cache.check_room(slots, x.shape[1])
        for piece in torch.split(x, PIECE_POSITIONS, dim=1):
            starts = [cache.lengths[slot] for slot in slots]
            hidden = yield from self._pass(piece, cache, slots, starts)
            cache.advance(slots, piece.shape[1])
        return self._logits(hidden[:, -1])  # of the last position only

    def check(self, x: Tensor, cache: KVCache, counts: Mapping[int, int]) -> Resumable[Tensor]:
        """Write `counts[slot]` positions after the end of each slot; return the logits of each.

        `x` is [positions, width], the positions of one slot after those of another, and the logits
        are [positions, vocabulary]. Each position is computed as `forward` computes a single one.
        The slots' lengths do not change: `KVCache.advance` counts the positions that stay. Raises
        `UsageError` for a slot without room.
        """
        for slot, count in counts.items():
            cache.check_room([slot], count)
        places = [
            (slot, cache.lengths[slot] + number)
            for slot, count in counts.items()
            for number in range(count)
        ]
        slots, starts = [slot for slot, _ in places], [start for _, start in places]
        hidden = yield from self._pass(x[:, None], cache, slots, starts)
        return self._logits(hidden[:, -1])

    def _logits(self, hidden: Tensor) -> Tensor:
        logits: Tensor = self.head(self.norm(hidden))
        return logits.float()

    def _pass(
        self, x: Tensor, cache: KVCache, slots: Sequence[int], starts: Sequence[int]
    ) -> Resumable[Tensor]:
        """Write positions from each of `starts` on; return what the last layer makes of them."""
        new = x.shape[1]
        first = upload(torch.tensor([*starts]), x.device)
        positions = first[:, None] + torch.arange(new, device=x.device)
        rope = RotaryEmbedding(positions, self.config.head_dim, self.config.rope_theta, x.dtype)
        mask = causal_mask(positions, max(starts) + new)
        for number, layer in enumerate(self.layers):
            yield
            layer_cache = _SlotsOfLayer(cache, number, slots, starts)
            x = yield from layer(x, rope, layer_cache, mask)
        return x


class DecoderLayer(nn.Module):
    """Attention, then SwiGLU, each on a normalized copy and added back."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.attention_norm = RMSNorm(config.width, config.norm_eps)
        self.attention = DecoderAttention(config)
        self.ffn_norm = RMSNorm(config.width, config.norm_eps)
        self.gate_up = LinearGroup(
            gate=nn.Linear(config.width, config.ffn_width, bias=False),
            up=nn.Linear(config.width, config.ffn_width, bias=False),
        )
        self.gate = SwiGLUGate()
        self.down = nn.Linear(config.ffn_width, config.width, bias=False)

    def forward(
        self, x: Tensor, rope: RotaryEmbedding, cache: LayerCache, mask: Tensor | None
    ) -> Resumable[Tensor]:
        """[slots, new, width] to the same, with a pause after attention."""
        x = self.attention(self.attention_norm(x), rope, cache, mask).add_(x)
        yield
        gate, up = self.gate_up(self.ffn_norm(x))
        out: Tensor = self.down(self.gate(gate, up)).add_(x)
        return out


class DecoderAttention(nn.Module):
    """Grouped-query attention: `heads / kv_heads` queries share a key and a value."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.head_dim = config.head_dim
        inner, shared = config.heads * config.head_dim, config.kv_heads * config.head_dim
        self.qkv = LinearGroup(
            q=nn.Linear(config.width, inner, bias=False),
            k=nn.Linear(config.width, shared, bias=False),
            v=nn.Linear(config.width, shared, bias=False),
        )
        self.out = nn.Linear(inner, config.width, bias=False)
        # The dtype of native and by-head attention; None uses PyTorch's in the dtype of x.
        self.attention_dtype: torch.dtype | None = None

    def forward(
        self, x: Tensor, rope: RotaryEmbedding, cache: LayerCache, mask: Tensor | None
    ) -> Tensor:
        """[slots, new, width] to the same. The new keys and values stay in the cache."""
        q, k, v = (self._split_heads(part) for part in self.qkv(x))
        q, k = rope.rotate(q, self.attention_dtype), rope.rotate(k, self.attention_dtype)
        mixed = cache.attend(q, k, v, mask, by_head=self.attention_dtype is not None)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2).to(x.dtype))
        return out

    def _split_heads(self, x: Tensor) -> Tensor:
        """[slots, new, heads * head_dim] to [slots, heads, new, head_dim]."""
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)


class _SlotsOfLayer:
    """One layer's keys and values of some slots, each with the position of its first new ones.

    A slot that is named several times has a new position each: an earlier one does not attend to a
    later one.
    """

    def __init__(
        self, cache: KVCache, layer: int, slots: Sequence[int], starts: Sequence[int]
    ) -> None:
        self._cache, self._layer, self._slots, self._starts = cache, layer, slots, starts

    def attend(
        self, q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None, *, by_head: bool
    ) -> Tensor:
        """Store the new keys and values, and attend from `q` [slots, heads, new, head_dim].

        With `by_head`, uses the native kernel, or `causal_attention_by_head` for several positions
        of equally long slots. With PyTorch's attention on a CPU, slots that get one position each
        are computed one by one: nothing is copied to gather them, nothing is padded to the longest,
        and each result has the same bits as when the slot is computed alone.
        """
        self._cache.write(self._layer, self._slots, k, v, self._starts)
        q = q.to(self._cache.keys.dtype)
        lengths = [start + q.shape[2] for start in self._starts]
        if by_head and dispatch.supports_attention(q):
            return self._native(q, lengths)
        if by_head and len(set(lengths)) == 1 and q.shape[2] > 1:
            return causal_attention_by_head(q, *self._read(self._slots, lengths[0]))
        if q.shape[2] == 1 and q.device.type == "cpu":
            return torch.cat(
                [
                    grouped_attention(q[row : row + 1], *self._read([slot], length), None)
                    for row, (slot, length) in enumerate(zip(self._slots, lengths, strict=True))
                ]
            )
        return grouped_attention(q, *self._read(self._slots, max(lengths)), mask)

    def _read(self, slots: Sequence[int], length: int) -> tuple[Tensor, Tensor]:
        return self._cache.read(self._layer, slots, length)

    def _native(self, q: Tensor, lengths: Sequence[int]) -> Tensor:
        """Attend with the native kernel, which reads keys and values in place."""
        out: Tensor = dispatch.native_ops().attention(
            q, self._cache.keys[self._layer], self._cache.values[self._layer],
            slots=self._slots, lengths=lengths, causal=True,
        )  # fmt: skip
        return out
