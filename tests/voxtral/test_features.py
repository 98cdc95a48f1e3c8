"""Features against transformers' feature extractor, and constants that follow from its rules."""

import io

import numpy as np
import pytest
import soundfile  # type: ignore[import-untyped]
import torch

from tests.voxtral.reference import Reference, transformers
from tests.voxtral.signals import RATE, chirp
from voxgate.errors import UsageError
from voxgate.voxtral.features import count_chunks, log_mel, mel_filters, prepare_samples

TOLERANCE = 1e-6


@pytest.mark.parametrize("seconds", [0.01, 3.2, 30.0, 33.0, 65.0])
def test_features_equal_the_references(reference: Reference, seconds: float) -> None:
    ours, theirs = log_mel(prepare_samples(chirp(seconds))), reference.features(chirp(seconds))
    assert ours.dtype == torch.float32
    assert ours.shape == theirs.shape
    assert (ours - theirs).abs().max() <= TOLERANCE


def test_samples_beyond_16_bits_are_rounded_and_clipped_as_in_the_reference(
    reference: Reference,
) -> None:
    fine = np.random.default_rng(3).normal(0, 0.4, 2 * RATE).astype(np.float32)
    assert np.abs(fine).max() > 1.2
    fine[RATE:] *= 1e-4  # a few 16-bit steps, where rounding dominates
    difference = log_mel(prepare_samples(fine)) - reference.features(fine)
    assert difference.abs().max() <= TOLERANCE


def test_the_scale_is_set_by_the_whole_pass(reference: Reference) -> None:
    """A check of the test data: features of single chunks differ visibly."""
    sound, cut = prepare_samples(chirp(33)), 30 * RATE
    apart = torch.cat([log_mel(sound[:cut]), log_mel(sound[cut:])])
    assert (apart - reference.features(chirp(33))).abs().max() > 0.1


def test_samples_have_the_precision_of_a_wav_file() -> None:
    steps = np.array([-0.6, -0.5, -0.4, -1e-7, 0.0, 1e-7, 0.4, 0.5, 0.6, 1.0, -1.0, 1.5, -1.5])
    sound = np.concatenate([steps / 32768, steps, 0.9 + steps / 32768]).astype(np.float32)
    file = io.BytesIO()
    soundfile.write(file, sound, RATE, format="WAV", subtype="PCM_16")
    file.seek(0)
    through_file, _ = soundfile.read(file, dtype="float32")
    assert prepare_samples(sound).tolist() == through_file.tolist()


def test_every_16_bit_value_survives() -> None:
    exact = np.arange(-32768, 32768).astype(np.float32) / 32768
    assert prepare_samples(exact).tolist() == exact.tolist()


def test_the_callers_samples_are_unchanged() -> None:
    sound = np.full(100, 0.3, np.float32)
    prepare_samples(sound)
    assert (sound == np.float32(0.3)).all()


def test_filters_equal_the_references_and_are_not_empty() -> None:
    mel_filter_bank = transformers.audio_utils.mel_filter_bank
    theirs = mel_filter_bank(201, 128, 0.0, 8000.0, RATE, norm="slaney", mel_scale="slaney")
    ours = mel_filters(128)
    assert ours.shape == (201, 128)
    assert bool((ours.sum(0) > 0).all())
    assert np.abs(ours.numpy() - theirs).max() <= 1e-8


def test_digital_silence_has_one_value() -> None:
    assert set(log_mel(torch.zeros(30 * RATE)).flatten().tolist()) == {-1.5}


@pytest.mark.parametrize(
    ("samples", "tokens"),
    [(1, 375), (479_984, 375), (480_000, 375), (480_016, 750), (65 * RATE, 1125)],
)
def test_a_partial_chunk_counts(reference: Reference, samples: int, tokens: int) -> None:
    sound = chirp(samples / RATE)
    assert len(sound) == samples
    chunks = tokens // 375
    assert count_chunks(prepare_samples(sound)) == chunks
    assert log_mel(prepare_samples(sound)).shape == (chunks, 128, 3000)
    assert reference.prompt(sound).count(24) == tokens


@pytest.mark.parametrize(
    ("sound", "sentence"),
    [
        (np.zeros(0, np.float32), "no sample"),
        (np.zeros(601 * RATE, np.float32), r"601\.0 s.*600 s"),
        (np.zeros(600 * RATE + 1, np.float32), "600 s"),
        (np.array([0.0, np.nan], np.float32), "not finite"),
        (np.array([0.0, -np.inf], np.float32), "not finite"),
        (np.zeros((2, 16), np.float32), "one channel"),
        (np.float32(0.5), "one channel"),
    ],
)
def test_invalid_samples_are_refused(sound: np.ndarray, sentence: str) -> None:
    with pytest.raises(UsageError, match=sentence):
        prepare_samples(sound)


def test_600_s_are_accepted() -> None:
    assert count_chunks(prepare_samples(np.zeros(600 * RATE, np.float32))) == 20
