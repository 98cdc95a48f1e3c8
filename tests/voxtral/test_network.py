"""The shapes of the published models, without their weights."""

import pytest
import torch

from voxgate.voxtral.checkpoint.config import DecoderConfig, EncoderConfig, VoxtralConfig
from voxgate.voxtral.checkpoint.weight_names import file_tensor_name
from voxgate.voxtral.network import Network

ENCODER = EncoderConfig(mels=128, width=1280, layers=32, heads=20, ffn_width=5120)


def network(width: int, layers: int, ffn_width: int) -> Network:
    decoder = DecoderConfig(
        width=width, layers=layers, heads=32, kv_heads=8, head_dim=128, ffn_width=ffn_width,
        vocabulary=131_072, context=131_072, rope_theta=1e8, norm_eps=1e-5,
    )  # fmt: skip
    with torch.device("meta"):
        return Network(VoxtralConfig(ENCODER, decoder))


MINI, SMALL = (3072, 30, 8192), (5120, 40, 32_768)


@pytest.mark.parametrize(
    ("shape", "total", "projector", "tensors"),
    [(MINI, 4_676_271_104, 25_165_824, 762), (SMALL, 24_261_800_960, 52_428_800, 852)],
    ids=["Mini 3B", "Small 24B"],
)
def test_sizes_are_the_published(
    shape: tuple[int, int, int], total: int, projector: int, tensors: int
) -> None:
    ours = network(*shape)
    assert sum(weight.numel() for weight in ours.parameters()) == total
    assert sum(weight.numel() for weight in ours.encoder.parameters()) == 636_968_960
    assert sum(weight.numel() for weight in ours.projector.parameters()) == projector
    names = [name for name, _ in ours.named_parameters()]
    assert len({file_tensor_name(name, "hf") for name in names}) == tensors
    assert len({file_tensor_name(name, "mistral") for name in names} - {None}) == tensors - 1
