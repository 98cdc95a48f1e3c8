"""The committed checkpoint recognizes digits, with the same ids as the reference."""

import random
import shutil
from pathlib import Path

import pytest
import torch

from tests.spoken_digits import CHECKPOINT, FILES, Spoken, phrase, takes
from tests.voxtral.reference import Reference
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.quantization.profiles import PROFILES, Profile
from voxgate.voxtral.resumable import run_to_end


@pytest.fixture(scope="module")
def reference() -> Reference:
    return Reference(CHECKPOINT)


@pytest.fixture(scope="module")
def digits() -> Voxtral:
    return Voxtral.load(CHECKPOINT, dtype=torch.float32)


def strings() -> list[Spoken]:
    rng = random.Random(8)
    return [phrase(rng, its, size) for its in takes().values() for size in (1, 8)]


@pytest.mark.parametrize("language", [None, "en"])
def test_the_reference_gives_the_same_ids(
    reference: Reference, digits: Voxtral, language: str | None
) -> None:
    for spoken in strings():
        sound = spoken.at_16_khz()
        (ids,) = reference.greedy([sound], language, tokens=40)
        assert [*digits.generate(sound, language).token_ids, 2] == ids


@pytest.mark.parametrize("profile", PROFILES)
def test_sequences_of_unequal_lengths_share_steps(
    digits: Voxtral, profile: Profile, tmp_path: Path
) -> None:
    """Five windows in five slots give the ids that each gives alone."""
    if profile != "exact":
        digits = Voxtral.load(shutil.copytree(CHECKPOINT, tmp_path / "digits"), profile)
    sounds = [spoken.at_16_khz() for spoken in strings()[:5]]
    alone = [list(digits.generate(sound).token_ids) for sound in sounds]
    assert len({len(ids) for ids in alone}) > 1
    prompt = [1, 3, 25, *[24] * 375, 4, 34]
    cache = digits.new_cache(slots=5, capacity=len(prompt) + 40)
    slots = [cache.allocate() for _ in sounds]
    last = {
        slot: int(run_to_end(digits.prefill(cache, slot, prompt, audio)).argmax())
        for slot, audio in zip(slots, run_to_end(digits.encode(sounds)), strict=True)
    }
    ids_of: dict[int, list[int]] = {slot: [] for slot in slots}
    while last:
        for slot in [slot for slot, token in last.items() if token == 2]:
            cache.free(slot)
            del last[slot]
        for slot, token in last.items():
            ids_of[slot].append(token)
        if last:
            logits = run_to_end(digits.step(cache, list(last), list(last.values())))
            last = dict(zip(last, logits.argmax(1).tolist(), strict=True))
    assert [ids_of[slot] for slot in slots] == alone


def test_the_checkpoint_is_small_and_names_its_licence() -> None:
    assert sum(file.stat().st_size for file in FILES) <= 8_000_000
    assert "CC BY-SA 4.0" in (CHECKPOINT / "LICENSE").read_text(encoding="utf-8")
