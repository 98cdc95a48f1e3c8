"""The native kernels against PyTorch, on odd shapes. Where there are none, that is said instead."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from voxgate.errors import UsageError
from voxgate.hardware import native_kernels
from voxgate.voxtral.kernels import onednn, ops
from voxgate.voxtral.kernels.bindings import load_kernels
from voxgate.voxtral.kernels.packing import (
    Int4Weight,
    Int8Weight,
    has_kernel_layout,
    int4_packed_shape,
    int8_panels,
)
from voxgate.voxtral.layers import RotaryEmbedding
from voxgate.voxtral.quantization import linear
from voxgate.voxtral.quantization.int8 import Int8Linear, int8_layout

needs_kernels = pytest.mark.skipif(
    not ops.is_available(), reason=f"no native kernels: {ops.why_unavailable()}"
)

SEED = 20261125
DTYPES = [torch.float32, torch.bfloat16]


@pytest.fixture
def draw() -> torch.Generator:
    print(f"seed {SEED}")
    return torch.Generator().manual_seed(SEED)


@pytest.fixture(params=[1, 2, 5])
def _threads(request: pytest.FixtureRequest) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


def error(ours: Tensor, expected: Tensor) -> float:
    difference = ours.double() - expected.double()
    return float(difference.norm() / expected.double().norm())


# --- rows -----------------------------------------------------------------------------------------


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("width", [1, 15, 16, 17, 48, 128, 1283])
def test_rows_are_rounded_to_their_own_scale(
    width: int, dtype: torch.dtype, draw: torch.Generator
) -> None:
    x = torch.randn(3, 29, width, generator=draw).mul(7).to(dtype)
    q, scale = ops.quantize_rows(x)
    assert (q.dtype, q.shape, scale.shape) == (torch.uint8, x.shape, (3, 29, 1))
    torch.testing.assert_close(scale, x.float().abs().amax(-1, keepdim=True) / 127)
    whole = q.float() - 128
    assert whole.abs().amax() == 127
    assert bool(((whole * scale - x.float()).abs() <= scale * 0.501).all())


@needs_kernels
def test_rows_need_not_touch() -> None:
    x = torch.arange(60.0).reshape(4, 15)
    q, scale = ops.quantize_rows(x[:, 3:11])
    alone, alone_scale = ops.quantize_rows(x[:, 3:11].contiguous())
    assert torch.equal(q, alone)
    assert torch.equal(scale, alone_scale)


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
def test_rows_of_zeros_stay_zeros_and_what_is_no_number_stays_none(dtype: torch.dtype) -> None:
    x = torch.zeros(4, 37, dtype=dtype)
    x[1, 3], x[2, 36], x[3, 0] = 2.0, torch.inf, torch.nan
    q, scale = ops.quantize_rows(x)
    assert bool((q[0] == 128).all())
    assert scale[0] == 1
    assert q[1, 3] == 255
    assert bool(scale[2:].isnan().all())


# --- four bits ------------------------------------------------------------------------------------


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 1), (33, 31), (128, 384), (70, 100)])
def test_packing_loses_what_four_bits_lose(
    outputs: int, inputs: int, dtype: torch.dtype, draw: torch.Generator
) -> None:
    weight = torch.randn(outputs, inputs, generator=draw).to(dtype)
    packed = Int4Weight.pack(weight)
    unpacked = packed.unpack()
    assert unpacked.shape == weight.shape
    assert error(unpacked, weight) < 0.1
    # A group has 16 levels: what lies on them is kept as it is, but for its scale in bf16.
    kept = Int4Weight.pack(unpacked.to(dtype)).unpack()
    assert error(kept, unpacked) < 0.01


@needs_kernels
def test_packing_beats_plain_rounding(draw: torch.Generator) -> None:
    weight = torch.randn(256, 1024, generator=draw)
    groups = weight.reshape(256, -1, 32)
    most = groups.gather(2, groups.abs().argmax(2, keepdim=True))
    rounded = (groups / (most / -8)).round().clamp(-8, 7) * (most / -8)
    assert error(Int4Weight.pack(weight).unpack(), weight) < 0.96 * error(
        rounded.flatten(1), weight
    )


@needs_kernels
def test_the_packed_format_is_as_it_is_described() -> None:
    """It lies on disks: bytes, not only meaning."""
    weight = torch.zeros(17, 40)
    weight[16, 5], weight[16, 9], weight[16, 39] = -8.0, 7.0, -8.0
    data = Int4Weight.pack(weight).data
    assert tuple(data.shape) == int4_packed_shape(17, 40) == (1, 2, 576)
    group = data[0, 0]
    lines = group[:512].reshape(4, 2, 64)
    assert lines[0, 1, 1] == 0x08  # output 16: input 1 in the low four bits, 5 in the high ones
    assert lines[1, 1, 1] == 0x8F  # inputs 9 and 13
    assert lines[0, 1, 4] == 0x88  # an output that only fills up
    assert bool((lines[:, 0] == 0x88).all())
    scales = group[512:].view(torch.bfloat16)
    assert scales[16] == 1
    assert bool((scales[:16] == 0).all())
    last = data[0, 1, :512].reshape(4, 2, 64)
    assert last[0, 1, 3] == 0x08  # input 39 is input 7 of the second group


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 8, 9, 11, 12, 13, 16, 17, 64, 131])
@pytest.mark.parametrize(("outputs", "inputs"), [(33, 31), (128, 384)])
def test_a_product_is_the_packed_matrix_times_rounded_rows(
    rows: int, outputs: int, inputs: int, dtype: torch.dtype, draw: torch.Generator
) -> None:
    packed = Int4Weight.pack(torch.randn(outputs, inputs, generator=draw))
    x = torch.randn(rows, inputs, generator=draw).to(dtype)
    ours = ops.linear_w4a8(x, packed)
    assert (ours.dtype, ours.shape) == (dtype, (rows, outputs))
    expected = rounded_in_groups(x) @ packed.unpack().double().T
    assert error(ours, expected) < (1e-6 if dtype is torch.float32 else 3e-3)
    assert error(ours, x.double() @ packed.unpack().double().T) < 0.02


def rounded_in_groups(x: Tensor) -> Tensor:
    """Each 32 inputs of a row to int8 and back, by a power of two, float64."""
    filled = F.pad(x.double(), (0, -x.shape[1] % 32)).reshape(len(x), -1, 32)
    scale = (filled.abs().amax(-1, keepdim=True) / 127).log2().ceil().exp2()
    return ((filled / scale).round() * scale).flatten(1)[:, : x.shape[1]]


@needs_kernels
@pytest.mark.parametrize("size", [1e-22, 1.0, 1e30])
def test_a_product_of_any_size(size: float, draw: torch.Generator) -> None:
    """Groups that differ by more than a float can hold, too."""
    packed = Int4Weight.pack(torch.randn(48, 96, generator=draw))
    x = torch.randn(5, 96, generator=draw).mul(size)
    x[1, :32] *= 1e-8
    x[2, 32:64] *= 1e-18
    x[3, 64:] = 0
    x[4] = 0
    ours, expected = ops.linear_w4a8(x, packed), x.double() @ packed.unpack().double().T
    assert all(error(ours[i], expected[i]) < 0.02 for i in range(4))
    assert bool((ours[4].abs() <= 1e-36).all())


@needs_kernels
def test_an_outlier_spoils_its_group_alone(draw: torch.Generator) -> None:
    """What a scale for each 32 activations is for: one for each row would lose the rest."""
    packed = Int4Weight.pack(torch.randn(96, 256, generator=draw))
    x = torch.randn(4, 256, generator=draw)
    x[:, 7] = 3000.0
    plain = x @ packed.unpack().T
    without = torch.zeros_like(x)
    without[:, :32] = x[:, :32]
    ours = ops.linear_w4a8(x, packed) - ops.linear_w4a8(without, packed)
    assert error(ours, plain - without @ packed.unpack().T) < 0.02


@needs_kernels
def test_what_is_no_number_stays_none_in_its_row(draw: torch.Generator) -> None:
    packed = Int4Weight.pack(torch.randn(40, 64, generator=draw))
    x = torch.randn(3, 64, generator=draw)
    x[1, 40] = torch.nan
    ours = ops.linear_w4a8(x, packed)
    assert bool(ours[1].isnan().all())
    assert bool(ours[[0, 2]].isfinite().all())


@needs_kernels
def test_a_row_is_the_same_in_any_company(draw: torch.Generator) -> None:
    """Batched and single runs must say the same: to the bit."""
    packed = Int4Weight.pack(torch.randn(160, 256, generator=draw))
    x = torch.randn(17, 256, generator=draw).bfloat16()
    together = ops.linear_w4a8(x, packed)
    for first, last in ((0, 1), (3, 5), (4, 12), (2, 17)):
        assert torch.equal(ops.linear_w4a8(x[first:last], packed), together[first:last])


@needs_kernels
def test_a_packed_matrix_may_begin_anywhere(draw: torch.Generator) -> None:
    """As in a mapped file."""
    packed = Int4Weight.pack(torch.randn(64, 96, generator=draw))
    x = torch.randn(3, 96, generator=draw)
    room = torch.empty(packed.data.numel() + 5, dtype=torch.uint8)
    moved = room[5:].view(packed.data.shape).copy_(packed.data)
    elsewhere = Int4Weight(moved, 64, 96)
    assert torch.equal(ops.linear_w4a8(x, elsewhere), ops.linear_w4a8(x, packed))


# --- products in eight bits -----------------------------------------------------------------------


def eight_bits(outputs: int, inputs: int, draw: torch.Generator) -> tuple[Int8Weight, Tensor]:
    """A matrix with a bias, and its rows."""
    rows = torch.randint(-127, 128, (outputs, inputs), generator=draw, dtype=torch.int8)
    scales, bias = torch.rand(2, outputs, generator=draw)
    return Int8Weight(int8_panels(rows), scales, bias, inputs), rows


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("rows", [1, 2, 3, 4, 5, 6, 7, 8, 9, 13])
@pytest.mark.parametrize(("outputs", "inputs"), [(1, 64), (67, 128), (128, 192), (300, 64)])
def test_a_product_of_few_rows_is_exact(
    rows: int, outputs: int, inputs: int, dtype: torch.dtype, draw: torch.Generator
) -> None:
    weight, whole = eight_bits(outputs, inputs, draw)
    x = torch.randn(rows, inputs, generator=draw).to(dtype)
    q, scales = ops.quantize_rows(x)
    sums = (q.double() - 128) @ whole.double().T
    assert weight.bias is not None
    expected = sums * scales * weight.scales + weight.bias
    torch.testing.assert_close(ops.linear_w8a8(x, weight), expected.float(), rtol=1e-6, atol=1e-5)


@needs_kernels
def test_a_row_of_a_product_of_few_is_the_same_in_any_company(draw: torch.Generator) -> None:
    weight, _ = eight_bits(160, 256, draw)
    x = torch.randn(2, 7, 256, generator=draw)
    together = ops.linear_w8a8(x, weight)
    assert together.shape == (2, 7, 160)
    for first, last in ((0, 1), (1, 3), (2, 7)):
        alone = ops.linear_w8a8(x[1, first:last], weight)
        assert torch.equal(alone, together[1, first:last])


@needs_kernels
def test_extremes_overflow_nothing_and_what_is_no_number_stays_none(draw: torch.Generator) -> None:
    _, rows = eight_bits(70, 8192, draw)
    rows[::2], rows[1::2] = 127, -127
    weight = Int8Weight(int8_panels(rows), torch.ones(70), None, 8192)
    x = torch.full((3, 8192), 5.0)
    x[1] = -5.0
    x[2, 4000] = torch.nan
    out = ops.linear_w8a8(x, weight)
    right = 5.0 * 127 * 8192 * torch.tensor([1.0, -1.0]).repeat(35)
    torch.testing.assert_close(out[:2], torch.stack((right, -right)))
    assert bool(out[2].isnan().all())


@pytest.mark.skipif(not onednn.can_restore(), reason="packed weights cannot be looked at here")
@pytest.mark.usefixtures("_threads")
def test_matrices_that_onednn_packs_otherwise_are_told_apart(draw: torch.Generator) -> None:
    """Its choice depends on shape and threads: where it is the kernel's, the bytes are equal."""
    for outputs, inputs in ((67, 128), (128, 192), (200, 100), (1100, 128), (3072, 256)):
        rows = torch.randint(-127, 128, (outputs, inputs), generator=draw, dtype=torch.int8)
        packed, _ = onednn.packed_contents(onednn.prepack_int8(rows))
        lies = has_kernel_layout(rows, packed)
        print(f"{outputs} x {inputs}: {'as read' if lies else 'otherwise'}")
        assert not has_kernel_layout(rows.flip(0), packed)
        module = linear.from_arrays("int8", linear.quantize("int8", [rows.float()], [None]))
        assert isinstance(module, Int8Linear)
        panels = lies or int8_layout() == "panels"
        assert (module.panel_weight is not None) == (panels and ops.is_available())
    mini = torch.ones(3072, 3072, dtype=torch.int8)
    mini[:, ::3] = -5
    packed, _ = onednn.packed_contents(onednn.prepack_int8(mini))
    if ops.is_available() and int8_layout() == "onednn":
        assert has_kernel_layout(mini, packed)


