"""8-bit layers in every layout, with native kernels and without, and what else takes one pass."""

from pathlib import Path
from typing import NamedTuple

import pytest
import torch
from torch import nn
from torch.nn import functional as F  # noqa: N812

from tests.hardware import processors
from tests.hardware.processors import processor
from voxgate.voxtral.kernels import dispatch, onednn, ops
from voxgate.voxtral.layers import RMSNorm, SwiGLUGate
from voxgate.voxtral.quantization import int8
from voxgate.voxtral.quantization.int8 import (
    Epilogue,
    Int8Layout,
    Int8Linear,
    int8_format,
    int8_layout,
)

needs_kernels = pytest.mark.skipif(
    not ops.is_available(), reason=f"no native kernels: {ops.why_unavailable()}"
)


class Processor(NamedTuple):
    """What a processor without VNNI, or a PyTorch without oneDNN, has for 8 bits."""

    levels: int | None  # of oneDNN's product
    kernels: bool
    layout: Int8Layout


PROCESSORS = {
    "no VNNI": Processor(63, True, "panels"),
    "no oneDNN": Processor(None, True, "panels"),
    "no VNNI, no kernels": Processor(63, False, "onednn"),
    "no oneDNN, no kernels": Processor(None, False, "rows"),
}
"""Others than the one of this machine. Fewer levels than it has are right on it, too."""


def use_processor(other: Processor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onednn, "int8_levels", lambda: other.levels)
    if other.levels is None:
        monkeypatch.setattr(onednn, "can_restore", lambda: False)
    if not other.kernels:
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)


@pytest.fixture(
    params=[
        "this",
        "this, no kernels",
        *(pytest.param(name, marks=needs_kernels) for name in ("no VNNI", "no oneDNN")),
        "no VNNI, no kernels",
        "no oneDNN, no kernels",
    ]
)
def _processor(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """This machine's processor, or another."""
    if request.param in PROCESSORS:
        use_processor(PROCESSORS[request.param], monkeypatch)
    elif "no kernels" in request.param:
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)


@pytest.fixture(params=[True, False], ids=["native", "torch"])
def _kernels(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    if not request.param:
        monkeypatch.setattr(dispatch, "native_ops", lambda: None)


def drawn(*shape: int, seed: int = 3) -> torch.Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


@needs_kernels
def test_each_layout_has_a_name_of_its_own() -> None:
    """By which caches on one disk are told apart."""
    formats = {}
    for name, other in PROCESSORS.items():
        with pytest.MonkeyPatch.context() as patch:
            use_processor(other, patch)
            formats[name] = int8_format()
            stored = Int8Linear.pack(drawn(70, 100))
        assert ("order" in stored) == (other.layout == "onednn")
        assert ("rows" in stored) == (other.layout == "rows")
    assert formats["no VNNI"] == formats["no oneDNN"] == "panels"
    assert len(set(formats.values())) == 3


@needs_kernels
@pytest.mark.parametrize(
    ("flags", "layout"),
    [
        (processors.ALDER_LAKE, "panels"),  # VNNI, in vectors for which oneDNN is the slower one
        (processors.CASCADE_LAKE, "onednn"),
        (processors.SAPPHIRE_RAPIDS, "onednn"),
        (processors.GRAVITON_3, "panels"),
    ],
)
def test_onednn_multiplies_where_it_is_fast(
    flags: str, layout: Int8Layout, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(onednn, "int8_levels", lambda: 127)
    monkeypatch.setattr(onednn, "can_restore", lambda: True)
    with processor(flags, tmp_path):
        assert int8_layout() == layout


@needs_kernels
@pytest.mark.parametrize("tokens", [11, 96, 385])
def test_a_prompt_is_the_same_by_whoever_is_faster(
    tokens: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A trial decides between the native kernel and oneDNN: it may not decide what is said."""
    module = Int8Linear({**Int8Linear.pack(drawn(320, 192)), "bias": drawn(320, seed=4)})
    x = drawn(tokens, 192, seed=5)
    x[:, 7] *= 40
    results = []
    for faster in (True, False):
        monkeypatch.setattr(int8, "_is_kernel_faster", lambda faster=faster: faster)
        results.append(module(x))
    assert torch.equal(*results)


@pytest.mark.usefixtures("_processor")
@pytest.mark.parametrize("shape", [(70, 100), (128, 192)], ids=str)
def test_any_number_of_tokens_gives_each_what_it_gets_alone(shape: tuple[int, int]) -> None:
    weight, bias, x = drawn(*shape), drawn(shape[0], seed=4), drawn(40, shape[1], seed=5)
    module = Int8Linear({**Int8Linear.pack(weight), "bias": bias})
    together, expected = module(x), F.linear(x, weight, bias)
    assert float((together - expected).norm() / expected.norm()) <= 0.02
    exact = module.weight is not None or module.panel_weight is not None  # sums of integers
    for rows in (1, 3, 10, 11, 16, 40):
        ours = module(x[:rows])
        assert torch.allclose(ours, together[:rows], atol=1e-4)
        assert torch.equal(ours, together[:rows]) or not exact


@pytest.mark.usefixtures("_processor")
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
@pytest.mark.parametrize("tokens", [1, 37])
def test_a_map_ends_with_its_epilogue(tokens: int, gelu: bool, dtype: torch.dtype) -> None:
    x, bias = drawn(2, tokens, 64), drawn(96, seed=4)
    plain = Int8Linear({**Int8Linear.pack(drawn(96, 64, seed=5)), "bias": bias})
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
