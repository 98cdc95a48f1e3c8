"""The machine's roofline, and the real-time factor of a window at that limit.

The factor is a lower bound, not a forecast. It assumes that only products and reading weights take
time, each at the measured speed.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn import functional as F  # noqa: N812 (PyTorch's own name for it)

from voxgate.benchmarking.window import BENCH_TOKENS
from voxgate.hardware.cores import thread_count
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
MATRIX_SIDE = 1024  # of the timed products
ROOFLINE_RUNS = 10  # of each measurement: the fastest counts
PROMPT_TOKENS = TOKENS_PER_CHUNK + 10  # positions of a prompt


@dataclass(frozen=True, slots=True)
class Roofline:
    """The machine's limits, with all threads together."""

    read_bytes_per_s: float
    wide_ops_per_s: float  # of float32 or bf16, whichever is faster here
    int8_ops_per_s: float


def measure_roofline() -> Roofline:
    """Measure this machine with the threads of an engine. Takes a few seconds.

    A multiplication and an addition count as two operations.
    """
    torch.set_num_threads(thread_count())
    memory = torch.ones(MEMORY_READ_BYTES // 4)
    matrix = torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=onednn.many_rows_dtype())
    wide = 2 * MATRIX_SIDE**3 / _fastest_s(lambda: F.linear(matrix, matrix))
    read_bytes_per_s = MEMORY_READ_BYTES / _fastest_s(memory.sum)
    return Roofline(read_bytes_per_s, wide, _measure_int8_ops(wide))


def roofline_rtf(config: VoxtralConfig, profile: Profile, limits: Roofline) -> float:
    """Return the lowest real-time factor of 30 s of sound with 100 tokens in a profile."""
    schemes = PROFILES[profile]
    encoder, decoder = config.encoder, config.decoder
    width = encoder.width
    encoder_weights = encoder.layers * (4 * width**2 + 2 * width * encoder.ffn_width)
    attention = 4 * encoder.layers * ENCODER_POSITIONS**2 * width
    frames_width = FRAMES_PER_TOKEN * width
    projector = TOKENS_PER_CHUNK * decoder.width * (frames_width + decoder.width)
    layer = _layer_weights(config)
    seconds = (
        2 * encoder_weights * ENCODER_POSITIONS / _ops_per_s(schemes.encoder, limits)
        + attention / limits.wide_ops_per_s
        + 2 * projector / _ops_per_s(schemes.projector, limits)
        + 2 * decoder.layers * layer * PROMPT_TOKENS / _ops_per_s(schemes.language_model, limits)
    )
    token_bytes = decoder.layers * matrix_bytes((1, layer), schemes.language_model)
    token_bytes += matrix_bytes((decoder.vocabulary, decoder.width), schemes.head)
    return (seconds + BENCH_TOKENS * token_bytes / limits.read_bytes_per_s) / CHUNK_S


def _layer_weights(config: VoxtralConfig) -> int:
    """Return the number of weights in the matrices of one layer of the language model."""
    decoder = config.decoder
    attention = 2 * (decoder.heads + decoder.kv_heads) * decoder.head_dim * decoder.width
    return attention + 3 * decoder.width * decoder.ffn_width


def _ops_per_s(scheme: Scheme, limits: Roofline) -> float:
    """Return the operations a second in a scheme. 4-bit weights can be multiplied as 8-bit ones."""
    return limits.int8_ops_per_s if scheme in {"int8", "int4"} else limits.wide_ops_per_s


def _measure_int8_ops(default: float) -> float:
    """Return the operations a second of the integer product, or `default` without one."""
    levels = onednn.int8_levels()
    if levels is None:
        return default
    rows = onednn.prepack_int8(torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.int8))
    inputs, scales = (
        torch.ones(MATRIX_SIDE, MATRIX_SIDE, dtype=torch.uint8),
        torch.ones(MATRIX_SIDE),
    )
    product_s = _fastest_s(lambda: onednn.int8_product(inputs, levels + 1, rows, scales))
    return 2 * MATRIX_SIDE**3 / product_s


def _fastest_s(function: Callable[[], object]) -> float:
    elapsed_s = []
    for _ in range(ROOFLINE_RUNS):
        start_s = time.perf_counter()
        function()
        elapsed_s.append(time.perf_counter() - start_s)
    return min(elapsed_s)
