"""The encoder against transformers', chunk by chunk and stage by stage."""

import pytest
import torch

from tests.voxtral.reference import Reference, transformers
from tests.voxtral.signals import chirp
from voxgate.voxtral.encoder import sinusoids
from voxgate.voxtral.network import Network

TOLERANCE = 1e-5


@torch.no_grad()
@pytest.mark.parametrize("seconds", [3.2, 30.0, 33.0, 65.0])
def test_frames_are_the_references(network: Network, reference: Reference, seconds: float) -> None:
    features = reference.features(chirp(seconds))
    ours, theirs = network.encoder(features), reference.encoder(features)
    assert ours.shape == theirs.shape == (len(features), 1500, 64)
    assert (ours - theirs).abs().max() <= TOLERANCE


@torch.no_grad()
def test_chunks_do_not_see_each_other(network: Network, reference: Reference) -> None:
    features = reference.features(chirp(65))
    together = network.encoder(features)
    for chunk, frames in zip(features, together, strict=True):
        assert (network.encoder(chunk[None])[0] - frames).abs().max() <= TOLERANCE


@torch.no_grad()
def test_encoding_pauses_twice_a_layer_and_can_be_abandoned(
    network: Network, reference: Reference
) -> None:
    features = reference.features(chirp(3.2))
    assert len(list(network.encoder.steps(features))) == 2 * len(network.encoder.layers) == 4
    begun = network.encoder.steps(features)
    next(begun)
    begun.close()
    assert (network.encoder(features) - reference.encoder(features)).abs().max() <= TOLERANCE


@pytest.mark.parametrize("width", [64, 1280])
def test_positions_are_whispers(width: int) -> None:
    theirs = transformers.models.whisper.modeling_whisper.sinusoids(1500, width)
    assert sinusoids(1500, width).dtype == torch.float32
    assert (sinusoids(1500, width) - theirs).abs().max() <= 1e-6