COMPARED = """
import torch
from pathlib import Path
from voxgate.voxtral.kernels.packing import INT8_TILE, has_kernel_layout, int8_panels

rows = torch.randint(-127, 128, (65_536, 512), dtype=torch.int8)
tiles = [int8_panels(tile) for tile in torch.split(rows, INT8_TILE)]
weights = [tile[: INT8_TILE * 512] for tile in tiles]
packed = torch.cat(weights + [tile[INT8_TILE * 512 :] for tile in tiles])
del tiles, weights

def held(what):
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(what))

Path("/proc/self/clear_refs").write_text("5")  # the peak counts from here on
before = held("VmRSS:")
assert has_kernel_layout(rows, packed)
print((held("VmHWM:") - before) / rows.nbytes)
"""


def test_comparing_a_matrix_copies_little_of_it() -> None:
    """A head of 400 MB took 2 GB more at its first start than was admitted for the model."""
    done = subprocess.run(
        [sys.executable, "-c", COMPARED], check=True, capture_output=True, text=True
    )
    print(f"{float(done.stdout):.2f} of the matrix at most")
    assert float(done.stdout) < 0.5


# --- attention ------------------------------------------------------------------------------------


def attended(q: Tensor, keys: Tensor, values: Tensor, *, causal: bool = False) -> Tensor:
    """In float64, for one sequence whose rows are its last."""
    rows, length = q.shape[1], keys.shape[1]
    seen = torch.ones(rows, length, dtype=torch.bool)
    if causal:
        seen = seen.tril(length - rows)
    group = q.shape[0] // keys.shape[0]
    keys, values = (x.double().repeat_interleave(group, 0) for x in (keys, values))
    return F.scaled_dot_product_attention(q.double(), keys, values, attn_mask=seen)


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("causal", [False, True])
@pytest.mark.parametrize(
    "shape",  # heads, kv_heads, rows, positions, head_dim
    [(2, 2, 1500, 1500, 64), (4, 2, 37, 37, 48), (8, 2, 5, 700, 128), (3, 1, 1, 1, 16),
     (1, 1, 13, 1100, 256), (32, 8, 1, 435, 128)],
)  # fmt: skip
def test_attention_is_pytorchs(
    shape: tuple[int, int, int, int, int], causal: bool, draw: torch.Generator
) -> None:
    heads, kv_heads, rows, positions, head_dim = shape
    q = torch.randn(1, heads, rows, head_dim, generator=draw).bfloat16()
    keys, values = torch.randn(2, 1, kv_heads, positions, head_dim, generator=draw).bfloat16()
    ours = ops.attention(q, keys, values, causal=causal)
    assert (ours.dtype, ours.shape) == (torch.bfloat16, q.shape)
    assert error(ours[0], attended(q[0], keys[0], values[0], causal=causal)) < 0.005


