"""The projector against transformers': four frames to one embedding, chunks one after the other."""

import pytest
import torch

from tests.voxtral.reference import Reference
from tests.voxtral.signals import chirp
from voxgate.voxtral.network import Network

TOLERANCE = 1e-5


@torch.no_grad()
@pytest.mark.parametrize(("seconds", "tokens"), [(3.2, 375), (33.0, 750), (65.0, 1125)])
def test_embeddings_are_the_references(
    network: Network, reference: Reference, seconds: float, tokens: int
) -> None:
    features = reference.features(chirp(seconds))
    ours = network.projector(reference.encoder(features))
    assert ours.shape == (tokens, 96)
    assert (ours - reference.audio(features)).abs().max() <= TOLERANCE


@torch.no_grad()
def test_an_embedding_is_made_of_four_frames_in_their_order(network: Network) -> None:
    frames = torch.randn(1, 1500, 64, generator=torch.Generator().manual_seed(5))
    whole = network.projector(frames)
    changed = frames.clone()
    changed[0, 8:12] = frames[0, [11, 10, 9, 8]]
    differs = (network.projector(changed) - whole).abs().amax(dim=1) > 1e-3
    assert differs.nonzero().flatten().tolist() == [2]
