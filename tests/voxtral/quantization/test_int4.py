"""4-bit layers of PyTorch's operators: prompts beside tokens."""

import pytest
import torch

from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.quantization.int4 import INT4_FEW_ROWS, Int4Linear


def test_a_token_of_a_prompt_has_what_it_has_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where many tokens are multiplied in float32, for want of bfloat16.

    Otherwise a model could say another word where a text is read at once than token by token.
    """
    if not onednn.has_int4_product():
        pytest.skip("there is no product of few tokens that could differ")
    monkeypatch.setattr(onednn, "many_rows_dtype", lambda: torch.float32)
    draw = torch.Generator().manual_seed(7)
    weight = torch.randn(192, 256, generator=draw)
    x = torch.randn(INT4_FEW_ROWS + 32, 256, generator=draw)
    module = Int4Linear(Int4Linear.pack(weight))
    together = module(x)
    alone = torch.cat([module(row[None]) for row in x])
    torch.testing.assert_close(together, alone, rtol=2**-7, atol=1e-4)  # a bfloat16's last bit
    assert (together == alone).float().mean() > 0.99