@needs_kernels
@pytest.mark.parametrize("rows", [1, 3])
def test_sequences_read_their_slots_of_a_cache(rows: int, draw: torch.Generator) -> None:
    """Unequal lengths, slots in any order, and what lies behind a length counts for nothing."""
    slots, lengths = [4, 0, 2], [33, 600, 7]
    keys, values = torch.randn(2, 5, 2, 640, 48, generator=draw).bfloat16()
    q = torch.randn(3, 4, rows, 48, generator=draw).bfloat16()
    for slot, length in zip(slots, lengths, strict=True):
        keys[slot, :, length:] = torch.nan
        values[slot, :, length:] = torch.nan
    ours = ops.attention(q, keys, values, slots=slots, lengths=lengths, causal=True)
    for i, (slot, length) in enumerate(zip(slots, lengths, strict=True)):
        expected = attended(q[i], keys[slot, :, :length], values[slot, :, :length], causal=True)
        assert error(ours[i], expected) < 0.005
        own = ops.attention(q[i : i + 1], keys, values, slots=[slot], lengths=[length], causal=True)
        assert torch.equal(own[0], ours[i])


@needs_kernels
def test_attention_reads_parts_of_a_fused_projection(draw: torch.Generator) -> None:
    fused = torch.randn(2, 50, 3, 4, 32, generator=draw).bfloat16()
    q, keys, values = fused.permute(2, 0, 3, 1, 4)
    ours = ops.attention(q, keys, values)
    together = ours.transpose(1, 2).flatten(2)
    assert together.data_ptr() == ours.data_ptr()  # nothing was copied
    alone = ops.attention(*(x.contiguous() for x in (q, keys, values)))
    assert torch.equal(ours, alone)


