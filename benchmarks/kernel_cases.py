"""The cases of `benchmarks.kernels`: each computation by a native kernel and by PyTorch.

The shapes are those of Voxtral Mini. Runs are for a window of 30 s of sound with 100 tokens.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from voxgate.voxtral.kernels import onednn, ops
from voxgate.voxtral.layers import RMSNorm, RotaryEmbedding

Computation = Callable[[], object]

LAYERS = 4  # copies of the weights, used in turn
ENCODER_LAYERS, DECODER_LAYERS, TOKENS = 32, 30, 100
LAYER = ((6144, 3072), (3072, 4096), (16_384, 3072), (3072, 8192))  # qkv, out, gate and up, down
PROMPT = 385  # positions of a window's prompt
POSITIONS = 435  # average number of positions while a window is decoded


@dataclass(frozen=True)
class KernelCase:
    """One row of the table: a computation by the native kernel and by PyTorch."""

    description: str
    ours: Computation
    peers: dict[str, Computation]
    runs_per_window: float = 0
    operations: float = 0
    bytes: float = 0


# --- rows -----------------------------------------------------------------------------------------


def rows() -> Iterator[KernelCase]:
    """Quantize the encoder's activations to eight bits: four times in each layer."""
    for width, runs in ((1280, 3 * ENCODER_LAYERS), (5120, ENCODER_LAYERS)):
        x = torch.randn(1500, width).bfloat16()
        ours, eager = partial(ops.quantize_rows, x), partial(_quantize_eagerly, x)
        yield KernelCase(f"rows to int8, 1500 x {width}", ours, {"eager": eager}, runs)


def _quantize_eagerly(x: Tensor) -> tuple[Tensor, Tensor]:
    scale = x.abs().amax(-1, keepdim=True).float() / 127
    return (x / scale).round_().add_(128).to(torch.uint8), scale


# --- elementwise ----------------------------------------------------------------------------------


def elementwise() -> Iterator[KernelCase]:
    """Compute the steps between products, of the encoder, of a prompt and of a token."""
    scales = torch.rand(1500, 1)
    for width, gelu, dtype in ((5120, True, torch.float32), (3840, False, torch.bfloat16)):
        yield _epilogue_case(torch.randn(1500, width), scales, gelu=gelu, dtype=dtype)
    for count, runs in ((PROMPT, DECODER_LAYERS), (1, DECODER_LAYERS * TOKENS)):
        yield from _decoder_cases(count, runs)


def _epilogue_case(
    product: Tensor, scales: Tensor, *, gelu: bool, dtype: torch.dtype
) -> KernelCase:
    bias = torch.randn(product.shape[1])

    def eager() -> Tensor:
        scaled = torch.addcmul(bias, product, scales, out=product)
        return (F.gelu(scaled) if gelu else scaled).to(dtype)

    def ours() -> Tensor:
        return ops.scale_and_bias(product, scales, bias, gelu=gelu, dtype=dtype)

    description = "scales, bias and GELU" if gelu else "scales and bias, to bf16"
    return KernelCase(
        f"{description}, 1500 x {product.shape[1]}", ours, {"eager": eager}, ENCODER_LAYERS
    )


def _decoder_cases(count: int, runs: int) -> Iterator[KernelCase]:
    x, weight = torch.randn(1, count, 3072), torch.randn(3072)
    norm = RMSNorm(3072, 1e-5)
    yield KernelCase(
        f"norm, {count} x 3072",
        lambda: ops.rms_norm(x, weight, 1e-5),
        {"eager": lambda: norm(x), "F.rms_norm": lambda: F.rms_norm(x, (3072,), weight, 1e-5)},
        2 * runs,
    )
    gate, up = torch.randn(1, count, 2 * 8192).chunk(2, dim=-1)
    gate_peers: dict[str, Computation] = {"eager": lambda: F.silu(gate) * up}
    yield KernelCase(f"gate, {count} x 8192", lambda: ops.silu_mul(gate, up), gate_peers, runs)
    qkv = torch.randn(1, count, 6144)
    q = qkv[..., :4096].view(1, count, 32, 128).transpose(1, 2)
    rope = RotaryEmbedding(torch.arange(count)[None], 128, 1e8, torch.float32)
    yield KernelCase(
        f"turn, {count} x 32 heads",
        lambda: ops.rotate(q, rope.cos, rope.sin),
        {"eager": lambda: rope.rotate(q).bfloat16()},
        1.25 * runs,  # the keys are a quarter more
    )


