"""Where a model computes, by what the settings say and what cards there are."""

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
from voxgate.models.footprint import GPU_RUNTIME_BYTES, memory_by_profile
from voxgate.models.placement import place_model
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.quantization.profiles import weight_bytes

LARGE = Gpu("GPU-1", "Large", (9, 0), total_bytes=2**36, free_bytes=2**36)
SMALL = replace(LARGE, name="Small", total_bytes=2**31)
OLD = replace(LARGE, name="Old", capability=(7, 5))


@pytest.fixture(scope="module")
def spec() -> ModelSpec:
    return find_model(str(CHECKPOINT))


@pytest.mark.parametrize(
    ("device", "profile", "cards", "where"),
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
def test_a_model_is_placed(
    spec: ModelSpec, device: str, profile: str, cards: list[Gpu], where: tuple[str, str]
) -> None:
    found = place_model(spec, Settings(device=device, profile=profile), lambda: cards)
    assert (found.device, found.profile) == where
    windows = VOXTRAL_CAPABILITIES.concurrency if where[0] == "cpu" else GPU_WINDOWS
    assert found.capabilities == replace(VOXTRAL_CAPABILITIES, concurrency=windows)
    assert found.profile in memory_by_profile(found)


def test_memory_that_engines_may_not_have_draws_no_model_to_a_card(spec: ModelSpec) -> None:
    need = memory_by_profile(spec.with_placement("cuda", "exact"))["exact"]
    for most, where in ((need - 1, "cpu"), (need, "cuda:0")):
        settings = Settings(engine_memory_bytes=most)
        assert place_model(spec, settings, lambda: [LARGE]).device == where


def test_a_model_that_comes_back_from_a_card_has_a_processors_windows(spec: ModelSpec) -> None:
    there = place_model(spec, Settings(), lambda: [LARGE])
    assert place_model(there, Settings(), list).capabilities == spec.capabilities


def test_a_model_without_a_choice_stays_where_it_is() -> None:
    sphinx = BUILT_IN_MODELS["cmusphinx/en-us"]
    assert place_model(sphinx, Settings(device="cuda"), lambda: [LARGE]) is sphinx


def test_on_a_card_weights_are_counted_as_they_are_stored(spec: ModelSpec) -> None:
    on_card = place_model(spec, Settings(device="cuda"))
    (need,) = memory_by_profile(on_card).values()
    checkpoint = Checkpoint.open(CHECKPOINT)
    weights = weight_bytes(open_directory(CHECKPOINT), "exact", "cuda:0")
    assert weights == checkpoint.nbytes(checkpoint.dtype)
    assert need > GPU_RUNTIME_BYTES + weights


def test_a_model_is_placed_without_pytorch() -> None:
    """The server places models; its process has no use for PyTorch."""
    code = f"""
import sys
from voxgate.models.catalogue import find_model
from voxgate.models.placement import place_model
from voxgate.settings import Settings
place_model(find_model({str(CHECKPOINT)!r}), Settings())
assert "torch" not in sys.modules
"""
    subprocess.run([sys.executable, "-c", code], check=True)
