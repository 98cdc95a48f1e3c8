"""The memory of engines, compared with the weights of a checkpoint."""

from dataclasses import replace

from tests.spoken_digits import CHECKPOINT
from voxgate.models.catalogue import find_model
from voxgate.models.footprint import GPU_RUNTIME_BYTES, memory_by_profile
from voxgate.models.placement import place_model
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint.directory import open_directory
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.quantization.profiles import weight_bytes


def test_on_a_gpu_weights_are_counted_as_they_are_stored() -> None:
    spec = find_model(str(CHECKPOINT))
    on_gpu = place_model(spec, Settings(device="cuda"))
    (need,) = memory_by_profile(on_gpu).values()
    checkpoint = Checkpoint.open(CHECKPOINT)
    weights = weight_bytes(open_directory(CHECKPOINT), "exact", "cuda:0")
    assert weights == checkpoint.nbytes(checkpoint.dtype)
    assert need > GPU_RUNTIME_BYTES + weights


def test_the_memory_of_an_answer_is_counted() -> None:
    """Of one, as long as the setting says and the model's context is."""
    spec = find_model(str(CHECKPOINT))
    context = Checkpoint.open(CHECKPOINT).config.decoder.context
    needs = [
        memory_by_profile(replace(spec, context_tokens=tokens))["balanced"]
        for tokens in (1024, 2048, context, 2**30)
    ]
    position = 2 * 2 * 4 * 2 * 48  # keys and values, 16 bits, layers, heads, their width
    assert needs[1] - needs[0] == 1024 * position
    assert needs[2] == needs[3]
    silent = replace(spec, capabilities=replace(spec.capabilities, answers=False))
    assert memory_by_profile(silent)["balanced"] == needs[0] - 1024 * position


def test_the_setting_reaches_a_placed_model() -> None:
    spec = find_model(str(CHECKPOINT))
    for device in ("cpu", "cuda"):
        placed = place_model(spec, Settings(device=device, context_tokens=5000))
        assert placed.context_tokens == 5000