@needs_kernels
def test_large_scores_overflow_nothing(draw: torch.Generator) -> None:
    q, keys, values = torch.randn(3, 1, 2, 40, 64, generator=draw).bfloat16()
    ours = ops.attention(q * 300, keys * 300, values)
    assert error(ours[0], attended(q[0] * 300, keys[0] * 300, values[0])) < 0.005


# --- one pass -------------------------------------------------------------------------------------


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("gelu", [False, True])
@pytest.mark.parametrize("shape", [(1, 1), (7, 17), (1500, 40), (9, 5120)])
def test_a_product_is_finished_in_one_pass(
    shape: tuple[int, int], gelu: bool, dtype: torch.dtype, draw: torch.Generator
) -> None:
    count, width = shape
    product, scales = (torch.randn(count, n, generator=draw) for n in (width, 1))
    for bias in (None, torch.randn(width, generator=draw)):
        expected = product.double() * scales + (0 if bias is None else bias)
        expected = F.gelu(expected) if gelu else expected
        place = product.clone()
        ours = ops.scale_and_bias(place, scales, bias, gelu=gelu, dtype=dtype)
        assert (ours.dtype, ours.shape) == (dtype, shape)
        assert (ours.data_ptr() == place.data_ptr()) == (dtype is torch.float32)
        assert error(ours, expected) < (2e-6 if dtype is torch.float32 else 3e-3)