# --- attention ------------------------------------------------------------------------------------


def attention() -> Iterator[KernelCase]:
    """Compute attention of the encoder, of a prompt, and of single tokens."""
    q, k, v = torch.randn(3, 1, 20, 1500, 64).bfloat16()
    yield KernelCase(
        "attention, 20 x 1500 x 64",
        lambda: ops.attention(q, k, v),
        {
            "SDPA": lambda: F.scaled_dot_product_attention(q, k, v),
            "heads": lambda: _attend_by_head(q, k, v),
        },
        ENCODER_LAYERS,
        operations=4 * 20 * 1500 * 1500 * 64,
    )
    yield _prompt_attention()
    for slots in (1, 4, 8, 16):
        yield _token_attention(slots)


def _attend_by_head(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Compute attention head by head, so that one head's scores stay in the cache."""
    out = torch.empty_like(q)
    for h in range(q.shape[1]):
        scores = torch.mm(q[0, h] * q.shape[3] ** -0.5, keys[0, h].T)
        torch.mm(torch.softmax(scores, -1), values[0, h], out=out[0, h])
    return out


def _prompt_attention() -> KernelCase:
    q, cache = torch.randn(1, 32, PROMPT, 128).bfloat16(), torch.randn(2, 1, 8, 640, 128).bfloat16()
    k, v = cache[:, :, :, :PROMPT]
    sdpa = F.scaled_dot_product_attention
    return KernelCase(
        f"attention, prompt of {PROMPT}",
        lambda: ops.attention(q, *cache, lengths=[PROMPT], causal=True),
        {
            "SDPA": lambda: sdpa(q, k, v, is_causal=True, enable_gqa=True),
            "SDPA, keys repeated": lambda: sdpa(
                q, k.repeat_interleave(4, 1), v.repeat_interleave(4, 1), is_causal=True
            ),
        },
        DECODER_LAYERS,
        operations=2 * 32 * PROMPT * PROMPT * 128,
    )


def _token_attention(slots: int) -> KernelCase:
    """Attend from one token of each slot.

    Lengths differ by up to 50, like those of windows that started together.
    """
    caches = [torch.randn(2, slots, 8, 640, 128).bfloat16() for _ in range(LAYERS)]
    our_caches, peer_caches = cycle(caches), cycle(caches)
    q = torch.randn(slots, 32, 1, 128).bfloat16()
    lengths = [POSITIONS + (slot * 29) % 50 for slot in range(slots)]
    longest = max(lengths)
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None])[:, None, None, :]

    def sdpa() -> Tensor:
        k, v = next(peer_caches)[:, :, :, :longest]
        grouped = q.reshape(slots, 8, 4, 128)
        return F.scaled_dot_product_attention(grouped, k, v, attn_mask=mask.expand(-1, -1, 4, -1))

    return KernelCase(
        f"attention, a token of {slots} at {POSITIONS}",
        lambda: ops.attention(q, *next(our_caches), lengths=lengths, causal=True),
        {"SDPA, grouped": sdpa},
        DECODER_LAYERS * TOKENS / slots,
        bytes=sum(lengths) * 2 * 8 * 128 * 2,
    )


# --- products -------------------------------------------------------------------------------------


def products() -> Iterator[KernelCase]:
    """Multiply by the matrices of one layer of the language model, in four bits."""
    weights = [torch.randn(shape).mul_(shape[1] ** -0.5) for shape in LAYER]
    ours = _pack_layers(weights, ops.Int4Weight.pack)
    int4, int8 = _pack_layers(weights, _pack_torch_int4), _pack_layers(weights, _pack_torch_int8)
    count = sum(n * k for n, k in LAYER)
    for m in (1, 2, 4, 8, 16, PROMPT):
        xs = [torch.randn(m, k).bfloat16() for _, k in LAYER]
        peers = {"int8, row scales": _multiply_layers(int8, xs, _multiply_int8)}
        if m < PROMPT:
            peers["int4"] = _multiply_layers(int4, xs, _multiply_int4)
        yield KernelCase(
            f"a layer's products, {m} rows",
            _multiply_layers(ours, xs, ops.linear_w4a8),
            peers,
            DECODER_LAYERS * (1 if m == PROMPT else TOKENS / m),
            operations=2 * m * count,
            bytes=count * 0.5625,
        )


