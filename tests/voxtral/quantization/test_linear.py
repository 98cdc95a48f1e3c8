"""Each scheme against float32, on shapes odd and even, and what stands in for an operator."""

import os
import platform
import subprocess
import sys

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F  # noqa: N812

from voxgate.voxtral.kernels import dispatch, onednn
from voxgate.voxtral.quantization import linear
from voxgate.voxtral.quantization.profiles import Scheme

LARGEST: dict[Scheme, float] = {"int8": 0.02, "int4": 0.12}
"""Relative errors on gaussian data; half of what is measured without VNNI (63 levels)."""

SHAPES = [(1, 1), (3, 5), (31, 33), (64, 32), (128, 192), (200, 96), (384, 1000)]


def drawn(*shape: int, seed: int = 0) -> Tensor:
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed))


def off(ours: Tensor, right: Tensor) -> float:
    return float((ours - right).norm() / right.norm())


@pytest.mark.parametrize("tokens", [1, 2, 5, 33, 70])
@pytest.mark.parametrize("shape", SHAPES, ids=str)
@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_it_is_near_float32(scheme: Scheme, shape: tuple[int, int], tokens: int) -> None:
    weight, bias, x = drawn(*shape), drawn(shape[0], seed=1), drawn(tokens, shape[1], seed=2)
    module = linear.from_arrays(scheme, linear.quantize(scheme, [weight], [bias]))
    right = F.linear(x, weight, bias)
    assert module(x).dtype == torch.float32
    assert off(module(x) - bias, right - bias) <= LARGEST[scheme] * (
        3 if weight.numel() < 99 else 1
    )


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_a_tokens_result_does_not_depend_on_its_company(scheme: Scheme) -> None:
    module = linear.from_arrays(scheme, linear.quantize(scheme, [drawn(96, 64)], [None]))
    x = drawn(7, 64)
    x[3] *= 1000  # an outlier, which would coarsen the others' steps if they shared a scale
    together = module(x)
    for row, alone in zip(x, together, strict=True):
        # Each kernel is deterministic; of 4 bits there are two, for few tokens and for many.
        assert torch.allclose(
            module(row[None])[0], alone, rtol=0, atol=1e-5 * float(alone.abs().max())
        )


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_maps_of_one_input_are_one_product(scheme: Scheme) -> None:
    weights, x = [drawn(48, 64, seed=n) for n in range(3)], drawn(2, 9, 64, seed=7)
    bias = drawn(48, seed=8)
    whole = linear.from_arrays(scheme, linear.quantize(scheme, weights, [None, bias, None]))
    joined = linear.FusedLinear(whole, [48, 48, 48])
    for n, (weight, part) in enumerate(zip(weights, joined(x), strict=True)):
        alone = linear.from_arrays(
            scheme, linear.quantize(scheme, [weight], [bias if n == 1 else None])
        )
        assert part.shape == (2, 9, 48)
        assert torch.allclose(part, alone(x), atol=0.05)


def test_zeros_stay_zeros_and_what_is_no_number_stays_none() -> None:
    module = linear.from_arrays("int8", linear.quantize("int8", [drawn(8, 64)], [None]))
    x = torch.zeros(3, 64)
    x[1, 5] = torch.nan
    out = module(x)
    assert torch.equal(out[[0, 2]], torch.zeros(2, 8))
    assert bool(out[1].isnan().all())


@pytest.mark.parametrize("scheme", ["int8", "int4"])
def test_without_private_operators_it_is_the_same_and_slow(
    scheme: Scheme, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(dispatch, "native_ops", lambda: None)
    weight, bias, x = drawn(130, 96), drawn(130, seed=1), drawn(3, 96, seed=2)
    usual = linear.from_arrays(scheme, linear.quantize(scheme, [weight], [bias]))(x)
    monkeypatch.setattr(onednn, "int8_levels", lambda: None)
    monkeypatch.setattr(onednn, "can_restore", lambda: False)
    monkeypatch.setattr(onednn, "has_int4_product", lambda: False)
    arrays = linear.quantize(scheme, [weight], [bias])
    assert off(linear.from_arrays(scheme, arrays)(x), usual) <= 0.02


def test_rows_that_were_not_packed_are_packed_when_they_are_held(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(dispatch, "native_ops", lambda: None)
    weight, x = drawn(130, 96), drawn(3, 96, seed=2)
    usual = linear.from_arrays("int8", linear.quantize("int8", [weight], [None]))(x)
    monkeypatch.setattr(onednn, "can_restore", lambda: False)
    arrays = linear.quantize("int8", [weight], [None])
    assert "rows" in arrays
    assert torch.equal(linear.from_arrays("int8", arrays)(x), usual)


@pytest.mark.skipif(not onednn.can_prepack_bf16(), reason="oneDNN has no bfloat16 here")
def test_bf16_is_packed_without_a_difference() -> None:
    plain = nn.Linear(96, 64).bfloat16()
    x = drawn(5, 96).bfloat16()
    with torch.no_grad():
        assert torch.allclose(linear.PrepackedLinear(plain)(x), plain(x), atol=0.02)


@pytest.mark.parametrize(
    "instructions",
    [
        {"ONEDNN_MAX_CPU_ISA": "AVX2"},  # no VNNI: sums overflow at full range
        {"ONEDNN_MAX_CPU_ISA": "SSE41"},
        {"ATEN_CPU_CAPABILITY": "avx2"},  # 4-bit weights lie otherwise
        {"ATEN_CPU_CAPABILITY": "default"},
    ],
    ids=str,
)
def test_an_older_processor_computes_the_same(instructions: dict[str, str]) -> None:
    done = subprocess.run(
        [sys.executable, "-c", OLDER], env=os.environ | instructions,
        check=True, capture_output=True, text=True, timeout=300,
    )  # fmt: skip
    levels, int8, int4 = done.stdout.split()
    assert levels in {"63", "127"} or platform.machine() != "x86_64"
    print(f"{instructions}: {levels} levels, errors {int8} and {int4}")
    assert float(int8) <= LARGEST["int8"]
    assert float(int4) <= LARGEST["int4"]


OLDER = """
import torch
from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.quantization import linear

dice = torch.Generator().manual_seed(0)
weight, x = torch.randn(256, 512, generator=dice), torch.randn(40, 512, generator=dice)
right = x @ weight.T
print(onednn.int8_levels())
for scheme in ("int8", "int4"):
    module = linear.from_arrays(scheme, linear.quantize(scheme, [weight], [None]))
    few = torch.cat([module(x[:9]), module(x[9:18]), module(x[18:])])
    print(max(float((each - right).norm() / right.norm()) for each in (few, module(x))))
"""