@needs_kernels
def test_gelu_is_erfs_to_a_floats_last_bits() -> None:
    x = torch.cat((torch.linspace(-9, 9, 400_001), torch.logspace(-40, 38, 4001)))
    x = torch.cat((x, -x, torch.zeros(1)))
    ours = ops.scale_and_bias(x[None].clone(), torch.ones(1), gelu=True)[0]
    off = (ours.double() - F.gelu(x.double())).abs() / x.double().abs().clamp(min=1)
    assert float(off.max()) < 2.1e-7
    assert bool((ours[x < -6] == 0).all())
    edges = torch.tensor([[torch.inf, -torch.inf, torch.nan]])
    ours = ops.scale_and_bias(edges.clone(), torch.ones(1), gelu=True)[0]
    assert ours[0] == torch.inf
    assert ours[1] == 0  # the limit, where PyTorch's has no number
    assert bool(ours[2].isnan())


@needs_kernels
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_row_without_a_scale_spoils_no_other(dtype: torch.dtype) -> None:
    scales = torch.tensor([1.0, torch.nan, 0.0])
    ours = ops.scale_and_bias(torch.ones(3, 21), scales, torch.ones(21), gelu=True, dtype=dtype)
    assert bool(ours[1].isnan().all())
    torch.testing.assert_close(
        ours[::2].float(),
        F.gelu(ours.new_tensor([[2.0], [1.0]]).float()).to(dtype).float().expand(2, 21),
    )


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("width", [1, 15, 64, 100, 3072])
def test_rms_norm_is_its_definition(width: int, draw: torch.Generator) -> None:
    x, weight = torch.randn(2, 23, width, generator=draw), torch.randn(width, generator=draw)
    x[0, 3], x[1, 4] = 0, torch.nan
    x[1, 5] *= 1e15
    ours = ops.rms_norm(x, weight, 1e-5)
    expected = F.rms_norm(x.double(), (width,), weight.double(), 1e-5)
    assert (ours.dtype, ours.shape) == (torch.float32, x.shape)
    torch.testing.assert_close(ours, expected.float(), rtol=1e-6, atol=1e-12, equal_nan=True)
    assert bool((ours[0, 3] == 0).all())


@needs_kernels
def test_rms_norm_reads_rows_that_do_not_touch(draw: torch.Generator) -> None:
    x, weight = torch.randn(9, 70, generator=draw), torch.randn(33, generator=draw)
    apart, alone = x[:, 20:53], x[:, 20:53].contiguous()
    assert torch.equal(ops.rms_norm(apart, weight, 1e-5), ops.rms_norm(alone, weight, 1e-5))


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize("width", [1, 31, 64, 8192])
def test_a_gate_reads_the_halves_of_one_product(width: int, draw: torch.Generator) -> None:
    gate, up = torch.randn(3, 5, 2 * width, generator=draw).mul(9).chunk(2, dim=-1)
    ours = ops.silu_mul(gate, up)
    assert (ours.dtype, ours.shape) == (torch.float32, gate.shape)
    assert error(ours, F.silu(gate.double()) * up.double()) < 3e-7


@needs_kernels
def test_a_gate_of_any_size() -> None:
    gate = torch.cat((torch.linspace(-120, 120, 100_001), torch.logspace(-40, 38, 4001)))
    gate = torch.cat((gate, -gate, torch.zeros(1)))
    ours = ops.silu_mul(gate[None], torch.ones(1, len(gate)))[0]
    exact = F.silu(gate.double())
    assert float(((ours - exact).abs() / exact.abs().clamp(min=1e-30)).max()) < 5e-7
    edges = torch.tensor([[torch.inf, torch.nan, 1.0, -3e38]])
    ours = ops.silu_mul(edges, torch.tensor([[1.0, 1.0, torch.nan, 3e38]]))[0]
    assert ours[0] == torch.inf
    assert bool(ours[1:3].isnan().all())
    assert ours[3] == 0


