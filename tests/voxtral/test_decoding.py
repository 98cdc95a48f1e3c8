"""When a text is finished and what it is, token by token; and windows decoded in a batch."""

import random
from collections.abc import Iterable
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from tests.spoken_digits import CHECKPOINT, phrase, takes
from tests.voxtral.signals import RATE, chirp
from voxgate.errors import UsageError
from voxgate.voxtral.decoding import DecodingResult, DecodingState
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import Sampling
from voxgate.voxtral.tokenizer import Tokenizer
from voxgate.voxtral.transcription import TranscriptionState, max_positions

LOGPROBS_TOLERANCE = 5e-5  # in float32, where products of several rows add up in another order
END, PAD = 2, 11


@pytest.fixture(scope="module")
def tokenizer(tekken: Path) -> Tokenizer:
    return Tokenizer.open(tekken)


def in_bytes(text: str) -> list[int]:
    """Ids that cut a text into its single bytes."""
    return [1000 + byte for byte in text.encode()]


def new_state(tokenizer: Tokenizer, duration_s: float, **options: Any) -> DecodingState:
    return TranscriptionState(tokenizer, np.zeros(round(duration_s * RATE), np.float32), **options)


def write(state: DecodingState, ids: list[int]) -> DecodingResult:
    """Append ids until the text is finished."""
    for number, token in enumerate(ids):
        if not state.append(token, -0.5 * number):
            break
    return state.result()


@pytest.mark.parametrize("end", [END, PAD])
def test_an_end_token_ends_the_text_and_is_not_in_it(tokenizer: Tokenizer, end: int) -> None:
    ids = in_bytes("Good morning")
    result = write(new_state(tokenizer, 30.0), [*ids, end, *in_bytes("never")])
    assert result.token_ids == tuple(ids)
    assert result.logprobs == tuple(-0.5 * number for number in range(len(ids)))
    assert (result.text, result.finish) == ("Good morning", "end")


def test_a_text_may_be_empty(tokenizer: Tokenizer) -> None:
    result = write(new_state(tokenizer, 30.0), [END])
    assert result == DecodingResult((), (), "", "end")
    assert result.confidence is None


def test_confidence_is_the_mean_probability(tokenizer: Tokenizer) -> None:
    assert DecodingResult((5, 6), (-0.25, -0.75), "", "end").confidence == pytest.approx(0.60653066)


def test_other_control_tokens_do_not_end_the_text(tokenizer: Tokenizer) -> None:
    ids = [*in_bytes("a"), 1, 3, 4, 24, 25, 34, 999, *in_bytes("b")]
    result = write(new_state(tokenizer, 30.0), [*ids, END])
    assert result.token_ids == tuple(ids)
    assert result.text == "ab"


def test_max_tokens_replace_an_incomplete_last_character(tokenizer: Tokenizer) -> None:
    result = write(new_state(tokenizer, 30.0, max_tokens=4), in_bytes("ab🎧"))
    assert result.token_ids == tuple(in_bytes("ab🎧")[:4])
    assert (result.text, result.finish) == ("ab�", "length")


@pytest.mark.parametrize(("seconds", "cap"), [(0.01, 33), (1.0, 46), (30.0, 452), (600.0, 8432)])
def test_more_tokens_than_fast_speech_has_are_a_runaway(
    tokenizer: Tokenizer, seconds: float, cap: int
) -> None:
    assert new_state(tokenizer, seconds).max_tokens == cap
    assert new_state(tokenizer, seconds, max_tokens=10_000).max_tokens == cap
    result = write(new_state(tokenizer, seconds), in_bytes("la " * 3000))
    assert len(result.token_ids) == cap
    assert result.finish == "runaway"


def test_an_end_token_at_the_limit_finishes_with_end(tokenizer: Tokenizer) -> None:
    state = new_state(tokenizer, 30.0, max_tokens=3)
    assert write(state, [*in_bytes("ab"), END]).finish == "end"


