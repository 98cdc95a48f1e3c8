"""What an engine takes of memory, computed before anything is loaded."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.models.checkpoint import open_checkpoint
from voxgate.whisper.directory import WhisperDirectory
from voxgate.whisper.footprint import engine_bytes

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.models.catalogue import ModelSpec
    from voxgate.voxtral.checkpoint.config import DecoderConfig

GPU_RUNTIME_BYTES = 2 * 2**30
"""On a GPU, beside weights and KV cache: the CUDA context, the libraries' workspaces, the
activations of an encoder batch and recorded CUDA graphs. An estimate, not a measurement."""

CPU_RUNTIME_BYTES = 400 * 2**20
"""Of an engine with PyTorch, beside its weights: 290 MiB at rest, the rest for a window's
activations."""

WINDOW_POSITIONS = 850
"""KV cache positions for 30 s: 375 of audio, a dozen of the prompt, at most 452 of text."""


def memory_by_profile(spec: ModelSpec) -> Mapping[str | None, int]:
    """Return the total bytes on the spec's device by profile, the most exact profile first.

    The spec's own profile is included. For a checkpoint the headers of its files are read, which
    takes milliseconds. Empty when the libraries that would load it are not installed. Raises
    `CheckpointError` for broken headers.
    """
    if spec.checkpoint is None:
        return {spec.profile: spec.memory_bytes}
    checkpoint = open_checkpoint(spec.checkpoint)
    if isinstance(checkpoint, WhisperDirectory):
        return {spec.profile: engine_bytes(checkpoint, spec.capabilities.concurrency)}
    try:
        from voxgate.voxtral.quantization.profiles import PROFILES, weight_bytes  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return {}
    cache = _cache_bytes(spec, checkpoint.config.decoder)
    if spec.device != "cpu":
        weights = weight_bytes(checkpoint, "exact", spec.device)
        return {"exact": GPU_RUNTIME_BYTES + cache + weights}
    return {
        profile: CPU_RUNTIME_BYTES + cache + weight_bytes(checkpoint, profile)
        for profile in PROFILES
    }


def _cache_bytes(spec: ModelSpec, decoder: DecoderConfig) -> int:
    """Return the bytes of keys and values, in 16 bits, of all concurrent windows and one answer.

    An engine has more slots for answers where memory is free when it starts.
    """
    position = 2 * 2 * decoder.layers * decoder.kv_heads * decoder.head_dim
    windows = WINDOW_POSITIONS * spec.capabilities.concurrency
    answer = min(spec.context_tokens, decoder.context) if spec.capabilities.answers else 0
    return position * (windows + answer)