def few_rows() -> Iterator[KernelCase]:
    """Multiply in eight bits, by a layer and by the head, one row for each sequence in a step."""
    layer = [_pack_both(n, k) for n, k in LAYER]
    layers = [layer, *([_pack_both(n, k) for n, k in LAYER] for _ in range(LAYERS - 1))]
    head = [[_pack_both(131_072, 3072)]]
    for description, weights in (("a layer's products in eight bits", layers), ("the head", head)):
        for m in (1, 4, 8):
            xs = [torch.randn(m, each[0].inputs) for each in weights[0]]
            yield KernelCase(
                f"{description}, {m} rows",
                _multiply_layers(weights, xs, lambda x, w: ops.linear_w8a8(x, w[0])),
                {"oneDNN": _multiply_layers(weights, xs, _multiply_onednn)},
                (DECODER_LAYERS if weights is layers else 1) * TOKENS / m,
                bytes=sum(each[0].packed.nbytes for each in weights[0]),
            )


def _pack_both(outputs: int, inputs: int) -> tuple[ops.Int8Weight, Tensor]:
    """Return random weights for the kernel and for oneDNN, in the same memory."""
    rows = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8)
    contents, layout = onednn.packed_contents(onednn.prepack_int8(rows))
    weight = ops.Int8Weight(contents, torch.rand(outputs), None, inputs)
    return weight, onednn.restore_packed(contents, layout, (inputs, outputs))


def _multiply_onednn(x: Tensor, packed: tuple[ops.Int8Weight, Tensor]) -> Tensor:
    """Multiply as `Int8Linear` does: fewer than four rows are padded."""
    weight, onednn_weight = packed
    q, scales = ops.quantize_rows(x)
    rows = F.pad(q, (0, 0, 0, max(0, 4 - len(x))))
    return onednn.int8_product(rows, 128, onednn_weight, weight.scales)[: len(x)].mul_(scales)


def _pack_layers(weights: list[Tensor], pack: Callable[[Tensor], Any]) -> list[list[Any]]:
    """Return several copies of the same layer, each in its own memory."""
    return [[pack(w) for w in weights] for _ in range(LAYERS)]


def _multiply_layers(
    layers: list[list[Any]], xs: list[Tensor], multiply: Callable[[Tensor, Any], Tensor]
) -> Computation:
    next_layer = cycle(layers)
    return lambda: [multiply(x, w) for x, w in zip(xs, next(next_layer), strict=True)]


def _pack_torch_int4(w: Tensor) -> tuple[Tensor, Tensor]:
    """Quantize asymmetrically in groups of 32, in the layout of `_weight_int4pack_mm_for_cpu`."""
    groups = w.reshape(len(w), -1, 32)
    low, high = groups.amin(2), groups.amax(2)
    scale = (high - low) / 15
    q = ((groups - low[..., None]) / scale[..., None]).round().clamp(0, 15).to(torch.int32)
    scales_and_zeros = (
        torch.stack((scale, low + 8 * scale), -1).transpose(0, 1).contiguous().bfloat16()
    )
    return torch.ops.aten._convert_weight_to_int4pack_for_cpu(q.flatten(1), 1), scales_and_zeros  # noqa: SLF001


def _multiply_int4(x: Tensor, packed: tuple[Tensor, Tensor]) -> Tensor:
    out: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, packed[0], 32, packed[1])  # noqa: SLF001
    return out


def _pack_torch_int8(w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale = w.abs().amax(1) / 127
    q = (w / scale[:, None]).round().to(torch.int8)
    zeros = torch.zeros(len(w), dtype=torch.int64)
    return torch.ops.onednn.qlinear_prepack(q, [PROMPT, w.shape[1]]), scale, zeros


def _multiply_int8(x: Tensor, packed: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """Multiply rows that Voxgate's kernel has quantized: PyTorch's way is measured in `rows`."""
    q, scale = ops.quantize_rows(x)
    out: Tensor = torch.ops.onednn.qlinear_pointwise(
        q, 1.0, 128, *packed, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return out.mul_(scale).bfloat16()


PARTS: dict[str, Callable[[], Iterator[KernelCase]]] = {
    "rows": rows,
    "passes": elementwise,
    "attention": attention,
    "products": products,
    "few": few_rows,
}
