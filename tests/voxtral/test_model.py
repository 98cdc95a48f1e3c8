"""`encode`, `prefill`, `step` and `generate` against transformers; devices."""

from pathlib import Path

import numpy as np
import pytest
import torch

from tests.failures import raises
from tests.voxtral import checkpoints
from tests.voxtral.checkpoints import altered
from tests.voxtral.reference import Reference
from tests.voxtral.signals import RATE, chirp
from voxgate.errors import UsageError
from voxgate.voxtral.model import Voxtral, resolve_device
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.resumable import run_to_end

AUDIO_TOLERANCE = 1e-5
LOGITS_TOLERANCE = 5e-5
EOS, PAD, CAPITAL = 2, 11, 32_000
TOKENS = 12
CASES = [(3.2, None), (3.2, "en"), (33.0, None), (65.0, "de")]
GENERATE_CASES = [*CASES, (30.0, None)]


def max_difference(ours: torch.Tensor, theirs: torch.Tensor) -> float:
    return float((ours - theirs).abs().max())


@pytest.mark.parametrize("seconds", [3.2, 33.0])
def test_embeddings_of_samples_equal_the_references(
    voxtral: Voxtral, reference: Reference, seconds: float
) -> None:
    (ours,) = run_to_end(voxtral.encode([chirp(seconds)]))
    assert (
        max_difference(ours, reference.audio(reference.features(chirp(seconds)))) <= AUDIO_TOLERANCE
    )


def test_windows_in_a_batch_are_independent(voxtral: Voxtral) -> None:
    windows = [chirp(3.2), 0.01 * chirp(65, seed=9), chirp(30, seed=3), chirp(0.01)]
    together = run_to_end(voxtral.encode(windows))
    assert [len(audio) for audio in together] == [375, 1125, 375, 375]
    for window, audio in zip(windows, together, strict=True):
        (alone,) = run_to_end(voxtral.encode([window]))
        assert max_difference(audio, alone) <= AUDIO_TOLERANCE


@pytest.mark.parametrize(("seconds", "language"), CASES)
def test_prefill_and_steps_give_the_references_logits(
    voxtral: Voxtral, reference: Reference, seconds: float, language: str | None
) -> None:
    prompt = reference.prompt(chirp(seconds), language)
    continuation = [1100, 7, 4095, 2, 1700]
    theirs = reference.logits(chirp(seconds), language, continuation)[len(prompt) - 1 :]
    (audio,) = run_to_end(voxtral.encode([chirp(seconds)]))
    cache = voxtral.new_cache(1, len(theirs) + len(prompt))
    slot = cache.allocate()
    logits = [run_to_end(voxtral.prefill(cache, slot, prompt, audio))]
    logits += [run_to_end(voxtral.step(cache, [slot], [token]))[0] for token in continuation]
    assert logits[0].dtype == torch.float32
    assert max_difference(torch.stack(logits), theirs) <= LOGITS_TOLERANCE


def test_bfloat16_rounds_as_in_the_reference(hf_bf16: Path) -> None:
    """Both differ from float32 by 0.005 on average; here only the kernels differ."""
    reference = Reference(hf_bf16, torch.bfloat16)
    voxtral = Voxtral.load(hf_bf16, dtype=torch.bfloat16)
    assert voxtral.dtype == torch.bfloat16
    (audio,) = run_to_end(voxtral.encode([chirp(33)]))
    theirs = reference.audio(reference.features(chirp(33)))
    assert audio.dtype == theirs.dtype == torch.bfloat16
    assert (audio - theirs).float().abs().mean() <= 1e-3
    prompt = reference.prompt(chirp(33))
    cache = voxtral.new_cache(1, 800)
    logits = run_to_end(voxtral.prefill(cache, cache.allocate(), prompt, audio))
    assert (logits - reference.logits(chirp(33))[-1]).abs().mean() <= 4e-3


