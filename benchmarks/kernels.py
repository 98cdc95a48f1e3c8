"""The native kernels beside the best that PyTorch has, on the shapes of Voxtral Mini.

    python -m benchmarks.kernels [--seconds 2] [--threads N] [part ...]

Every row's candidates take turns, one run each in every round, so that a noisy minute is
everybody's; figures are medians, with the quickest run in brackets. The machine's floors are
measured before and after. Weights are four layers that follow each other, more than the caches
hold. `a window` is 30 s of sound with 100 tokens.
"""

from __future__ import annotations

import argparse
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from itertools import cycle
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F  # noqa: N812

from benchmarks.table import Row, show
from voxgate.voxtral.kernels import onednn, ops
from voxgate.voxtral.kernels.bindings import load_kernels
from voxgate.voxtral.layers import RMSNorm, RotaryEmbedding

Work = Callable[[], object]

LAYERS = 4  # of weights in turn
ENCODER_LAYERS, DECODER_LAYERS, TOKENS = 32, 30, 100
LAYER = ((6144, 3072), (3072, 4096), (16_384, 3072), (3072, 8192))  # qkv, out, gate and up, down
PROMPT, HELD = 385, 435  # positions of a window's prompt, and on average while it is decoded


@dataclass(frozen=True)
class Case:
    """One row: what is computed, ours, PyTorch's ways, and how much of it a window has."""

    what: str
    ours: Work
    peers: dict[str, Work]
    a_window: float = 0  # runs
    operations: float = 0
    bytes: float = 0


def main() -> None:
    """Measure the parts that are named, or all, and print one table."""
    parser = argparse.ArgumentParser(prog="python -m benchmarks.kernels", description=__doc__)
    parser.add_argument("parts", nargs="*", help=f"of {', '.join(PARTS)}")
    parser.add_argument("--seconds", type=float, default=2, help="of each row")
    parser.add_argument("--threads", type=int, default=torch.get_num_threads())
    asked = parser.parse_args()
    torch.set_num_threads(asked.threads)
    if reason := ops.why_unavailable():
        parser.exit(1, f"The native kernels cannot be measured: {reason}.\n")
    torch.manual_seed(0)
    threads, load = torch.get_num_threads(), os.getloadavg()[0]
    print(f"{platform.machine()}, {threads} threads, torch {torch.__version__}, load {load:.1f}")
    rows = [_floors(threads)]
    with torch.inference_mode():
        for part in asked.parts or PARTS:
            rows += [_measured(case, asked.seconds) for case in PARTS[part]()]
    show([*rows, _floors(threads)])


def _measured(case: Case, seconds: float) -> Row:
    ours, *peers = _medians([case.ours, *case.peers.values()], seconds)
    named = sorted(zip(peers, case.peers, strict=True))
    best = named[0][0][0]
    rates = [f"{case.operations / ours[0] / 1e9:.0f} G/s"] if case.operations else []
    rates += [f"{case.bytes / ours[0] / 1e9:.1f} GB/s"] if case.bytes else []
    window = f"{(best - ours[0]) * case.a_window:+.2f} s a window" if case.a_window else ""
    return Row(
        case.what,
        ", ".join([_shown(ours), *rates]),
        "\n".join(f"{name} {_shown(took)}" for took, name in named),
        f"{best / ours[0]:.2f} x\n{window}",
    )


def _shown(took: tuple[float, float]) -> str:
    median, least = took
    return f"{median * 1000:.3g} [{least * 1000:.3g}] ms"


def _medians(works: list[Work], seconds: float) -> list[tuple[float, float]]:
    """Of each, its median and its quickest run, seconds: taken in turns until the time is up."""
    for work in works:
        work()
    took: list[list[float]] = [[] for _ in works]
    until = time.perf_counter() + seconds
    while time.perf_counter() < until or len(took[0]) < 7:
        for work, times in zip(works, took, strict=True):
            began = time.perf_counter()
            work()
            times.append(time.perf_counter() - began)
    return [(statistics.median(times), min(times)) for times in took]