@needs_kernels
@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(
    "shape",  # slots, new, heads, head_dim
    [(1, 385, 32, 128), (1, 1, 8, 128), (5, 1, 4, 48), (3, 7, 2, 34), (2, 3, 1, 2)],
)
def test_heads_turn_as_pytorch_turns_them(
    shape: tuple[int, int, int, int], draw: torch.Generator
) -> None:
    slots, new, heads, head_dim = shape
    joint = torch.randn(slots, new, (heads + 2) * head_dim, generator=draw)
    x = joint[..., : heads * head_dim].view(slots, new, heads, head_dim).transpose(1, 2)
    positions = torch.arange(new) + torch.randint(0, 1000, (slots, 1), generator=draw)
    rope = RotaryEmbedding(positions, head_dim, 10_000.0, torch.float32)
    ours, expected = ops.rotate(x, rope.cos, rope.sin), rope.rotate(x)
    assert (ours.dtype, ours.shape) == (torch.bfloat16, x.shape)
    torch.testing.assert_close(ours.float(), expected, rtol=2**-8, atol=1e-6)
    assert torch.equal(ops.rotate(x.contiguous(), rope.cos, rope.sin), ours)
    assert torch.equal(rope.rotate(x, torch.bfloat16), ours)


@needs_kernels
def test_a_row_of_one_pass_is_the_same_in_any_company(draw: torch.Generator) -> None:
    x, scales = torch.randn(900, 96, generator=draw), torch.randn(900, 1, generator=draw)
    weight = torch.randn(96, generator=draw)
    few = slice(17, 20)
    done = ops.scale_and_bias(x.clone(), scales, weight, gelu=True)
    assert torch.equal(
        ops.scale_and_bias(x[few].clone(), scales[few], weight, gelu=True), done[few]
    )
    assert torch.equal(ops.rms_norm(x[few], weight, 1e-5), ops.rms_norm(x, weight, 1e-5)[few])
    assert torch.equal(ops.silu_mul(x[few], x[few]), ops.silu_mul(x, x)[few])


# --- errors ---------------------------------------------------------------------------------------


def refused(call: Callable[[], object], words: str) -> None:
    with pytest.raises(UsageError, match=words):
        call()


@needs_kernels
def test_what_does_not_fit_is_refused() -> None:
    packed = Int4Weight.pack(torch.ones(4, 40))
    halves = torch.ones(2, 40, dtype=torch.float16)
    refused(lambda: ops.linear_w4a8(torch.ones(2, 32), packed), "rows of 32. It needs rows of 40")
    refused(lambda: ops.linear_w4a8(halves, packed), "float16")
    refused(lambda: ops.quantize_rows(halves), "float16")
    refused(lambda: ops.quantize_rows(torch.ones(40, 2).T), "not contiguous")
    refused(lambda: Int4Weight.pack(torch.ones(4)), "matrix of finite numbers")
    refused(lambda: Int4Weight.pack(torch.full((4, 4), torch.nan)), "matrix of finite numbers")
    refused(lambda: Int4Weight(packed.data, 4, 80), "Pack it again")
    eight, scales = torch.zeros(64 * 68, dtype=torch.uint8), torch.ones(64)
    refused(lambda: Int8Weight(eight[1:], scales, None, 64), "4352 contiguous bytes")
    refused(lambda: Int8Weight(eight, scales, torch.ones(63), 64), "Use oneDNN's product")
    refused(lambda: Int8Weight(eight, scales.bfloat16(), None, 64), "Use oneDNN's product")
    refused(lambda: Int8Weight(eight[: 64 * 60], scales, None, 56), "multiple of 64")
    whole = Int8Weight(eight, scales, None, 64)
    refused(lambda: ops.linear_w8a8(torch.ones(2, 32), whole), "rows of 32. It needs rows of 64")


@needs_kernels
def test_attention_refuses_what_it_would_read_wrongly() -> None:
    q, keys = torch.ones(2, 4, 3, 64).bfloat16(), torch.ones(2, 2, 9, 64).bfloat16()
    odd = torch.ones(2, 4, 3, 40).bfloat16()
    refused(lambda: ops.attention(q.float(), keys, keys), "bfloat16")
    refused(lambda: ops.attention(odd, odd, odd), "multiple of 16")
    refused(lambda: ops.attention(q[:, :3], keys, keys), "multiple of the keys' heads")
    refused(lambda: ops.attention(q, keys, keys[:, :, :8]), "values")
    refused(lambda: ops.attention(q, keys, keys, slots=[0, 2]), r"slots \[0, 2\]")
    refused(lambda: ops.attention(q, keys, keys, lengths=[9, 10]), r"lengths \[9, 10\]")
    refused(lambda: ops.attention(q, keys, keys, lengths=[9, 2], causal=True), "at least 3")
    refused(lambda: ops.attention(q, keys, keys, slots=[0]), "2 sequences")
    strided = torch.ones(2, 4, 64, 3).bfloat16().transpose(2, 3)
    refused(lambda: ops.attention(strided, keys, keys), "not contiguous")


