"""What follows a product, with native kernels and without, and what else takes one pass."""

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from voxgate.voxtral.kernels import dispatch
from voxgate.voxtral.layers import RMSNorm, SwiGLUGate
from voxgate.voxtral.quantization.int8 import Epilogue, Int8Linear


@pytest.fixture(params=[True, False], ids=["native", "torch"])
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [1, 37])
def test_a_map_ends_with_its_epilogue(tokens: int, gelu: bool, dtype: torch.dtype) -> None:
    torch.manual_seed(3)
    x, bias = torch.randn(2, tokens, 64), torch.randn(96)
    plain = Int8Linear({**Int8Linear.pack(torch.randn(96, 64)), "bias": bias})
    expected = plain(x)
    plain.epilogue = Epilogue(gelu, dtype)
    ours = plain(x)
    assert ours.dtype == dtype
    expected = F.gelu(expected) if gelu else expected
    torch.testing.assert_close(ours, expected.to(dtype), rtol=1e-2 if gelu else 1e-6, atol=1e-6)


@pytest.mark.usefixtures("_kernels")
@pytest.mark.parametrize("module", [RMSNorm(80, 1e-5), SwiGLUGate()])
def test_what_is_fused_computes_the_same(module: nn.Module) -> None:
    torch.manual_seed(3)
    inputs = torch.randn(2, 3, 160).chunk(2, dim=-1)[: 2 if isinstance(module, SwiGLUGate) else 1]
    expected = module(*inputs)
    module.fused = True  # type: ignore[assignment]
    with torch.inference_mode():
        torch.testing.assert_close(module(*inputs), expected)
    module.fused = False  # type: ignore[assignment]
