"""The device on which a model computes and the profile of its weights there."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from voxgate.hardware import gpu
from voxgate.models.footprint import memory_by_profile

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from voxgate.hardware.gpu import Gpu
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings

AUTO = "auto"
CPU_PROFILE, GPU_PROFILE = "balanced", "exact"
"""The profiles when none is requested. A GPU has no other: its kernels take 16 bits."""


def place_model(
    spec: ModelSpec,
    settings: Settings,
    find_gpus: Callable[[], Sequence[Gpu]] = gpu.visible_gpus,
) -> ModelSpec:
    """Return the model with its device and profile, if it has a choice of them, and its context.

    With the device `auto` this is the first GPU that supports bfloat16 and on which the model
    fits, within the memory that engines may take; it is the CPU without such a GPU, or when the
    requested profile is for CPUs only. What other programs use of the GPU now is not considered.
    A device that the settings name is not checked: its engine reports what is wrong with it.
    Raises `CheckpointError` for a broken checkpoint.
    """
    if spec.profile is None:
        return spec
    spec = replace(spec, context_tokens=settings.context_tokens)
    device = settings.device
    if device == AUTO:
        device = _choose_device(spec, settings, find_gpus)
    device = "cuda:0" if device == "cuda" else device
    default = CPU_PROFILE if device == "cpu" else GPU_PROFILE
    return spec.with_placement(device, default if settings.profile == AUTO else settings.profile)


def is_cpu_profile(profile: str) -> bool:
    """Return whether a profile is for CPUs only."""
    return profile not in {AUTO, GPU_PROFILE}


def _choose_device(
    spec: ModelSpec, settings: Settings, find_gpus: Callable[[], Sequence[Gpu]]
) -> str:
    """Return `cuda:N` for the first GPU on which the model fits, else `cpu`."""
    if is_cpu_profile(settings.profile):
        return "cpu"
    gpus = find_gpus()
    able = [n for n, found in enumerate(gpus) if found.capability >= gpu.BFLOAT16_CAPABILITY]
    if not able:
        return "cpu"
    need = memory_by_profile(spec.with_placement("cuda", GPU_PROFILE)).get(GPU_PROFILE)
    limit = settings.engine_memory_bytes
    fitting = (n for n in able if need is not None and need <= min(limit, gpus[n].total_bytes))
    return next((f"cuda:{n}" for n in fitting), "cpu")
