"""The memory of engines, compared with the weights of a checkpoint."""

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