@needs_kernels
def test_one_pass_refuses_what_it_would_read_wrongly() -> None:
    x, one = torch.ones(4, 10), torch.ones(10)
    refused(lambda: ops.scale_and_bias(x, torch.ones(3)), "3 scales")
    refused(lambda: ops.scale_and_bias(x, torch.ones(4), torch.ones(9)), "bias of 9")
    refused(lambda: ops.scale_and_bias(x.T, one), "contiguous")
    refused(lambda: ops.scale_and_bias(x, torch.ones(4), dtype=torch.float16), "float16")
    refused(lambda: ops.rms_norm(x.bfloat16(), one, 1e-5), "norm of torch.bfloat16")
    refused(lambda: ops.rms_norm(x, torch.ones(9), 1e-5), r"weights \(9,\)")
    refused(lambda: ops.rms_norm(x, one.double(), 1e-5), "float64")
    refused(lambda: ops.silu_mul(x, x[:, :9]), r"\(4, 9\)")
    refused(lambda: ops.silu_mul(x, x.bfloat16()), "must be float32")
    refused(lambda: ops.silu_mul(x, torch.ones(4, 20)[:, :10]), "same strides")
    heads, angles = torch.ones(2, 3, 4, 8), torch.ones(2, 1, 4, 4)
    refused(lambda: ops.rotate(heads, angles, angles[:1]), "an angle for each")
    refused(lambda: ops.rotate(heads.bfloat16(), angles, angles), "Heads of torch.bfloat16")
    refused(lambda: ops.rotate(heads[..., :7], angles, angles), "an angle for each")


# --- levels ---------------------------------------------------------------------------------------


@pytest.fixture(params=native_kernels.levels())
def level(request: pytest.FixtureRequest) -> Iterator[str]:
    """Each level that this processor has, in use."""
    assert load_kernels().use(request.param)
    yield request.param
    assert load_kernels().use(native_kernels.level() or "")


@needs_kernels
def test_eight_bits_are_the_same_at_every_level(level: str, draw: torch.Generator) -> None:
    """Their sums are of integers, so that what a model says does not depend on the processor."""
    weight, _ = eight_bits(300, 192, draw)
    x = torch.randn(29, 192, generator=draw)
    ours = ops.linear_w8a8(x, weight)
    assert load_kernels().use(native_kernels.levels()[0])
    assert torch.equal(ours, ops.linear_w8a8(x, weight))


@needs_kernels
def test_four_bits_are_the_same_at_every_level(level: str, draw: torch.Generator) -> None:
    w, x = torch.randn(70, 320, generator=draw), torch.randn(13, 320, generator=draw)
    packed = Int4Weight.pack(w)
    ours = ops.linear_w4a8(x, packed)
    assert error(ours, x @ packed.unpack().T) < 0.02
    assert load_kernels().use(native_kernels.levels()[0])
    assert torch.equal(Int4Weight.pack(w).data, packed.data)
    assert error(ops.linear_w4a8(x, packed), ours) < 1e-6


@needs_kernels
@pytest.mark.parametrize("rows", [1, 5, 40])
def test_attention_is_pytorchs_at_every_level(rows: int, level: str, draw: torch.Generator) -> None:
    q = torch.randn(2, 8, rows, 128, generator=draw).bfloat16()
    keys, values = torch.randn(2, 2, 2, 90, 128, generator=draw).bfloat16()
    seen = torch.ones(rows, 90, dtype=torch.bool).tril(90 - rows)
    expected = F.scaled_dot_product_attention(
        q.double(), keys.double(), values.double(), attn_mask=seen, enable_gqa=True
    )
    assert error(ops.attention(q, keys, values, causal=True), expected) < 0.004


@needs_kernels
def test_a_few_positions_have_the_bits_of_each_alone(level: str, draw: torch.Generator) -> None:
    """Tokens of a draft are checked together, and what is chosen must not depend on that."""
    rows = 16
    q = torch.randn(2, 8, rows, 128, generator=draw).bfloat16()
    keys, values = torch.randn(2, 2, 2, 600, 128, generator=draw).bfloat16()
    lengths = [600, 33]
    together = ops.attention(q, keys, values, lengths=lengths, causal=True)
    for row in range(rows):
        seen = [length - rows + 1 + row for length in lengths]
        alone = ops.attention(q[:, :, row : row + 1], keys, values, lengths=seen, causal=True)
        assert torch.equal(alone[:, :, 0], together[:, :, row])


@needs_kernels
def test_a_finished_product_is_the_same_in_one_pass(level: str, draw: torch.Generator) -> None:
    weight, _ = eight_bits(70, 128, draw)
    x = torch.randn(7, 128, generator=draw)
    plain = ops.linear_w8a8(x, weight)
    assert error(ops.linear_w8a8(x, weight, gelu=True), F.gelu(plain.double())) < 1e-6
    assert torch.equal(ops.linear_w8a8(x, weight, dtype=torch.bfloat16), plain.bfloat16())


