"""The device and profile of a model, by the settings and the GPUs."""

import subprocess
import sys
from dataclasses import replace

import pytest

from tests.spoken_digits import CHECKPOINT
from voxgate.hardware.gpu import Gpu
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    GPU_WINDOWS,
    VOXTRAL_CAPABILITIES,
    ModelSpec,
    find_model,
)
from voxgate.models.footprint import memory_by_profile
from voxgate.models.placement import place_model
from voxgate.settings import Settings

LARGE = Gpu("GPU-1", "Large", (9, 0), total_bytes=2**36, free_bytes=2**36)
SMALL = replace(LARGE, name="Small", total_bytes=2**31)
OLD = replace(LARGE, name="Old", capability=(7, 5))


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return find_model(str(CHECKPOINT))


@pytest.mark.parametrize(
    ("device", "profile", "gpus", "expected"),
    [
        ("auto", "auto", [], ("cpu", "balanced")),
        ("auto", "auto", [LARGE], ("cuda:0", "exact")),
        ("auto", "exact", [LARGE], ("cuda:0", "exact")),
        ("auto", "fast", [LARGE], ("cpu", "fast")),
        ("auto", "auto", [OLD], ("cpu", "balanced")),
        ("auto", "auto", [SMALL], ("cpu", "balanced")),
        ("auto", "auto", [OLD, SMALL, LARGE], ("cuda:2", "exact")),
        ("auto", "exact", [OLD], ("cpu", "exact")),
        ("cpu", "auto", [LARGE], ("cpu", "balanced")),
        ("cpu", "fast", [LARGE], ("cpu", "fast")),
        ("cuda", "auto", [], ("cuda:0", "exact")),
        ("cuda:1", "exact", [OLD], ("cuda:1", "exact")),
    ],
)
def test_the_device_and_profile_of_a_model(
    spec: ModelSpec, device: str, profile: str, gpus: list[Gpu], expected: tuple[str, str]
) -> None:
    found = place_model(spec, Settings(device=device, profile=profile), lambda: gpus)
    assert (found.device, found.profile) == expected
    windows = VOXTRAL_CAPABILITIES.concurrency if expected[0] == "cpu" else GPU_WINDOWS
    drafts = expected[1] != "exact"
    assert found.capabilities == replace(VOXTRAL_CAPABILITIES, concurrency=windows, drafts=drafts)
    assert found.profile in memory_by_profile(found)


def test_a_model_beyond_the_memory_limit_of_engines_is_not_placed_on_a_gpu(spec: ModelSpec) -> None:
    need = memory_by_profile(spec.with_placement("cuda", "exact"))["exact"]
    for limit, expected in ((need - 1, "cpu"), (need, "cuda:0")):
        settings = Settings(engine_memory_bytes=limit)
        assert place_model(spec, settings, lambda: [LARGE]).device == expected


def test_a_model_that_returns_from_a_gpu_has_the_windows_of_a_cpu(spec: ModelSpec) -> None:
    there = place_model(spec, Settings(), lambda: [LARGE])
    assert place_model(there, Settings(), list).capabilities == spec.capabilities


def test_a_model_without_profiles_is_not_placed() -> None:
    whisper = BUILT_IN_MODELS["Systran/faster-whisper-base"]
    assert place_model(whisper, Settings(device="cuda"), lambda: [LARGE]) is whisper


def test_placement_does_not_import_torch() -> None:
    """The server places models, and its process does not need PyTorch."""
    code = f"""
import sys
from voxgate.models.catalogue import find_model
from voxgate.models.placement import place_model
from voxgate.settings import Settings
place_model(find_model({str(CHECKPOINT)!r}), Settings())
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
