"""Attention of the quantised profiles, on a processor, one head after the other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

from voxgate.voxtral.kernels import dispatch

if TYPE_CHECKING:
    from torch import Tensor

QUERY_TILE = 512  # positions whose weights are there at once: what comes later is not computed


def full_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) v, [chunks, heads, frames, head_dim] of any one type.

    One head at a time: its weights stay in the cache between both products. That takes
    two thirds of the time of PyTorch's fused attention in bf16 (docs/log.md).
    """
    if dispatch.supports_attention(q):
        native: Tensor = dispatch.native_ops().attention(q, k, v)
        return native
    # In bf16 a product is rounded to 8 bits, which a large one feels. What all keys have in common
    # adds the same to each of a query's products, and softmax does not see it: it goes before.
    k = k - k.mean(dim=2, keepdim=True)
    q = q * q.shape[-1] ** -0.5
    mixed = torch.empty_like(q)
    for chunk in range(len(q)):
        for head in range(q.shape[1]):
            weights = q[chunk, head] @ k[chunk, head].T
            mixed[chunk, head] = torch.softmax(weights, -1, out=weights) @ v[chunk, head]
    return mixed


def causal_attention(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """The same of a sequence whose positions see what is before them, and themselves.

    `q` [slots, heads, new, head_dim] over `k` and `v` [slots, kv_heads, new, head_dim]: queries
    that share a key and a value become rows of one product.
    """
    slots, heads, new, width = q.shape
    group = heads // k.shape[1]
    queries = (q * width**-0.5).view(slots, -1, group, new, width)
    later = torch.full((QUERY_TILE, QUERY_TILE), -torch.inf, dtype=q.dtype).triu_(1)
    mixed = torch.empty_like(queries)
    for slot in range(slots):
        for head in range(k.shape[1]):
            for start in range(0, new, QUERY_TILE):
                end = min(start + QUERY_TILE, new)
                rows = queries[slot, head, :, start:end].reshape(-1, width)
                weights = rows @ k[slot, head, :end].T
                own = weights.view(group, end - start, end)[:, :, start:]
                own += later[: end - start, : end - start]
                tile = torch.softmax(weights, -1, out=weights) @ v[slot, head, :end]
                mixed[slot, head, :, start:end] = tile.view(group, -1, width)
    return mixed.view(q.shape)