@needs_kernels
def test_every_level_has_floors(level: str) -> None:
    room = torch.ones(1 << 22, dtype=torch.uint8)
    assert load_kernels().read_bytes(room.data_ptr(), room.nbytes, 1) > 0
    assert load_kernels().int8_operations(1) > 0
    assert load_kernels().float_operations(1) > 0
    assert (load_kernels().bf16_operations(1) > 0) == level.endswith("bf16")


# --- whether they are here ------------------------------------------------------------------------


@needs_kernels
def test_only_pytorchs_threads_are_there() -> None:
    """A second OpenMP library would bring a second pool, and the two would fight for the cores."""
    script = (
        "import os, re, torch; torch.set_num_threads(3)\n"
        "from voxgate.voxtral.kernels import ops\n"
        "threads = lambda: len(os.listdir('/proc/self/task'))\n"
        "x = torch.empty(512, 512); before = threads()\n"
        "ops.quantize_rows(x); ours = threads()\n"
        "x.exp_(); both = threads()\n"
        "maps = open('/proc/self/maps').read().split()\n"
        "libraries = {path for path in maps if re.search(r'/lib[gi]?omp', path)}\n"
        "print(ours - before, both - before, len(libraries))"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], check=True, capture_output=True, text=True
    )
    assert done.stdout.split() == ["2", "2", "1"]


def test_without_the_package_it_says_so_and_how_to_get_it() -> None:
    script = (
        "import sys; sys.modules['voxgate_kernels'] = None\n"
        "from voxgate.voxtral.kernels import ops\n"
        "from voxgate.voxtral.kernels.bindings import load_kernels\n"
        "print(ops.is_available(), ops.why_unavailable())\n"
        "try: load_kernels()\n"
        "except Exception as error: print(type(error).__name__, error)"
    )
    first, second = run_at_level("", script)
    assert first == "False the package voxgate-kernels is not installed"
    assert second.startswith("UsageError The native kernels cannot be used")
    assert "`make kernels`" in second


@pytest.mark.parametrize(
    "package", ["INTERFACE = 3", "INTERFACE = 99", "raise ImportError('a library is missing')"]
)
def test_a_package_of_another_version_is_told_of_and_how_to_build_the_right_one(
    tmp_path: Path, package: str
) -> None:
    (tmp_path / "voxgate_kernels.py").write_text(package)
    script = (
        f"import sys; sys.path.insert(0, {str(tmp_path)!r})\n"
        "from voxgate.errors import UsageError\n"
        "from voxgate.hardware.native_kernels import needs_build\n"
        "from voxgate.voxtral.kernels.bindings import load_kernels\n"
        "try: load_kernels()\n"
        "except UsageError as error: print(needs_build(), error)"
    )
    for name in ("", *native_kernels.levels()[-1:]):
        (sentence,) = run_at_level(name, script)
        assert sentence.startswith("True ")
        assert "`make kernels`" in sentence
        assert "interface" in sentence or "a library is missing" in sentence
    (sentence,) = run_at_level("off", script)
    assert sentence.startswith("False ")
    assert "VOXGATE_KERNELS is off" in sentence


def run_at_level(name: str, script: str) -> list[str]:
    """Run a script with this `VOXGATE_KERNELS`; return its lines."""
    done = subprocess.run(
        [sys.executable, "-c", script],
        check=True,
        capture_output=True,
        text=True,
        env=os.environ | {"VOXGATE_KERNELS": name},
    )
    return done.stdout.splitlines()


@needs_kernels
def test_a_level_can_be_chosen() -> None:
    script = (
        "from voxgate.hardware.native_kernels import level\n"
        "from voxgate.voxtral.kernels import ops\n"
        "print(level(), ops.why_unavailable())"
    )
    for name in native_kernels.levels():
        assert run_at_level(name, script) == [f"{name} None"]
    assert run_at_level("", script) == [f"{native_kernels.levels()[-1]} None"]
    assert run_at_level("off", script) == ["None VOXGATE_KERNELS is off"]


def test_a_level_that_is_not_here_is_refused_with_those_that_are() -> None:
    script = (
        "from voxgate.errors import UsageError\nfrom voxgate.voxtral.kernels import ops\n"
        "try: ops.is_available()\nexcept UsageError as error: print(error)"
    )
    (sentence,) = run_at_level("abacus", script)
    assert sentence.startswith("VOXGATE_KERNELS is 'abacus', and ")
    assert (", ".join(native_kernels.levels()) or "there are none here") in sentence
    assert "'off'" in sentence
