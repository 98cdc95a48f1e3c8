"""Attention: softmax(q kᵀ / √d) v, for the encoder and the decoder.

`grouped_attention` calls PyTorch's fused kernel; it serves the profile `exact` and GPUs. The
`*_by_head` functions serve the quantized profiles on a CPU. They compute one head at a time.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.voxtral.kernels import dispatch, onednn

if TYPE_CHECKING:
    from torch import Tensor

QUERY_TILE = 512  # queries per product: keys after the tile's last query are not computed

MAX_WEIGHTS = 2**23
"""Attention weights computed at once, so that long sequences take little memory: 32 MB as float32.
A window, at most 2048 rows by 512 keys, is never divided by it."""


def grouped_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor | None) -> Tensor:
    """Grouped-query attention: `heads / kv_heads` queries share a key and a value.

    `q` [slots, heads, new, head_dim] over `k` and `v` [slots, kv_heads, length, head_dim]; returns
    the shape of `q`. `mask` is boolean or additive, broadcastable to [slots, 1, new, length]. None
    means causal attention for several queries, and all keys for one.
    """
    slots, heads, new, head_dim = q.shape
    if mask is None and new > 1:
        return F.scaled_dot_product_attention(q, k, v, is_causal=True, enable_gqa=True)
    # Queries that share a key become rows of one product, so that keys are not repeated. With a
    # mask, `enable_gqa` has no fused kernel and falls back to one that repeats the keys.
    group = heads // k.shape[1]
    if mask is None or new == 1:
        rows = q.reshape(slots, -1, group * new, head_dim)  # [slots, kv_heads, …]
        return F.scaled_dot_product_attention(rows, k, v, attn_mask=mask).reshape(q.shape)
    size = _tile(group, k)
    tiles = zip(torch.split(q, size, dim=2), torch.split(mask, size, dim=2), strict=True)
    return torch.cat([_masked_attention(tile, k, v, of) for tile, of in tiles], dim=2)


def _masked_attention(q: Tensor, k: Tensor, v: Tensor, mask: Tensor) -> Tensor:
    """Grouped-query attention of several queries, each with a row of the mask."""
    group = q.shape[1] // k.shape[1]
    rows = q.reshape(q.shape[0], k.shape[1], -1, q.shape[3])
    mixed = F.scaled_dot_product_attention(rows, k, v, attn_mask=mask.repeat(1, 1, group, 1))
    return mixed.reshape(q.shape)


def _tile(group: int, k: Tensor) -> int:
    """Return how many queries, each of `group` rows, attend to these keys at once."""
    return max(1, min(QUERY_TILE, MAX_WEIGHTS // (group * k.shape[2])))


def causal_mask(positions: Tensor, length: int) -> Tensor | None:
    """Return the boolean mask [slots, 1, new, length] of new positions [slots, new].

    A position attends to itself and to earlier ones. Returns None for the two cases that need no
    mask: a sequence from its start, which is causal, and one new position for each of equally long
    slots, which attends to all.
    """
    _, new = positions.shape
    if new == length or (new == 1 and bool((positions == length - 1).all())):
        return None
    return torch.arange(length, device=positions.device) <= positions[:, None, :, None]


def attention_dtype(*head_dims: int) -> torch.dtype:
    """Return the type of queries, keys and values by head on this processor.

    bfloat16 where the native kernel attends: it computes in float32 on a processor without
    bfloat16, and a cache takes half the memory. Else the type in which PyTorch's products are
    fastest.
    """
    native = all(map(dispatch.supports_heads, head_dims))
    return torch.bfloat16 if native else onednn.many_rows_dtype()


def full_attention_by_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend to every position: [chunks, heads, frames, head_dim] of one dtype to the same.

    Without a native kernel, one head at a time: its weights stay in the CPU's cache between both
    products. That takes two thirds of the time of PyTorch's fused attention in bf16 (docs/log.md).
    """
    if dispatch.supports_attention(q):
        native: Tensor = dispatch.native_ops().attention(q, k, v)
        return native
    # In bf16 a product is rounded to 8 bits, so large products lose precision. What all keys have
    # in common adds the same to each of a query's products, and softmax ignores it: subtract it.
    k = k - k.mean(dim=2, keepdim=True)
    q = q * q.shape[-1] ** -0.5
    mixed = torch.empty_like(q)
    for chunk in range(len(q)):
        for head in range(q.shape[1]):
            weights = q[chunk, head] @ k[chunk, head].T
            mixed[chunk, head] = torch.softmax(weights, -1, out=weights) @ v[chunk, head]
    return mixed


def causal_attention_by_head(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """Attend to all earlier positions and to itself.

    `q` [slots, heads, new, head_dim], the last positions of `k` and `v` [slots, kv_heads, length,
    head_dim]. Queries that share a key and a value become rows of one product.
    """
    slots, heads, new, width = q.shape
    group, past = heads // k.shape[1], k.shape[2] - new
    tile = _tile(group, k)
    queries = (q * width**-0.5).view(slots, -1, group, new, width)
    mask = torch.full((tile, tile), -torch.inf, dtype=q.dtype).triu_(1)
    mixed = torch.empty_like(queries)
    for slot in range(slots):
        for head in range(k.shape[1]):
            for start in range(0, new, tile):
                end = min(start + tile, new)
                rows = queries[slot, head, :, start:end].reshape(-1, width)
                weights = rows @ k[slot, head, : past + end].T
                diagonal = weights.view(group, end - start, -1)[:, :, past + start :]
                diagonal += mask[: end - start, : end - start]
                out = torch.softmax(weights, -1, out=weights) @ v[slot, head, : past + end]
                mixed[slot, head, :, start:end] = out.view(group, -1, width)
    return mixed.view(q.shape)
