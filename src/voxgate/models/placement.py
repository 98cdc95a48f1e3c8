"""Where a model computes, and how its weights are held there: as settings say, or leave open."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from voxgate.engine.planner import RESERVED
from voxgate.hardware import gpu

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from voxgate.hardware.gpu import Gpu
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings
    from voxgate.voxtral.checkpoint.config import DecoderConfig


# MERGED engine.footprints
# What a model's engine will take of memory, known before anything is loaded.

GPU_RUNTIME_BYTES = 2 * 2**30
"""On a card, but for weights and cache: its context, its libraries' workspaces, what a batch of the
encoder computes, recorded steps. Reckoned, not measured."""

CPU_RUNTIME_BYTES = 400 * 2**20
"""Of an engine with PyTorch, but for its weights: 290 MiB at rest, the rest for a window's work."""

WINDOW_POSITIONS = 850
"""Of the cache for 30 s: 375 of sound, a dozen of the prompt, at most 452 of text."""


def memory_by_profile(spec: ModelSpec) -> Mapping[str | None, int]:
    """Bytes by profile, the most exact first, all included. The spec's own profile is among them.

    They are of the spec's device. Of a checkpoint its headers are read: milliseconds. Raises
    `CheckpointError` for broken ones. Empty where the libraries that would load it are not
    installed.
    """
    if spec.checkpoint is None:
        return {spec.profile: spec.memory_bytes}
    try:
        from voxgate.voxtral.quantization.profiles import PROFILES, weight_bytes  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return {}
    from voxgate.voxtral.checkpoint.directory import open_directory  # noqa: PLC0415 (as above)

    folder = open_directory(spec.checkpoint)
    rest = _cache_bytes(spec, folder.config.decoder)
    if spec.device != "cpu":
        return {"exact": GPU_RUNTIME_BYTES + rest + weight_bytes(folder, "exact", spec.device)}
    return {
        profile: CPU_RUNTIME_BYTES + rest + weight_bytes(folder, profile) for profile in PROFILES
    }


def _cache_bytes(spec: ModelSpec, decoder: DecoderConfig) -> int:
    """Of keys and values of all windows at once, in 16 bits."""
    position = 2 * 2 * decoder.layers * decoder.kv_heads * decoder.head_dim
    return position * WINDOW_POSITIONS * (spec.capabilities.concurrency + RESERVED)


# MERGED engine.precision
# How precisely a model's weights are held, in OpenRouter's words (openrouter-api.md 4.4).

UNKNOWN_PRECISION = "unknown"
STORED_PRECISION = {"BF16": "bf16", "F16": "fp16", "F32": "fp32"}  # by safetensors' own names


def precision_of(spec: ModelSpec) -> str:
    """The type of most of the weights in the spec's profile; `unknown` where nobody says.

    In the exact profile it is the type that they are stored in: weights that are widened when they
    are loaded are no more precise for that. Of it headers are read: milliseconds. Raises
    `CheckpointError` for broken ones.
    """
    if spec.checkpoint is None or spec.profile is None:
        return UNKNOWN_PRECISION
    try:
        from voxgate.voxtral.quantization import profiles  # noqa: PLC0415 (it needs an extra)
    except ModuleNotFoundError:
        return UNKNOWN_PRECISION
    schemes = profiles.PROFILES[profiles.parse_profile(spec.profile)]
    return schemes.language_model if schemes.quantised else _stored(spec.checkpoint)


def _stored(checkpoint: Path) -> str:
    from voxgate.voxtral.checkpoint.directory import open_directory  # noqa: PLC0415 (who asks for no checkpoint needs none)
    from voxgate.voxtral.checkpoint.safetensors_file import read_header  # noqa: PLC0415 (as above)

    nbytes = Counter[str]()
    for path in open_directory(checkpoint).files:
        for tensor in read_header(path).values():
            nbytes[tensor.dtype] += tensor.nbytes
    return STORED_PRECISION[max(nbytes, key=nbytes.__getitem__)]


AUTO = "auto"
CPU_PROFILE, GPU_PROFILE = "balanced", "exact"
"""The profiles where none is asked for. A card has no other: its kernels know 16 bits."""


def place_model(
    spec: ModelSpec, settings: Settings, here: Callable[[], Sequence[Gpu]] = gpu.visible_gpus
) -> ModelSpec:
    """The model on its device and in its profile, where it has a choice of them.

    Left open, the device is the first card that computes with bfloat16 and is large enough, within
    the memory that engines may have, unless the profile is one of a processor's; else the
    processor. What other programs have on it at the moment is not looked at. A device that is
    named is believed: its engine says what is wrong with it. Raises `CheckpointError` for a
    broken one.
    """
    if spec.profile is None:
        return spec
    if (device := settings.device) == AUTO:
        most = settings.engine_memory_bytes
        card = None if is_cpu_profile(settings.profile) else _first(spec, here(), most)
        device = "cpu" if card is None else f"cuda:{card}"
    device = "cuda:0" if device == "cuda" else device
    usual = CPU_PROFILE if device == "cpu" else GPU_PROFILE
    return spec.on(device, usual if settings.profile == AUTO else settings.profile)


def is_cpu_profile(profile: str) -> bool:
    """Whether a profile is for a processor alone."""
    return profile not in {AUTO, GPU_PROFILE}


def _first(spec: ModelSpec, found: Sequence[Gpu], most: float) -> int | None:
    """The number of the first card that the model can be on, with `most` bytes for engines."""
    able = [n for n, card in enumerate(found) if card.capability >= gpu.BFLOAT16_CAPABILITY]
    if not able:
        return None
    need = memory_by_profile(spec.on("cuda", GPU_PROFILE)).get(GPU_PROFILE)
    fitting = (n for n in able if need is not None and need <= min(most, found[n].total_bytes))
    return next(fitting, None)