def _floors(threads: int) -> Row:
    """Medians and best of seven."""
    room = torch.ones(1 << 29, dtype=torch.uint8)
    found = load_kernels()
    rates = {
        "int8": [found.int8_operations(threads) for _ in range(7)],
        "bf16": [found.bf16_operations(threads) for _ in range(7)],
        "memory": [found.read_bytes(room.data_ptr(), room.nbytes, threads) for _ in range(7)],
    }
    shown = [f"{n} {statistics.median(r) / 1e9:.0f} [{max(r) / 1e9:.0f}]" for n, r in rates.items()]
    return Row("the machine, G operations or bytes a second", ", ".join(shown))


# --- rows -----------------------------------------------------------------------------------------


def rows() -> Iterator[Case]:
    """Activations of the encoder to eight bits: four times a layer."""
    for width, runs in ((1280, 3 * ENCODER_LAYERS), (5120, ENCODER_LAYERS)):
        x = torch.randn(1500, width).bfloat16()
        ours, eager = partial(ops.quantize_rows, x), partial(_eager, x)
        yield Case(f"rows to int8, 1500 x {width}", ours, {"eager": eager}, runs)


def _eager(x: Tensor) -> tuple[Tensor, Tensor]:
    scale = x.abs().amax(-1, keepdim=True).float() / 127
    return (x / scale).round_().add_(128).to(torch.uint8), scale


# --- one pass -------------------------------------------------------------------------------------


def passes() -> Iterator[Case]:
    """What lies between products, of the encoder, of a prompt and of a token."""
    scales = torch.rand(1500, 1)
    for width, gelu, dtype in ((5120, True, torch.float32), (3840, False, torch.bfloat16)):
        yield _finish(torch.randn(1500, width), scales, gelu=gelu, dtype=dtype)
    for count, runs in ((PROMPT, DECODER_LAYERS), (1, DECODER_LAYERS * TOKENS)):
        yield from _decoders(count, runs)


def _finish(product: Tensor, scales: Tensor, *, gelu: bool, dtype: torch.dtype) -> Case:
    bias = torch.randn(product.shape[1])

    def eager() -> Tensor:
        whole = torch.addcmul(bias, product, scales, out=product)
        return (F.gelu(whole) if gelu else whole).to(dtype)

    def ours() -> Tensor:
        return ops.scale_and_bias(product, scales, bias, gelu=gelu, dtype=dtype)

    what = "scales, bias and GELU" if gelu else "scales and bias, to bf16"
    return Case(f"{what}, 1500 x {product.shape[1]}", ours, {"eager": eager}, ENCODER_LAYERS)


def _decoders(count: int, runs: int) -> Iterator[Case]:
    x, weight = torch.randn(1, count, 3072), torch.randn(3072)
    norm = RMSNorm(3072, 1e-5)
    yield Case(
        f"norm, {count} x 3072",
        lambda: ops.rms_norm(x, weight, 1e-5),
        {"eager": lambda: norm(x), "F.rms_norm": lambda: F.rms_norm(x, (3072,), weight, 1e-5)},
        2 * runs,
    )
    gate, up = torch.randn(1, count, 2 * 8192).chunk(2, dim=-1)
    gated: dict[str, Work] = {"eager": lambda: F.silu(gate) * up}
    yield Case(f"gate, {count} x 8192", lambda: ops.silu_mul(gate, up), gated, runs)
    qkv = torch.randn(1, count, 6144)
    q = qkv[..., :4096].view(1, count, 32, 128).transpose(1, 2)
    rope = RotaryEmbedding(torch.arange(count)[None], 128, 1e8, torch.float32)
    yield Case(
        f"turn, {count} x 32 heads",
        lambda: ops.rotate(q, rope.cos, rope.sin),
        {"eager": lambda: rope.rotate(q).bfloat16()},
        1.25 * runs,  # the keys are a quarter more
    )


