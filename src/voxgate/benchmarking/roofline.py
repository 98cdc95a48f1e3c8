"""What this machine can do at most, and what a window would take if every part did.

The floor of a profile is no forecast: it is what is left when nothing but products and reading
weights takes time, each at the speed that was measured a moment ago.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.benchmarking.window import BENCH_TOKENS
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.kernels import onednn
from voxgate.voxtral.prompt import TOKENS_PER_CHUNK
from voxgate.voxtral.quantization.profiles import PROFILES, matrix_bytes

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.quantization.profiles import Profile, Scheme

MEMORY_READ_BYTES = 2**29  # larger than any cache
MATRIX_SIDE = 1024  # of the matrices whose product is timed
ROOFLINE_RUNS = 10  # of each: the fastest counts
PROMPT_TOKENS = TOKENS_PER_CHUNK + 10  # positions


@dataclass(frozen=True, slots=True)
class Roofline:
    """The fastest of some runs, with all of PyTorch's threads."""

    read_bytes_per_s: float
    wide_ops_per_s: float  # of float32 or bf16, whichever is faster here
    int8_ops_per_s: float


def measure_roofline() -> Roofline:
    """Measure this machine, for a few seconds. A multiplication and an addition are two."""
    memory = torch.ones(MEMORY_READ_BYTES // 4)
    dtype = onednn.many_rows_dtype()
    left, right = (
        torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=dtype),
        torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=dtype),
    )
    wide = 2 * MATRIX_SIDE**3 / _fastest(lambda: F.linear(left, right))
    return Roofline(MEMORY_READ_BYTES / _fastest(memory.sum), wide, _int8_ops(wide))


def roofline_rtf(config: VoxtralConfig, profile: Profile, at: Roofline) -> float:
    """The floor of 30 s of sound with 100 tokens in a profile."""
    schemes = PROFILES[profile]
    encoder, decoder = config.encoder, config.decoder
    width = encoder.width
    encoder_weights = encoder.layers * (4 * width**2 + 2 * width * encoder.ffn_width)
    attention = 4 * encoder.layers * ENCODER_POSITIONS**2 * width
    grouped = FRAMES_PER_TOKEN * width
    projector = TOKENS_PER_CHUNK * decoder.width * (grouped + decoder.width)
    layer = _layer_weights(config)
    seconds = (
        2 * encoder_weights * ENCODER_POSITIONS / _ops(schemes.encoder, at)
        + attention / at.wide_ops_per_s
        + 2 * projector / _ops(schemes.projector, at)
        + 2 * decoder.layers * layer * PROMPT_TOKENS / _ops(schemes.language_model, at)
    )
    token = decoder.layers * matrix_bytes((1, layer), schemes.language_model)
    token += matrix_bytes((decoder.vocabulary, decoder.width), schemes.head)
    return (seconds + BENCH_TOKENS * token / at.read_bytes_per_s) / CHUNK_S


def _layer_weights(config: VoxtralConfig) -> int:
    """Weights of one layer's matrices in the language model."""
    decoder = config.decoder
    attention = 2 * (decoder.heads + decoder.kv_heads) * decoder.head_dim * decoder.width
    return attention + 3 * decoder.width * decoder.ffn_width


def _ops(scheme: Scheme, at: Roofline) -> float:
    """Operations a second in a scheme; 4 bits could be multiplied as 8."""
    return at.int8_ops_per_s if scheme in {"int8", "int4"} else at.wide_ops_per_s


def _int8_ops(otherwise: float) -> float:
    """Of the integer product; where there is none, float32 stands in."""
    levels = onednn.int8_levels()
    if levels is None:
        return otherwise
    rows = onednn.prepack_int8(torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.int8))
    inputs, scales = (
        torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.uint8),
        torch.ones(MATRIX_SIDE),
    )
    product = _fastest(lambda: onednn.int8_product(inputs, levels + 1, rows, scales))
    return 2 * MATRIX_SIDE**3 / product


def _fastest(work: Callable[[], object]) -> float:
    took = []
    for _ in range(ROOFLINE_RUNS):
        began = time.perf_counter()
        work()
        took.append(time.perf_counter() - began)
    return min(took)