@pytest.mark.parametrize("stored", [torch.float32, torch.bfloat16, torch.float16])
def test_the_dtype_is_the_stored_one_or_float32(
    hf: Path, tmp_path: Path, stored: torch.dtype
) -> None:
    """float32 if this CPU cannot compute with the stored dtype: no precision is lost."""

    def narrow(weights: dict[str, torch.Tensor]) -> None:
        weights.update({name: weight.to(stored) for name, weight in weights.items()})

    voxtral = Voxtral.load(altered(hf, tmp_path / "narrow", narrow))
    assert voxtral.dtype in {stored, torch.float32}
    (audio,) = run_to_end(voxtral.encode([chirp(1.0)]))
    assert audio.dtype == voxtral.dtype
    prompt = transcription_prompt(voxtral.tokenizer, 1)
    cache = voxtral.new_cache(1, 400)
    assert (
        run_to_end(voxtral.prefill(cache, cache.allocate(), prompt, audio)).dtype == torch.float32
    )


def test_no_windows_have_no_embeddings(voxtral: Voxtral) -> None:
    assert run_to_end(voxtral.encode([])) == []


def test_windows_in_a_batch_may_start_and_end_at_different_times(
    voxtral: Voxtral, reference: Reference
) -> None:
    """Three windows over two slots, in changing batches and orders."""
    windows = [(chirp(33), None), (chirp(3.2), "en"), (chirp(20, seed=5), None)]
    tokens = {0: 5, 1: 9, 2: 7}
    expected = {
        i: reference.greedy([windows[i][0]], windows[i][1], n)[0] for i, n in tokens.items()
    }
    audio = run_to_end(voxtral.encode([sound for sound, _ in windows]))
    cache = voxtral.new_cache(2, 800)
    slots: dict[int, int] = {}
    written: dict[int, list[int]] = {}
    while len(written) < 3 or slots:
        while cache.free_slots and len(written) < 3:
            new = len(written)
            slots[new] = cache.allocate()
            ids = transcription_prompt(voxtral.tokenizer, len(audio[new]) // 375, windows[new][1])
            written[new] = [
                int(run_to_end(voxtral.prefill(cache, slots[new], ids, audio[new])).argmax())
            ]
        batch = sorted(slots, key=lambda i: -len(written[i]))
        logits = run_to_end(
            voxtral.step(cache, [slots[i] for i in batch], [written[i][-1] for i in batch])
        )
        for i, row in zip(batch, logits, strict=True):
            written[i].append(int(row.argmax()))
            if len(written[i]) == tokens[i]:
                cache.free(slots.pop(i))
    assert written == expected


def test_audio_embeddings_replace_audio_tokens_in_order(voxtral: Voxtral) -> None:
    ids = transcription_prompt(voxtral.tokenizer, 1)
    (audio,) = run_to_end(voxtral.encode([chirp(3.2)]))
    cache = voxtral.new_cache(2, 400)
    swapped = audio.clone()
    swapped[[3, 300]] = audio[[300, 3]]
    logits = [
        run_to_end(voxtral.prefill(cache, cache.allocate(), ids, each)) for each in (audio, swapped)
    ]
    assert max_difference(*logits) > 100 * LOGITS_TOLERANCE


@pytest.mark.parametrize(("chunks", "embeddings"), [(1, 750), (2, 375)])
def test_a_prompt_for_another_number_of_chunks_is_refused(
    voxtral: Voxtral, chunks: int, embeddings: int
) -> None:
    audio = torch.zeros(embeddings, 96)
    cache = voxtral.new_cache(1, 800)
    slot = cache.allocate()
    with pytest.raises(UsageError, match=f"{375 * chunks} \\[AUDIO\\] tokens for {embeddings}"):
        run_to_end(
            voxtral.prefill(cache, slot, transcription_prompt(voxtral.tokenizer, chunks), audio)
        )
    assert cache.lengths[slot] == 0


def test_a_full_slot_is_refused_and_unchanged(voxtral: Voxtral) -> None:
    ids = transcription_prompt(voxtral.tokenizer, 1)
    (audio,) = run_to_end(voxtral.encode([chirp(3.2)]))
    cache = voxtral.new_cache(1, len(ids) + 1)
    slot = cache.allocate()
    run_to_end(voxtral.prefill(cache, slot, ids, audio))
    run_to_end(voxtral.step(cache, [slot], [1100]))
    with pytest.raises(UsageError, match="no room for 1 more"):
        run_to_end(voxtral.step(cache, [slot], [1100]))
    assert cache.lengths[slot] == len(ids) + 1


@pytest.mark.parametrize(
    "sound", [np.zeros(0, np.float32), np.zeros(601 * RATE, np.float32), np.full(9, np.nan)]
)
def test_invalid_audio_is_refused_by_encode_and_generate(
    voxtral: Voxtral, sound: np.ndarray
) -> None:
    with pytest.raises(UsageError, match="The audio"):
        run_to_end(voxtral.encode([chirp(1), sound]))
    with pytest.raises(UsageError, match="The audio"):
        voxtral.generate(sound)


@pytest.mark.parametrize(("seconds", "language"), GENERATE_CASES)
def test_greedy_ids_and_logprobs_equal_the_references(
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


def test_ids_equal_those_of_a_batch_in_the_reference(
    voxtral: Voxtral, reference: Reference
) -> None:
    recordings = [chirp(3.2), chirp(33)]
    expected = reference.greedy(recordings, None, TOKENS)
    ours = [list(voxtral.generate(one, None, TOKENS).token_ids) for one in recordings]
    assert ours == expected


def test_samples_of_any_precision_are_read_as_in_the_reference(
    voxtral: Voxtral, reference: Reference
) -> None:
    fine = np.random.default_rng(3).normal(0, 3e-5, 2 * RATE).astype(np.float32)
    expected = reference.greedy([fine], None, TOKENS)[0]
    for sound in (fine, fine.tolist(), torch.from_numpy(fine)):
        assert list(voxtral.generate(sound, None, TOKENS).token_ids) == expected


@pytest.mark.parametrize("end", [EOS, PAD])
@pytest.mark.parametrize("index", [0, 5])
def test_an_end_token_ends_the_text(hf: Path, tmp_path: Path, end: int, index: int) -> None:
    """The head's rows are swapped, so that the end token replaces another one."""
    whole = Voxtral.load(hf, dtype=torch.float32).generate(chirp(3.2), None, TOKENS).token_ids
    index = whole.index(whole[index])
    swapped = checkpoints.altered(
        hf, tmp_path / "ends", lambda weights: swap(weights, whole[index], end)
    )
    generation = Voxtral.load(swapped, dtype=torch.float32).generate(chirp(3.2))
    assert generation.token_ids == whole[:index]
    assert len(generation.logprobs) == index
    assert generation.finish == "end"
    if end == EOS:
        assert Reference(swapped).greedy([chirp(3.2)], None, 99)[0] == [*whole[:index], end]


def swap(weights: dict[str, torch.Tensor], one: int, other: int) -> None:
    head = weights["language_model.lm_head.weight"]
    head[[one, other]] = head[[other, one]].clone()


def test_an_ordinary_word_of_the_published_vocabulary_does_not_end_the_text(
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


def test_without_a_limit_the_text_ends_at_the_cap_for_its_duration(
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
    assert len(set(plain)) < len(plain)  # a check of the test data
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


def test_invalid_options_are_refused(voxtral: Voxtral) -> None:
    with raises("unsupported_language", match="'yue'"):
        voxtral.generate(chirp(1.0), "yue")
    with pytest.raises(UsageError, match=r"'temperature' is 2\.5"):
        voxtral.generate(chirp(1.0), temperature=2.5)
    with pytest.raises(UsageError, match="'max_tokens' is 0"):
        voxtral.generate(chirp(1.0), max_tokens=0)
    with pytest.raises(UsageError, match="'stop'"):
        voxtral.generate(chirp(1.0), stop="word")


def test_the_cpu_always_exists() -> None:
    assert resolve_device("cpu") == resolve_device(torch.device("cpu")) == torch.device("cpu")


def test_an_unknown_device_is_refused() -> None:
    with pytest.raises(UsageError, match="'gpu' is not a device"):
        resolve_device("gpu")


def test_a_missing_gpu_is_refused_before_anything_is_loaded(hf: Path) -> None:
    if torch.cuda.is_available():
        assert resolve_device("cuda").type == "cuda"
        with pytest.raises(UsageError, match="the last of"):
            resolve_device("cuda:99")
    else:
        with pytest.raises(UsageError, match=r"finds no GPU.*VOXGATE_DEVICE=cpu"):
            Voxtral.load(hf, device="cuda:99")
