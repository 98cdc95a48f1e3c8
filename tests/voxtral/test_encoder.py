"""The encoder and the projector against those of transformers."""

import pytest
import torch

from tests.voxtral.reference import Reference, transformers
from tests.voxtral.signals import chirp
from voxgate.voxtral.encoder import sinusoids
from voxgate.voxtral.network import Network
from voxgate.voxtral.resumable import run_to_end

TOLERANCE = 1e-5


@torch.no_grad()
@pytest.mark.parametrize("seconds", [3.2, 30.0, 33.0, 65.0])
def test_frames_equal_the_references(
    network: Network, reference: Reference, seconds: float
) -> None:
    features = reference.features(chirp(seconds))
    ours, theirs = run_to_end(network.encoder(features)), reference.encoder(features)
    assert ours.shape == theirs.shape == (len(features), 1500, 64)
    assert (ours - theirs).abs().max() <= TOLERANCE


@torch.no_grad()
def test_chunks_are_independent(network: Network, reference: Reference) -> None:
    features = reference.features(chirp(65))
    together = run_to_end(network.encoder(features))
    for chunk, frames in zip(features, together, strict=True):
        assert (run_to_end(network.encoder(chunk[None]))[0] - frames).abs().max() <= TOLERANCE


@torch.no_grad()
def test_encoding_pauses_twice_a_layer_and_can_be_abandoned(
    network: Network, reference: Reference
) -> None:
    features = reference.features(chirp(3.2))
    assert len(list(network.encoder(features))) == 2 * len(network.encoder.layers) == 4
    computation = network.encoder(features)
    next(computation)
    computation.close()
    assert (
        run_to_end(network.encoder(features)) - reference.encoder(features)
    ).abs().max() <= TOLERANCE


@pytest.mark.parametrize("width", [64, 1280])
def test_positions_are_whispers(width: int) -> None:
    theirs = transformers.models.whisper.modeling_whisper.sinusoids(1500, width)
    assert sinusoids(1500, width).dtype == torch.float32
    assert (sinusoids(1500, width) - theirs).abs().max() <= 1e-6


@torch.no_grad()
@pytest.mark.parametrize(("seconds", "tokens"), [(3.2, 375), (33.0, 750), (65.0, 1125)])
def test_embeddings_equal_the_references(
    network: Network, reference: Reference, seconds: float, tokens: int
) -> None:
    features = reference.features(chirp(seconds))
    ours = network.projector(reference.encoder(features))
    assert ours.shape == (tokens, 96)
    assert (ours - reference.audio(features)).abs().max() <= TOLERANCE


@torch.no_grad()
def test_an_embedding_joins_four_frames_in_order(network: Network) -> None:
    frames = torch.randn(1, 1500, 64, generator=torch.Generator().manual_seed(5))
    whole = network.projector(frames)
    changed = frames.clone()
    changed[0, 8:12] = frames[0, [11, 10, 9, 8]]
    differs = (network.projector(changed) - whole).abs().amax(dim=1) > 1e-3
    assert differs.nonzero().flatten().tolist() == [2]