@pytest.mark.parametrize(
    ("stop", "text", "taken"),
    [
        (["c d"], "ab ", 6),
        (["d", "b"], "a", 2),
        (["de", "cd", "x"], "ab c ", 7),
        (["ab c def"], "", 8),
        ([" "], "ab", 3),
        (["é"], "ab c def", 10),
    ],
)
def test_a_stop_string_is_found_across_tokens(
    tokenizer: Tokenizer, stop: list[str], text: str, taken: int
) -> None:
    """Generated is `ab c defé…`, a byte a token; the text ends before the stop string."""
    result = write(new_state(tokenizer, 30.0, stop=stop), [*in_bytes("ab c defé and on"), END])
    assert (result.text, result.finish) == (text, "stop")
    assert len(result.token_ids) == len(result.logprobs) == taken


def test_an_absent_stop_string_changes_nothing(tokenizer: Tokenizer) -> None:
    state = new_state(tokenizer, 30.0, stop=["xyz", "abab"])
    assert write(state, [*in_bytes("aba bab"), END]).text == "aba bab"


def test_a_stop_string_is_found_in_the_flushed_text(tokenizer: Tokenizer) -> None:
    """`lan` is withheld until it cannot become a language tag."""
    result = write(new_state(tokenizer, 30.0, stop=["an"]), [*in_bytes("lan"), END])
    assert (result.text, result.finish) == ("l", "stop")


def test_a_language_tag_is_not_in_the_text(tokenizer: Tokenizer) -> None:
    state = new_state(tokenizer, 30.0, stop=["lang"])
    assert write(state, [*in_bytes("lang:en Hello"), END]).text == " Hello"


@pytest.mark.parametrize("max_tokens", [0, -1, True, False])
def test_invalid_max_tokens_are_refused(tokenizer: Tokenizer, max_tokens: int) -> None:
    with pytest.raises(UsageError, match="'max_tokens'"):
        new_state(tokenizer, 30.0, max_tokens=max_tokens)


@pytest.mark.parametrize("stop", ["word", [""], ["a", ""], [None], [3]])
def test_invalid_stop_strings_are_refused(tokenizer: Tokenizer, stop: Any) -> None:
    with pytest.raises(UsageError, match="'stop'"):
        new_state(tokenizer, 30.0, stop=stop)


def test_an_unfinished_text_has_no_result(tokenizer: Tokenizer) -> None:
    state = new_state(tokenizer, 30.0)
    state.append(in_bytes("a")[0], 0.0)
    with pytest.raises(ValueError, match="not finished"):
        state.result()


@pytest.mark.parametrize(
    ("stops", "text", "stable"),
    [
        ((), "one two", "one two"),
        (("two",), "one t", "one "),
        (("two",), "one tw", "one "),
        (("two",), "one tx", "one tx"),
        (("two", "tw"), "one t", "one "),
        (("e t", "two"), "one t", "on"),
        (("aab",), "xaaa", "xa"),
        (("aab",), "xaaab", "xa"),
        (("two",), "one two", "one "),
        (("o",), "n", "n"),
    ],
)
def test_stable_text_is_never_withdrawn(
    tokenizer: Tokenizer, stops: tuple[str, ...], text: str, stable: str
) -> None:
    state = new_state(tokenizer, 30.0, stop=stops)
    texts = [""]
    for token in in_bytes(text):
        state.append(token, 0.0)
        texts.append(state.stable_text)
    assert texts[-1] == stable
    assert all(later.startswith(earlier) for earlier, later in pairwise(texts))
    state.append(END, 0.0)
    assert state.result().text.startswith(stable)


@dataclass(frozen=True)
class Window:
    """A window of audio and its options."""

    samples: np.ndarray
    language: str | None = None
    max_tokens: int | None = None
    sampling: Sampling = field(default_factory=Sampling)

    def start(self, model: Voxtral) -> DecodingState:
        return model.new_decoding(self.samples, self.language, self.max_tokens, (), self.sampling)

    def decode_alone(self, model: Voxtral) -> DecodingResult:
        sampling = self.sampling
        return model.generate(
            self.samples,
            self.language,
            self.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p,
            seed=sampling.seed,
            frequency_penalty=sampling.frequency_penalty,
        )


