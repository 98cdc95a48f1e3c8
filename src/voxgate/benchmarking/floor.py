"""The lowest real-time factor that a machine's peak speeds allow, with which figures are compared.

It is a lower bound, not a forecast: only the products and reading the weights take time, each at
its peak. Everything else takes none: norms, softmax, reading keys and values, choosing tokens.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.benchmarking.window import BENCH_TOKENS
from voxgate.voxtral.checkpoint.config import ENCODER_POSITIONS, FRAMES_PER_TOKEN
from voxgate.voxtral.features import CHUNK_S
from voxgate.voxtral.prompt import TOKENS_PER_CHUNK
from voxgate.voxtral.quantization.profiles import PROFILES

if TYPE_CHECKING:
    from voxgate.benchmarking.roofline import Roofline
    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.quantization.profiles import Profile, Scheme, Schemes

PROMPT_TOKENS = TOKENS_PER_CHUNK + 10  # positions of a prompt
WEIGHT_BYTES: dict[Scheme, float] = {"fp32": 4, "bf16": 2, "int8": 1, "int4": 4.5 / 8}
"""What must be read of a weight. Four bits have a scale of 16 bits for each 32 weights."""


def floor_rtf(config: VoxtralConfig, profile: Profile, limits: Roofline, windows: int = 1) -> float:
    """Return the lowest real-time factor of so many windows, decoded together.

    A window is 30 s of sound with 100 tokens. Each is encoded and has its prompt computed. Then a
    step decodes a token of each window: it reads every weight once, or multiplies for as long as
    that takes, whichever is longer.
    """
    schemes = PROFILES[profile]
    opening_s = _encode_s(config, schemes, limits) + _prompt_s(config, schemes, limits)
    step_s = _step_s(config, schemes, limits, windows)
    return (windows * opening_s + BENCH_TOKENS * step_s) / (windows * CHUNK_S)


def _encode_s(config: VoxtralConfig, schemes: Schemes, limits: Roofline) -> float:
    """Return the seconds of a window's products in the encoder and the projector."""
    encoder, width = config.encoder, config.encoder.width
    weights = encoder.layers * (4 * width**2 + 2 * width * encoder.ffn_width)
    attention = 4 * encoder.layers * ENCODER_POSITIONS**2 * width
    frames_width, projected = FRAMES_PER_TOKEN * width, config.decoder.width
    projector = TOKENS_PER_CHUNK * projected * (frames_width + projected)
    return (
        2 * weights * ENCODER_POSITIONS / _ops_per_s(schemes.encoder, limits)
        + attention / limits.wide_ops_per_s
        + 2 * projector / _ops_per_s(schemes.projector, limits)
    )


def _prompt_s(config: VoxtralConfig, schemes: Schemes, limits: Roofline) -> float:
    """Return the seconds of a prompt's products in the language model."""
    operations = 2 * PROMPT_TOKENS * _language_model_weights(config)
    return operations / _ops_per_s(schemes.language_model, limits)


def _step_s(config: VoxtralConfig, schemes: Schemes, limits: Roofline, windows: int) -> float:
    """Return the seconds of a step that decodes a token of each window."""
    read_s = multiply_s = 0.0
    head = config.decoder.vocabulary * config.decoder.width
    for weights, scheme in (
        (_language_model_weights(config), schemes.language_model),
        (head, schemes.head),
    ):
        read_s += weights * WEIGHT_BYTES[scheme] / limits.read_bytes_per_s
        multiply_s += 2 * windows * weights / _ops_per_s(scheme, limits)
    return max(read_s, multiply_s)


def _language_model_weights(config: VoxtralConfig) -> int:
    """Return the number of weights in the matrices of the language model's layers."""
    decoder = config.decoder
    attention = 2 * (decoder.heads + decoder.kv_heads) * decoder.head_dim * decoder.width
    return decoder.layers * (attention + 3 * decoder.width * decoder.ffn_width)


def _ops_per_s(scheme: Scheme, limits: Roofline) -> float:
    """Return the operations a second in a scheme. 4-bit weights can be multiplied as 8-bit ones."""
    return limits.int8_ops_per_s if scheme in {"int8", "int4"} else limits.wide_ops_per_s
