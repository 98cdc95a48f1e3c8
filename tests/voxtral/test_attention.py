"""Attention by head and its native kernels against PyTorch's, in odd shapes."""

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from voxgate.voxtral import attention
from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.quantization import linear


def drawn(*shape: int, seed: int) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@pytest.fixture(params=["with what is here", "without native kernels"], autouse=True)
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if request.param == "without native kernels":
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.03)])
@pytest.mark.parametrize("frames", [1, 7, 130])
def test_full_attention_equals_pytorchs(frames: int, dtype: torch.dtype, tolerance: float) -> None:
    q, k, v = (drawn(2, 3, frames, 48, seed=n).to(dtype) for n in range(3))
    right = F.scaled_dot_product_attention(q.float(), k.float(), v.float())
    assert (attention.full_attention_by_head(q, k, v).float() - right).abs().max() <= tolerance


def test_a_common_component_of_keys_keeps_precision() -> None:
    q, k, v = (drawn(1, 2, 64, 32, seed=n).bfloat16() for n in range(3))
    shared = 40 * drawn(1, 2, 1, 32, seed=9).bfloat16()
    right = F.scaled_dot_product_attention(q.float(), (k + shared).float(), v.float())
    assert (attention.full_attention_by_head(q, k + shared, v).float() - right).abs().mean() <= 0.02


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.04)])
@pytest.mark.parametrize("new", [2, 385, attention.QUERY_TILE, 2 * attention.QUERY_TILE + 5])
def test_causal_attention_equals_pytorchs(new: int, dtype: torch.dtype, tolerance: float) -> None:
    q, k, v = (drawn(2, heads, new, 16, seed=n).to(dtype) for n, heads in enumerate((4, 2, 2)))
    right = F.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), is_causal=True, enable_gqa=True
    )
    assert (attention.causal_attention_by_head(q, k, v).float() - right).abs().max() <= tolerance


@pytest.mark.parametrize(("dtype", "tolerance"), [(torch.float32, 2e-5), (torch.bfloat16, 0.04)])
@pytest.mark.parametrize(("past", "new"), [(1, 2), (700, 130), (5, 521), (9000, 512)])
def test_later_positions_attend_to_the_earlier_ones(
    past: int, new: int, dtype: torch.dtype, tolerance: float
) -> None:
    """By head and with a mask; the longest is computed in tiles."""
    length = past + new
    k, v = (drawn(2, 2, length, 16, seed=n).to(dtype) for n in (1, 2))
    q = drawn(2, 4, new, 16, seed=3).to(dtype)
    mask = attention.causal_mask(torch.arange(past, length).expand(2, -1), length)
    right = F.scaled_dot_product_attention(
        q.float(), k.float(), v.float(), attn_mask=mask, enable_gqa=True
    )
    assert (attention.causal_attention_by_head(q, k, v).float() - right).abs().max() <= tolerance
    assert (attention.grouped_attention(q, k, v, mask).float() - right).abs().max() <= tolerance


def test_four_bits_are_near_whatever_computes_them() -> None:
    weight, x = drawn(70, 96, seed=1), drawn(5, 96, seed=2)
    module = linear.from_arrays("int4", linear.quantize("int4", [weight], [None]))
    assert (module(x) - x @ weight.T).norm() <= 0.12 * (x @ weight.T).norm()