def decode_batch(model: Voxtral, windows: Iterable[Window]) -> list[DecodingResult]:
    """Decode all windows in one cache, step by step; a finished one frees its slot."""
    states = [window.start(model) for window in windows]
    cache = model.new_cache(len(states), max(state.max_positions for state in states))
    active: dict[int, DecodingState] = {}
    for state in states:
        slot = cache.allocate()
        (audio,) = run_to_end(model.encode(state.sounds))
        if state.choose_next(run_to_end(model.prefill(cache, slot, state.prompt, audio))):
            active[slot] = state
    while active:
        logits = run_to_end(
            model.step(cache, list(active), [state.last_token for state in active.values()])
        )
        for (slot, state), row in zip(list(active.items()), logits, strict=True):
            if not state.choose_next(row):
                del active[slot]
                cache.free(slot)
    return [state.result() for state in states]


def tone_windows() -> list[Window]:
    """Return eight windows with different ends, some of them sampled."""
    return [
        Window(chirp(3.2), max_tokens=40),
        Window(chirp(33, seed=2), "fr", max_tokens=25),
        Window(chirp(12, seed=3), max_tokens=60, sampling=Sampling(temperature=0.8, seed=1)),
        Window(chirp(7, seed=4), "en", max_tokens=9),
        Window(chirp(1, seed=5), sampling=Sampling(temperature=1.3, top_p=0.8, seed=2)),
        Window(chirp(20, seed=6), max_tokens=33, sampling=Sampling(frequency_penalty=1.5)),
        Window(chirp(0.5, seed=7)),
        Window(chirp(5, seed=8), max_tokens=1),
    ]


def digit_strings() -> list[Window]:
    rng = random.Random(14)
    return [
        Window(phrase(rng, its, size).at_16_khz()) for its in takes().values() for size in (1, 4)
    ]


def test_random_weights_give_the_same_ids_in_a_batch_as_alone(voxtral: Voxtral) -> None:
    """In float32. Ties closer than the tolerance are not covered."""
    for window, batched in zip(tone_windows(), decode_batch(voxtral, tone_windows()), strict=True):
        single = window.decode_alone(voxtral)
        assert batched.token_ids == single.token_ids
        assert (batched.text, batched.finish) == (single.text, single.finish)
        assert np.allclose(batched.logprobs, single.logprobs, atol=LOGPROBS_TOLERANCE, rtol=0)


@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_digits_give_the_same_ids_in_a_batch_as_alone(dtype: torch.dtype) -> None:
    model = Voxtral.load(CHECKPOINT, dtype=dtype)
    for window, batched in zip(digit_strings(), decode_batch(model, digit_strings()), strict=True):
        assert batched.token_ids == window.decode_alone(model).token_ids


def test_random_weights_in_bfloat16_differ_only_at_near_ties(hf_bf16: Path) -> None:
    """bf16 has 8 bits of precision: a batch may change the last one, and so decide a near tie."""
    model = Voxtral.load(hf_bf16, dtype=torch.bfloat16)
    for number, (window, batched) in enumerate(
        zip(tone_windows(), decode_batch(model, tone_windows()), strict=True), start=1
    ):
        single = window.decode_alone(model)
        pairs = list(zip(batched.token_ids, single.token_ids, strict=False))
        agreed = next((at for at, (a, b) in enumerate(pairs) if a != b), len(pairs))
        print(f"window {number}: equal for {agreed} of {len(single.token_ids)} tokens")
        assert agreed > 0  # the first token is computed alone in both cases
        assert batched.logprobs[0] == single.logprobs[0]
        assert np.allclose(batched.logprobs[:agreed], single.logprobs[:agreed], atol=0.1, rtol=0)


def test_max_positions_hold_every_prompt_and_text(voxtral: Voxtral) -> None:
    languages = (None, "en", "hi", "nl")
    for chunks in (1, 2):
        needed = max_positions(voxtral.tokenizer, chunks, languages)
        sound = np.zeros(chunks * 480_000, np.float32)
        used = [Window(sound, language).start(voxtral).max_positions for language in languages]
        assert max(used) == needed
        assert needed > len(transcription_prompt(voxtral.tokenizer, chunks))
