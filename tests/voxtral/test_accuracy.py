"""The word error rate of each profile: 300 recordings of held-out digits, in the same windows.

Both quantized profiles have the same encoder and projector, so their embeddings are shared.
"""

import random
import shutil
from collections.abc import Sequence
from pathlib import Path

import jiwer
import numpy as np
import pytest
from torch import Tensor

from tests.spoken_digits import CHECKPOINT, Spoken, phrase, takes
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.quantization import int8, weight_cache
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.transcription import TranscriptionState

SEED, BATCH_SIZE = 4, 25  # windows per batch


@pytest.fixture(scope="module")
def spoken() -> list[Spoken]:
    """Half of them one digit, half sequences of two to eight; equally from all speakers."""
    rng = random.Random(SEED)
    speakers = list(takes().values())
    sizes = [1] * 150 + [2 + number % 7 for number in range(150)]
    return [phrase(rng, speakers[n % len(speakers)], size) for n, size in enumerate(sizes)]


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shutil.copytree(CHECKPOINT, tmp_path_factory.mktemp("accuracy") / "digits")


@pytest.mark.parametrize("every", [4, pytest.param(1, marks=pytest.mark.long)])
def test_word_error_rates_of_the_profiles(folder: Path, spoken: list[Spoken], every: int) -> None:
    some = spoken[::every]
    sounds, texts = [each.at_16_khz() for each in some], [each.text for each in some]
    exact, balanced, fast = (Voxtral.load(folder, p) for p in ("exact", "balanced", "fast"))
    right = errors(texts, decode_windows(exact, run_to_end(exact.encode(sounds))))
    audio = run_to_end(balanced.encode(sounds))
    rates = {"balanced": errors(texts, decode_windows(balanced, audio)),
             "fast": errors(texts, decode_windows(fast, audio))}  # fmt: skip
    print(f"word error rates: exact {right:.4f}, {rates}")
    assert right <= 0.05
    assert rates["balanced"] <= right + 0.005
    assert rates["fast"] <= right + 0.015


def test_two_bits_exceed_the_allowed_loss(
    folder: Path, spoken: list[Spoken], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A control that the test above can fail. Every seventh recording suffices."""
    monkeypatch.setattr(int8, "INT8_LEVELS", 1)  # of the weights: -1, 0 and 1
    monkeypatch.setattr(weight_cache, "CACHE_FORMAT", "two bits")
    some = spoken[::7]
    sounds, texts = [each.at_16_khz() for each in some], [each.text for each in some]
    two_bits = Voxtral.load(folder, "balanced")
    rate = errors(texts, decode_windows(two_bits, run_to_end(two_bits.encode(sounds))))
    print(f"word error rate with two bits: {rate:.4f}")
    assert rate > 0.05 + 0.015


def decode_windows(model: Voxtral, audio: Sequence[Tensor]) -> list[str]:
    """Decode encoded windows, one batch after the other."""
    texts: list[str] = []
    for start in range(0, len(audio), BATCH_SIZE):
        texts += _decode_batch(model, audio[start : start + BATCH_SIZE])
    return texts


def _decode_batch(model: Voxtral, audio: Sequence[Tensor]) -> list[str]:
    prompt = transcription_prompt(model.tokenizer, 1)
    # Only the duration of the samples matters: `audio` has the embeddings.
    silence = np.zeros(30 * 16_000, np.float32)
    states = [TranscriptionState(model.tokenizer, silence, max_tokens=40) for _ in audio]
    cache = model.new_cache(len(audio), len(prompt) + 40)
    slots = [cache.allocate() for _ in audio]
    logits = [
        run_to_end(model.prefill(cache, slot, prompt, each))
        for slot, each in zip(slots, audio, strict=True)
    ]
    active = list(range(len(audio)))
    while active:
        choices = zip(active, logits, strict=True)
        active = [n for n, row in choices if states[n].choose_next(row)]
        if active:
            logits = list(
                run_to_end(
                    model.step(
                        cache, [slots[n] for n in active], [states[n].last_token for n in active]
                    )
                )
            )
    return [state.result().text for state in states]


def errors(texts: list[str], transcripts: list[str]) -> float:
    return float(jiwer.wer(texts, [" ".join(text.split()) for text in transcripts]))
