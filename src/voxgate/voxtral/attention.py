"""Attention of the quantised profiles, on a processor: every position sees every other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch

if TYPE_CHECKING:
    from torch import Tensor


def full(q: Tensor, k: Tensor, v: Tensor) -> Tensor:
    """softmax(q kᵀ / √d) v, [chunks, heads, frames, head_dim] of any one type.

    One head at a time, whose weights stay in the cache between both products: two thirds of the
    time of PyTorch's fused attention in bf16, which is built for other shapes (docs/log.md).
    """
    # In bf16 a product is rounded to 8 bits, which a large one feels. What all keys have in common
    # adds the same to each of a query's products, and softmax does not see it: it goes before.
    k = k - k.mean(dim=2, keepdim=True)
    q = q * q.shape[-1] ** -0.5
    mixed = torch.empty_like(q)
    for chunk, *rows in zip(mixed, q, k, v, strict=True):
        for out, *head in zip(chunk, *rows, strict=True):
            _one(*head, out)
    return mixed


def _one(q: Tensor, k: Tensor, v: Tensor, out: Tensor) -> None:
    """One head's, [frames, head_dim], put into `out`."""
    weights = q @ k.T
    out.copy_(torch.softmax(weights, -1, out=weights) @ v)
