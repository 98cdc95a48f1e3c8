"""The decoder: the language model over audio and text embeddings (voxtral-model.md A.4).

Llama's: RMSNorm, grouped-query attention with rotary positions, SwiGLU, no bias anywhere. It knows
embeddings, positions and slots of a cache; not tokens' meaning.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, cast

import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral import attention
from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.layers import RMSNorm, RotaryEmbedding, SwiGLUGate
from voxgate.voxtral.quantization.linear import LinearGroup
from voxgate.voxtral.resumable import Resumable, run_to_end
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Sequence

    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import DecoderConfig
    from voxgate.voxtral.kv_cache import KVCache


class Decoder(nn.Module):
    """Embeddings [slots, new, width] to logits of each slot's next token [slots, vocabulary]."""

    def __init__(self, config: DecoderConfig) -> None:
        super().__init__()
        self.config = config
        # Given its weights, it draws none: that alone would load PyTorch's compiler, for 2 s.
        self.embeddings = nn.Embedding(
            config.vocabulary, config.width, _weight=torch.empty(config.vocabulary, config.width)
        )
        self.layers = nn.ModuleList(DecoderLayer(config) for _ in range(config.layers))
        self.norm = RMSNorm(config.width, config.norm_eps)
        self.head = nn.Linear(config.width, config.vocabulary, bias=False)

    @property
    def dtype(self) -> torch.dtype:
        """Of what goes from layer to layer: its norms', whatever the matrices are held in."""
        return self.norm.weight.dtype

    def embed(self, tokens: Tensor) -> Tensor:
        """Embeddings [n, width] of tokens [n]."""
        found: Tensor = self.embeddings(tokens)
        return found.to(self.dtype)

    def forward(self, x: Tensor, cache: KVCache, slots: Sequence[int]) -> Tensor:
        """Compute at once."""
        return run_to_end(self.steps(x, cache, slots))

    def steps(self, x: Tensor, cache: KVCache, slots: Sequence[int]) -> Resumable[Tensor]:
        """Put `new` positions behind what each slot holds, with two steps for each layer.

        Returns float32 logits. A slot holds the new positions only when all layers are done.
        Raises `UsageError` for a slot without room for them.
        """
        new = x.shape[1]
        cache.reserve(slots, new)
        starts = upload(torch.tensor([cache.lengths[slot] for slot in slots]), x.device)
        positions = starts[:, None] + torch.arange(new, device=x.device)
        rope = RotaryEmbedding(positions, self.config.head_dim, self.config.rope_theta, x.dtype)
        length = max(cache.lengths[slot] for slot in slots) + new
        mask = _mask(positions, length)
        for number, layer in enumerate(self.layers):
            yield
            of_layer = _LayerCache(cache, number, slots, length)
            x = yield from cast("DecoderLayer", layer).steps(x, rope, of_layer, mask)
        cache.advance(slots, new)
        logits: Tensor = self.head(self.norm(x[:, -1]))  # only the last position says what is next
        return logits.float()


class DecoderLayer(nn.Module):
    """Attention, then SwiGLU, each on a normed copy and added back."""

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
        self, x: Tensor, rope: RotaryEmbedding, cache: _LayerCache, mask: Tensor | None
    ) -> Tensor:
        """[slots, new, width] to the same."""
        return run_to_end(self.steps(x, rope, cache, mask))

    def steps(
        self, x: Tensor, rope: RotaryEmbedding, cache: _LayerCache, mask: Tensor | None
    ) -> Resumable[Tensor]:
        """The same, with a pause after attention, as the encoder's layers have."""
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
        self.compute: torch.dtype | None = None  # of `attention.causal`; None: PyTorch's, as x

    def forward(
        self, x: Tensor, rope: RotaryEmbedding, cache: _LayerCache, mask: Tensor | None
    ) -> Tensor:
        """[slots, new, width] to the same; the new keys and values stay in the cache."""
        q, k, v = (self._divided(part) for part in self.qkv(x))
        q, k = rope.turn(q, self.compute), rope.turn(k, self.compute)
        mixed = cache.attended(q, k, v, mask, ours=self.compute is not None)
        out: Tensor = self.out(mixed.transpose(1, 2).flatten(2).to(x.dtype))
        return out

    def _divided(self, x: Tensor) -> Tensor:
        """[slots, new, heads * head_dim] to [slots, heads, new, head_dim]."""
        return x.view(*x.shape[:2], -1, self.head_dim).transpose(1, 2)


class _LayerCache:
    """One layer's part of some slots, up to a length."""

    def __init__(self, cache: KVCache, layer: int, slots: Sequence[int], length: int) -> None:
        self._cache, self._layer, self._slots, self._length = cache, layer, slots, length

    def attended(
        self, q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None, *, ours: bool
    ) -> Tensor:
        """Queries [slots, heads, new, head_dim] over keys and values, these new ones among them.

        `ours` asks for attention of our own where there is one: the native kernel's, else by heads
        for a sequence from its beginning. With PyTorch's, slots that take one position each are
        looked at one by one on a processor: nothing is copied to bring them together, nothing is
        computed for the longest one's sake, and each has the very bits that it has alone.
        """
        self._cache.write(self._layer, self._slots, keys, values)
        q = q.to(self._cache.keys.dtype)
        if ours and dispatch.supports_attention(q):
            return self._native(q)
        if ours and mask is None and q.shape[2] > 1:
            return attention.causal_attention(q, *self._read(self._slots, self._length))
        if q.shape[2] == 1 and q.device.type == "cpu":
            alone = [
                _attend(q[row : row + 1], *self._read([slot], self._cache.lengths[slot] + 1), None)
                for row, slot in enumerate(self._slots)
            ]
            return torch.cat(alone)
        return _attend(q, *self._read(self._slots, self._length), mask)

    def _read(self, slots: Sequence[int], length: int) -> tuple[Tensor, Tensor]:
        return self._cache.read(self._layer, slots, length)

    def _native(self, q: Tensor) -> Tensor:
        """Attention of the new positions' queries by the native kernel, where the keys lie."""
        cache, slots = self._cache, list(self._slots)
        out: Tensor = dispatch.native_ops().attention(
            q, cache.keys[self._layer], cache.values[self._layer],
            slots=slots, lengths=[cache.lengths[slot] + q.shape[2] for slot in slots], causal=True,
        )  # fmt: skip
        return out


def _mask(positions: Tensor, length: int) -> Tensor | None:
    """Which of the first `length` positions each new one sees, [slots, 1, new, length].

    None stands for two plain cases: a sequence from its beginning, of which each position sees
    what came before it, and one new position for each of equally long slots, which sees all.
    """
    _, new = positions.shape
    if new == length or (new == 1 and bool((positions == length - 1).all())):
        return None
    return torch.arange(length, device=positions.device) <= positions[:, None, :, None]


def _attend(q: Tensor, keys: Tensor, values: Tensor, mask: Tensor | None) -> Tensor:
    """Queries [slots, heads, new, head_dim] over keys and values; the shape of the queries."""
    slots, heads, new, head_dim = q.shape
    if mask is None and new > 1:
        return F.scaled_dot_product_attention(q, keys, values, is_causal=True, enable_gqa=True)
    # Queries that share a key become rows of one: the keys need not be repeated for each.
    group = heads // keys.shape[1]
    rows = q.reshape(slots, -1, group * new, head_dim)  # [slots, kv_heads, …]
    seen = None if mask is None else mask.repeat(1, 1, group, 1)
    mixed = F.scaled_dot_product_attention(rows, keys, values, attn_mask=seen)
    return mixed.reshape(slots, heads, new, head_dim)