# --- attention ------------------------------------------------------------------------------------


def attention() -> Iterator[Case]:
    """Of the encoder, of a prompt, and of single tokens."""
    q, k, v = torch.randn(3, 1, 20, 1500, 64).bfloat16()
    yield Case(
        "attention, 20 x 1500 x 64",
        lambda: ops.attention(q, k, v),
        {"SDPA": lambda: F.scaled_dot_product_attention(q, k, v), "heads": lambda: _heads(q, k, v)},
        ENCODER_LAYERS,
        operations=4 * 20 * 1500 * 1500 * 64,
    )
    yield _prompt()
    for slots in (1, 4, 8, 16):
        yield _decode(slots)


def _heads(q: Tensor, keys: Tensor, values: Tensor) -> Tensor:
    """Head by head, so that one head's scores stay in the cache."""
    out = torch.empty_like(q)
    for h in range(q.shape[1]):
        scores = torch.mm(q[0, h] * q.shape[3] ** -0.5, keys[0, h].T)
        torch.mm(torch.softmax(scores, -1), values[0, h], out=out[0, h])
    return out


def _prompt() -> Case:
    q, cache = torch.randn(1, 32, PROMPT, 128).bfloat16(), torch.randn(2, 1, 8, 640, 128).bfloat16()
    k, v = cache[:, :, :, :PROMPT]
    sdpa = F.scaled_dot_product_attention
    return Case(
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


def _decode(slots: int) -> Case:
    """Lengths differ by up to 50, as those of windows do that began together."""
    caches = [torch.randn(2, slots, 8, 640, 128).bfloat16() for _ in range(LAYERS)]
    turns, theirs = cycle(caches), cycle(caches)
    q = torch.randn(slots, 32, 1, 128).bfloat16()
    lengths = [HELD + (slot * 29) % 50 for slot in range(slots)]
    longest = max(lengths)
    mask = (torch.arange(longest) < torch.tensor(lengths)[:, None])[:, None, None, :]

    def sdpa() -> Tensor:
        k, v = next(theirs)[:, :, :, :longest]
        grouped = q.reshape(slots, 8, 4, 128)
        return F.scaled_dot_product_attention(grouped, k, v, attn_mask=mask.expand(-1, -1, 4, -1))

    return Case(
        f"attention, a token of {slots} at {HELD}",
        lambda: ops.attention(q, *next(turns), lengths=lengths, causal=True),
        {"SDPA, grouped": sdpa},
        DECODER_LAYERS * TOKENS / slots,
        bytes=sum(lengths) * 2 * 8 * 128 * 2,
    )


# --- products -------------------------------------------------------------------------------------


def products() -> Iterator[Case]:
    """A layer of the language model."""
    weights = [torch.randn(shape).mul_(shape[1] ** -0.5) for shape in LAYER]
    ours = _layers(weights, ops.Int4Weight.pack)
    four, eight = _layers(weights, _torch_int4), _layers(weights, _torch_int8)
    count = sum(n * k for n, k in LAYER)
    for m in (1, 2, 4, 8, 16, PROMPT):
        xs = [torch.randn(m, k).bfloat16() for _, k in LAYER]
        peers = {"int8, row scales": _through(eight, xs, _run_int8)}
        if m < PROMPT:
            peers["int4"] = _through(four, xs, _run_int4)
        yield Case(
            f"a layer's products, {m} rows",
            _through(ours, xs, ops.linear_w4a8),
            peers,
            DECODER_LAYERS * (1 if m == PROMPT else TOKENS / m),
            operations=2 * m * count,
            bytes=count * 0.5625,
        )


def few() -> Iterator[Case]:
    """The same in eight bits, and the head, of as many rows as sequences decode together."""
    layer = [_packed(n, k) for n, k in LAYER]
    layers = [layer, *([_packed(n, k) for n, k in LAYER] for _ in range(LAYERS - 1))]
    head = [[_packed(131_072, 3072)]]
    for what, weights in (("a layer's products in eight bits", layers), ("the head", head)):
        for m in (1, 4, 8):
            xs = [torch.randn(m, each[0].inputs) for each in weights[0]]
            yield Case(
                f"{what}, {m} rows",
                _through(weights, xs, lambda x, w: ops.linear_w8a8(x, w[0])),
                {"oneDNN": _through(weights, xs, _run_onednn)},
                (DECODER_LAYERS if weights is layers else 1) * TOKENS / m,
                bytes=sum(each[0].packed.nbytes for each in weights[0]),
            )


def _packed(outputs: int, inputs: int) -> tuple[ops.Int8Weight, Tensor]:
    """One copy of the weights, for both."""
    rows = torch.randint(-127, 128, (outputs, inputs), dtype=torch.int8)
    held, order = onednn.packed_contents(onednn.prepack_int8(rows))
    weight = ops.Int8Weight(held, torch.rand(outputs), None, inputs)
    return weight, onednn.restore_packed(held, order, (inputs, outputs))


def _run_onednn(x: Tensor, packed: tuple[ops.Int8Weight, Tensor]) -> Tensor:
    """As `Int8Linear` has it: fewer than four rows are padded."""
    weight, theirs = packed
    q, scales = ops.quantize_rows(x)
    rows = F.pad(q, (0, 0, 0, max(0, 4 - len(x))))
    return onednn.int8_product(rows, 128, theirs, weight.scales)[: len(x)].mul_(scales)


def _layers(weights: list[Tensor], packed: Callable[[Tensor], Any]) -> list[list[Any]]:
    """The same layer several times, each in memory of its own."""
    return [[packed(w) for w in weights] for _ in range(LAYERS)]


def _through(
    layers: list[list[Any]], xs: list[Tensor], run: Callable[[Tensor, Any], Tensor]
) -> Work:
    turns = cycle(layers)
    return lambda: [run(x, w) for x, w in zip(xs, next(turns), strict=True)]


def _torch_int4(w: Tensor) -> tuple[Tensor, Tensor]:
    """Asymmetric in groups of 32, as `_weight_int4pack_mm_for_cpu` takes them."""
    groups = w.reshape(len(w), -1, 32)
    low, high = groups.amin(2), groups.amax(2)
    scale = (high - low) / 15
    q = ((groups - low[..., None]) / scale[..., None]).round().clamp(0, 15).to(torch.int32)
    both = torch.stack((scale, low + 8 * scale), -1).transpose(0, 1).contiguous().bfloat16()
    return torch.ops.aten._convert_weight_to_int4pack_for_cpu(q.flatten(1), 1), both  # noqa: SLF001


def _run_int4(x: Tensor, packed: tuple[Tensor, Tensor]) -> Tensor:
    out: Tensor = torch.ops.aten._weight_int4pack_mm_for_cpu(x, packed[0], 32, packed[1])  # noqa: SLF001
    return out


def _torch_int8(w: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    scale = w.abs().amax(1) / 127
    q = (w / scale[:, None]).round().to(torch.int8)
    zeros = torch.zeros(len(w), dtype=torch.int64)
    return torch.ops.onednn.qlinear_prepack(q, [PROMPT, w.shape[1]]), scale, zeros


def _run_int8(x: Tensor, packed: tuple[Tensor, Tensor, Tensor]) -> Tensor:
    """With our rows: eager ones are measured above."""
    q, scale = ops.quantize_rows(x)
    out: Tensor = torch.ops.onednn.qlinear_pointwise(
        q, 1.0, 128, *packed, None, 1.0, 0, torch.float32, "none", [], ""
    )
    return out.mul_(scale).bfloat16()


PARTS: dict[str, Callable[[], Iterator[Case]]] = {
    "rows": rows,
    "passes": passes,
    "attention": attention,
    "products": products,
    "few": few,
}

if __name__ == "__main__":
    main()
