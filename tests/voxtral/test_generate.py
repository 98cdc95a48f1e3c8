"""`generate` against transformers' own, id by id; what decides its text, and what must not."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.voxtral import checkpoints
from tests.voxtral.reference import Reference
from tests.voxtral.signals import RATE, chirp
from voxgate.errors import UnsupportedLanguageError, UsageError
from voxgate.voxtral.model import Voxtral

EOS, PAD, CAPITAL = 2, 11, 32_000
TOKENS = 12
CASES = [(3.2, None), (3.2, "en"), (30.0, None), (33.0, None), (65.0, "de")]


@pytest.mark.parametrize(("seconds", "language"), CASES)
def test_greedy_ids_and_logprobs_are_the_references(
    voxtral: Voxtral, reference: Reference, seconds: float, language: str | None
) -> None:
    sound = chirp(seconds)
    generation = voxtral.generate(sound, language, TOKENS)
    (expected,) = reference.greedy([sound], language, TOKENS)
    assert list(generation.token_ids) == expected
    assert generation.finish == "length"
    assert generation.text == voxtral.tokenizer.decode(expected)
    logits = reference.logits(sound, language, expected)[-TOKENS - 1 : -1]
    logprobs = logits.log_softmax(-1)[torch.arange(TOKENS), expected]
    assert np.abs(np.array(generation.logprobs) - logprobs.numpy()).max() <= 5e-5


def test_ids_are_those_of_the_references_batch(voxtral: Voxtral, reference: Reference) -> None:
    recordings = [chirp(3.2), chirp(33)]
    expected = reference.greedy(recordings, None, TOKENS)
    ours = [list(voxtral.generate(one, None, TOKENS).token_ids) for one in recordings]
    assert ours == expected


def test_sound_of_any_precision_is_taken_as_the_reference_takes_it(
    voxtral: Voxtral, reference: Reference
) -> None:
    fine = np.random.default_rng(3).normal(0, 3e-5, 2 * RATE).astype(np.float32)
    expected = reference.greedy([fine], None, TOKENS)[0]
    for sound in (fine, fine.tolist(), torch.from_numpy(fine)):
        assert list(voxtral.generate(sound, None, TOKENS).token_ids) == expected


@pytest.mark.parametrize("end", [EOS, PAD])
@pytest.mark.parametrize("place", [0, 5])
def test_an_end_token_ends_it(hf: Path, tmp_path: Path, end: int, place: int) -> None:
    """The head's rows are swapped, so that the end comes where another token came."""
    whole = Voxtral.load(hf, dtype=torch.float32).generate(chirp(3.2), None, TOKENS).token_ids
    place = whole.index(whole[place])
    swapped = checkpoints.altered(
        hf, tmp_path / "ends", lambda weights: swap(weights, whole[place], end)
    )
    generation = Voxtral.load(swapped, dtype=torch.float32).generate(chirp(3.2))
    assert generation.token_ids == whole[:place]
    assert len(generation.logprobs) == place
    assert generation.finish == "end"
    if end == EOS:
        assert Reference(swapped).greedy([chirp(3.2)], None, 99)[0] == [*whole[:place], end]


def swap(weights: dict[str, torch.Tensor], one: int, other: int) -> None:
    head = weights["language_model.lm_head.weight"]
    head[[one, other]] = head[[other, one]].clone()


def test_an_ordinary_word_of_the_published_vocabulary_does_not_end_it(
    published: Path, tmp_path: Path
) -> None:
    third = Reference(published).greedy([chirp(3.2)], "en", 3)[0][2]
    capital = checkpoints.altered(
        published, tmp_path / "capital", lambda weights: swap(weights, third, CAPITAL)
    )
    expected = Reference(capital).greedy([chirp(3.2)], "en", TOKENS)[0]
    assert CAPITAL in expected
    generation = Voxtral.load(capital).generate(chirp(3.2), "en", TOKENS)
    assert list(generation.token_ids) == expected
    assert " Capital" in generation.text


def test_without_a_limit_it_goes_on_to_the_cap_for_its_sound(
    voxtral: Voxtral, reference: Reference
) -> None:
    generation = voxtral.generate(chirp(1.0))
    assert len(generation.token_ids) == 14 + 32
    assert list(generation.token_ids) == reference.greedy([chirp(1.0)], None, 46)[0]
    assert generation.finish == "runaway"


def test_a_stop_string_ends_the_text_before_it(voxtral: Voxtral) -> None:
    text = voxtral.generate(chirp(3.2), None, TOKENS).text
    stop = text[len(text) // 2 :][:3]
    generation = voxtral.generate(chirp(3.2), None, TOKENS, stop=[stop])
    assert generation.text == text[: text.index(stop)]
    assert generation.finish == "stop"


def test_penalties_change_what_repeats(voxtral: Voxtral) -> None:
    plain = voxtral.generate(chirp(1.0)).token_ids
    assert len(set(plain)) < len(plain)  # as a check of the material
    penalised = voxtral.generate(chirp(1.0), frequency_penalty=2.0, presence_penalty=2.0)
    assert len(set(penalised.token_ids)) > len(set(plain))


def test_a_seed_decides_the_draws_whatever_ran_before(voxtral: Voxtral) -> None:
    def draw(seed: int | None) -> tuple[int, ...]:
        generation = voxtral.generate(chirp(3.2), None, TOKENS, temperature=1.0, seed=seed)
        return generation.token_ids

    first = draw(7)
    assert draw(8) != first
    assert draw(None) != draw(None)
    voxtral.generate(chirp(1.0, seed=2), None, 3)
    assert draw(7) == first


def test_confidence_and_logprobs_are_the_models_own_when_drawn(
    voxtral: Voxtral, reference: Reference
) -> None:
    generation = voxtral.generate(chirp(3.2), None, TOKENS, temperature=1.5, top_p=0.9, seed=3)
    logits = reference.logits(chirp(3.2), None, generation.token_ids)[-TOKENS - 1 : -1]
    logprobs = logits.log_softmax(-1)[torch.arange(TOKENS), list(generation.token_ids)]
    assert np.abs(np.array(generation.logprobs) - logprobs.numpy()).max() <= 5e-5
    assert generation.confidence == pytest.approx(float(logprobs.mean().exp()), rel=1e-4)


def test_what_means_nothing_is_refused(voxtral: Voxtral) -> None:
    with pytest.raises(UnsupportedLanguageError, match="'yue'"):
        voxtral.generate(chirp(1.0), "yue")
    with pytest.raises(UsageError, match=r"'temperature' is 2\.5"):
        voxtral.generate(chirp(1.0), temperature=2.5)
    with pytest.raises(UsageError, match="'max_tokens' is 0"):
        voxtral.generate(chirp(1.0), max_tokens=0)
    with pytest.raises(UsageError, match="'stop'"):
        voxtral.generate(chirp(1.0), stop="word")
