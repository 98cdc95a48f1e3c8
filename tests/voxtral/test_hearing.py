"""Several sounds heard together, token by token, against each heard alone."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pytest
import torch

from tests.spoken_digits import CHECKPOINT, phrase, takes
from tests.voxtral.signals import chirp
from voxgate.voxtral.decoding import DecodingResult, DecodingState, max_positions
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.sampling import Sampling

LOGPROBS_TOLERANCE = 5e-5  # in float32, where products of several rows add up in another order


@dataclass(frozen=True)
class Asked:
    """One sound and what is wanted of it."""

    sound: np.ndarray
    language: str | None = None
    tokens: int | None = None
    sampling: Sampling = field(default_factory=Sampling)

    def hearing(self, model: Voxtral) -> DecodingState:
        return model.hearing(self.sound, self.language, self.tokens, (), self.sampling)

    def alone(self, model: Voxtral) -> DecodingResult:
        of = self.sampling
        return model.generate(
            self.sound,
            self.language,
            self.tokens,
            temperature=of.temperature,
            top_p=of.top_p,
            seed=of.seed,
            frequency_penalty=of.frequency_penalty,
        )


def together(model: Voxtral, asked: Iterable[Asked]) -> list[DecodingResult]:
    """All of them in one cache, a step of all at a time; who is done leaves its slot."""
    hearings = [one.hearing(model) for one in asked]
    cache = model.cache(len(hearings), max(hearing.positions for hearing in hearings))
    going: dict[int, DecodingState] = {}
    for hearing in hearings:
        slot = cache.take()
        (audio,) = model.encode([hearing.sound])
        if hearing.take(model.prefill(cache, slot, hearing.prompt, audio)):
            going[slot] = hearing
    while going:
        logits = model.step(cache, list(going), [hearing.last for hearing in going.values()])
        for (slot, hearing), row in zip(list(going.items()), logits, strict=True):
            if not hearing.take(row):
                del going[slot]
                cache.free(slot)
    return [hearing.generation() for hearing in hearings]


def tones() -> list[Asked]:
    """Eight sounds with different ends, some of them drawn by chance."""
    return [
        Asked(chirp(3.2), tokens=40),
        Asked(chirp(33, seed=2), "fr", tokens=25),
        Asked(chirp(12, seed=3), tokens=60, sampling=Sampling(temperature=0.8, seed=1)),
        Asked(chirp(7, seed=4), "en", tokens=9),
        Asked(chirp(1, seed=5), sampling=Sampling(temperature=1.3, top_p=0.8, seed=2)),
        Asked(chirp(20, seed=6), tokens=33, sampling=Sampling(frequency_penalty=1.5)),
        Asked(chirp(0.5, seed=7)),
        Asked(chirp(5, seed=8), tokens=1),
    ]


def strings() -> list[Asked]:
    rng = random.Random(14)
    return [
        Asked(phrase(rng, its, size).at_16_khz()) for its in takes().values() for size in (1, 4)
    ]


def test_random_weights_give_the_ids_that_each_has_alone(voxtral: Voxtral) -> None:
    """In float32. What it cannot promise is a tie closer than the tolerance."""
    for one, company in zip(tones(), together(voxtral, tones()), strict=True):
        single = one.alone(voxtral)
        assert company.token_ids == single.token_ids
        assert (company.text, company.finish) == (single.text, single.finish)
        assert np.allclose(company.logprobs, single.logprobs, atol=LOGPROBS_TOLERANCE, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_digits_give_the_ids_that_each_has_alone(dtype: torch.dtype) -> None:
    model = Voxtral.load(CHECKPOINT, dtype=dtype)
    for one, company in zip(strings(), together(model, strings()), strict=True):
        assert company.token_ids == one.alone(model).token_ids


def test_random_weights_in_bfloat16_part_only_where_two_tokens_are_level(hf_bf16: Path) -> None:
    """Eight bits of fraction: neighbours in a batch may change the last of them, and a near tie."""
    model = Voxtral.load(hf_bf16, dtype=torch.bfloat16)
    for number, (one, company) in enumerate(
        zip(tones(), together(model, tones()), strict=True), start=1
    ):
        single = one.alone(model)
        pairs = list(zip(company.token_ids, single.token_ids, strict=False))
        parted = next((place for place, (a, b) in enumerate(pairs) if a != b), len(pairs))
        print(f"sound {number}: equal for {parted} of {len(single.token_ids)} tokens")
        assert parted > 0  # the first is computed alone in either case
        assert company.logprobs[0] == single.logprobs[0]
        assert np.allclose(company.logprobs[:parted], single.logprobs[:parted], atol=0.1, rtol=0)


def test_a_slot_of_the_most_positions_holds_every_prompt_and_text(voxtral: Voxtral) -> None:
    languages = (None, "en", "hi", "nl")
    for chunks in (1, 2):
        most = max_positions(voxtral.tokenizer, chunks, languages)
        sound = np.zeros(chunks * 480_000, np.float32)
        needed = [Asked(sound, language).hearing(voxtral).positions for language in languages]
        assert max(needed) == most
        assert most > len(transcription_prompt(voxtral.tokenizer, chunks))
