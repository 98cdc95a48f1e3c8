"""Token choices against a plain computation, and the effect of the seed."""

import secrets
from typing import Any

import numpy as np
import pytest
import torch

from tests.failures import raises
from voxgate.errors import UsageError
from voxgate.voxtral.sampling import Sampler, Sampling, choose_greedily

LOGITS = torch.tensor([0.513, 2.037, -1.071, 1.529, 0.017, -2.253, 1.901, 0.707])
EIGHT = np.arange(8)


def drawn(sampling: Sampling, count: int, logits: torch.Tensor = LOGITS) -> list[int]:
    sampler = Sampler(sampling)
    return [sampler.choose(logits)[0] for _ in range(count)]


def softmax(logits: np.ndarray) -> np.ndarray:
    weights = np.exp(logits - logits.max())
    return np.asarray(weights / weights.sum())


def chi_square(tokens: list[int], probabilities: np.ndarray) -> float:
    """Return the distance of token counts from the expectation; [8] probabilities, none tiny."""
    expected = probabilities * len(tokens)
    counts = np.bincount(tokens, minlength=8)
    return float(((counts - expected) ** 2 / expected).sum())


SURE = 70.0
"""A chi-square with 7 degrees of freedom exceeds it once in 10^12 trials."""


def test_greedy_ignores_the_seed() -> None:
    assert {drawn(Sampling(seed=seed), 1)[0] for seed in range(20)} == {1}


def test_the_logprob_is_the_models_own() -> None:
    theirs = torch.log_softmax(LOGITS, 0)
    sampler = Sampler(Sampling(temperature=1.7, top_p=0.9, frequency_penalty=1, seed=4))
    for _ in range(50):
        token, logprob = sampler.choose(LOGITS)
        assert logprob == pytest.approx(float(theirs[token]), abs=1e-6)


def test_greedy_choices_of_many_rows_equal_those_of_each() -> None:
    rows = torch.randn(5, 900, generator=torch.Generator().manual_seed(2)).bfloat16()
    rows[1, [7, 70]] = 9.0  # the first of equal ones
    found = choose_greedily(rows)
    assert found[1].token == 7
    for row, likeliest in zip(rows, found, strict=True):
        token, logprob = Sampler(Sampling()).choose(row)
        assert token == likeliest.token
        assert logprob == pytest.approx(likeliest.logprob, abs=1e-6)
        assert Sampler(Sampling()).choose(row, likeliest) == (token, likeliest.logprob)
        assert logprob == pytest.approx(float(row.float().log_softmax(0)[token]), abs=1e-6)


def test_a_rows_logprob_has_the_same_bits_among_other_rows() -> None:
    """With several threads too: the sum over a wide row may be divided between them."""
    threads = torch.get_num_threads()
    torch.set_num_threads(4)
    rows = torch.randn(8, 131_072, generator=torch.Generator().manual_seed(5))
    together = choose_greedily(rows)
    alone = [choice for row in rows for choice in choose_greedily(row[None])]
    torch.set_num_threads(threads)
    assert together == alone


def test_rows_that_are_not_finite_are_reported_one_by_one() -> None:
    rows = torch.stack([LOGITS, LOGITS, LOGITS, LOGITS])
    rows[1, 3], rows[2, 4], rows[3, 5] = torch.nan, torch.inf, -torch.inf
    found = choose_greedily(rows)
    assert [likeliest.finite for likeliest in found] == [True, False, False, False]
    for row, likeliest in zip(rows[1:], found[1:], strict=True):
        with raises("engine_refused", match="not finite"):
            Sampler(Sampling()).choose(row, likeliest)


def test_a_greedy_choice_is_ignored_with_temperature_or_penalties() -> None:
    for sampling in (Sampling(temperature=1.5, seed=4), Sampling(presence_penalty=2.0)):
        one, other = Sampler(sampling), Sampler(sampling)
        for _ in range(20):
            (likeliest,) = choose_greedily(LOGITS[None])
            assert one.choose(LOGITS, likeliest) == other.choose(LOGITS)


@pytest.mark.parametrize(
    ("frequency", "presence"), [(0.7, 0.0), (0.0, 1.2), (0.3, 0.4), (-0.5, 0.2), (2.0, -2.0)]
)
def test_penalties_lower_the_logits_of_generated_tokens(frequency: float, presence: float) -> None:
    """logit - count * frequency - (count > 0) * presence, as OpenAI defines it."""
    counts, expected = np.zeros(8), []
    for _ in range(60):
        penalised = LOGITS.numpy() - counts * frequency - (counts > 0) * presence
        expected.append(int(penalised.argmax()))
        counts[expected[-1]] += 1
    sampling = Sampling(frequency_penalty=frequency, presence_penalty=presence)
    assert drawn(sampling, 60) == expected


def test_penalties_do_not_change_the_callers_logits() -> None:
    logits = LOGITS.clone()
    drawn(Sampling(temperature=1, seed=1, frequency_penalty=2, presence_penalty=2), 5, logits)
    assert torch.equal(logits, LOGITS)


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.0])
def test_draws_follow_the_distribution(temperature: float) -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    tokens = drawn(Sampling(temperature=temperature, seed=seed), 4_000)
    assert chi_square(tokens, softmax(LOGITS.numpy() / temperature)) < SURE


def test_penalties_apply_before_the_temperature() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    first = torch.where(torch.arange(8) == 1, 100.0, LOGITS)  # 1 is certain, then penalized
    tokens = []
    for offset in range(3_000):
        sampler = Sampler(Sampling(2.0, seed=seed + offset, presence_penalty=1.5))
        sampler.choose(first)
        tokens.append(sampler.choose(LOGITS)[0])
    assert chi_square(tokens, softmax((LOGITS.numpy() - 1.5 * (EIGHT == 1)) / 2)) < SURE


@pytest.mark.parametrize(
    ("top_p", "kept"),
    [
        (0.0, {0}),
        (0.3, {0}),
        (0.3999, {0}),
        (0.4001, {0, 1}),
        (0.6999, {0, 1}),
        (0.7001, {0, 1, 2}),
        (0.8999, {0, 1, 2}),
        (0.9001, {0, 1, 2, 3}),
        (1.0, {0, 1, 2, 3}),
    ],
)
def test_top_p_keeps_the_fewest_tokens_that_reach_it(top_p: float, kept: set[int]) -> None:
    logits = torch.tensor([0.4, 0.3, 0.2, 0.1]).log()
    assert set(drawn(Sampling(1.0, top_p, seed=3), 400, logits)) == kept
    backwards = {3 - token for token in drawn(Sampling(1.0, top_p, seed=3), 400, logits.flip(0))}
    assert backwards == kept


def test_tokens_within_top_p_are_drawn_in_proportion() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    eight = torch.cat([LOGITS, torch.full((8,), -2.5)])  # the last eight have 10 % in total
    tokens = drawn(Sampling(1.0, 0.85, seed=seed), 4_000, eight)
    kept = sorted(set(tokens))
    expected = np.where(np.isin(EIGHT, kept), softmax(LOGITS.numpy()), 0)
    expected = (expected / expected.sum())[kept]
    counts = np.bincount(tokens)[kept]
    assert len(kept) < 8
    assert ((counts - expected * len(tokens)) ** 2 / (expected * len(tokens))).sum() < SURE


def test_top_p_applies_after_the_temperature() -> None:
    logits = torch.tensor([0.7, 0.2, 0.1]).log()
    assert set(drawn(Sampling(1.0, 0.65, seed=3), 300, logits)) == {0}
    assert set(drawn(Sampling(2.0, 0.65, seed=3), 300, logits)) == {0, 1}


def test_a_seed_repeats_its_tokens_and_another_does_not() -> None:
    flat = torch.zeros(1000)
    sequences = [drawn(Sampling(1.0, seed=seed), 20, flat) for seed in (7, 8, -7, 2**40 + 5, 0)]
    assert drawn(Sampling(1.0, seed=7), 20, flat) == sequences[0]
    assert len({tuple(sequence) for sequence in sequences}) == 5


def test_without_a_seed_tokens_differ() -> None:
    flat = torch.zeros(1000)
    assert drawn(Sampling(1.0), 20, flat) != drawn(Sampling(1.0), 20, flat)


def test_samplers_affect_neither_each_other_nor_global_state() -> None:
    flat = torch.zeros(1000)
    torch.manual_seed(1)
    undisturbed = torch.rand(3)
    torch.manual_seed(1)
    one, other = Sampler(Sampling(1.0, seed=7)), Sampler(Sampling(1.0, seed=8))
    interleaved = [(one.choose(flat)[0], other.choose(flat)[0]) for _ in range(20)]
    assert [token for token, _ in interleaved] == drawn(Sampling(1.0, seed=7), 20, flat)
    assert torch.equal(torch.rand(3), undisturbed)


def test_a_temperature_near_zero_is_greedy_and_does_not_overflow() -> None:
    assert set(drawn(Sampling(1e-300, seed=1), 10)) == {1}
    assert set(drawn(Sampling(1e-6, seed=1), 10, LOGITS * 1e6)) == {1}


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
@pytest.mark.parametrize("temperature", [0.0, 1.0])
def test_logits_that_are_not_finite_are_refused(value: float, temperature: float) -> None:
    logits = LOGITS.clone()
    logits[3] = value
    with raises("engine_refused", match="not finite"):
        Sampler(Sampling(temperature)).choose(logits)


@pytest.mark.parametrize(
    ("name", "least", "most"),
    [
        ("temperature", 0, 2),
        ("top_p", 0, 1),
        ("frequency_penalty", -2, 2),
        ("presence_penalty", -2, 2),
    ],
)
def test_values_in_range_are_accepted_and_others_refused_by_name(
    name: str, least: int, most: int
) -> None:
    right: list[Any] = [least, most, float(least), float(most), (least + most) / 2]
    for value in right:
        assert getattr(Sampling(**{name: value}), name) == value
    wrong: list[Any] = [least - 0.01, most + 0.01, float("nan"), float("inf"), "1", None]
    for value in wrong:
        with pytest.raises(UsageError, match=f"'{name}' is .* from {least} to {most}"):
            Sampling(**{name: value})


@pytest.mark.parametrize("seed", [1.5, "7", True, float("nan")])
def test_a_seed_that_is_not_an_integer_is_refused(seed: Any) -> None:
    with pytest.raises(UsageError, match="'seed'"):
        Sampling(seed=seed)


ONLY = {0: EIGHT == 5, 1: np.isin(EIGHT, [2, 6, 7]), 2: EIGHT > 3}
"""Masks by number."""


def mask(number: int) -> torch.Tensor:
    return torch.from_numpy(ONLY[number])


def test_masked_rows_choose_the_most_likely_allowed_token_and_others_are_as_before() -> None:
    rows = torch.stack([LOGITS, LOGITS * 2, -LOGITS, LOGITS + 3, LOGITS.flip(0)])
    masks = [None, mask(0), mask(1), None, mask(2)]
    before, found = choose_greedily(rows), choose_greedily(rows, masks)
    assert [found[0], found[3]] == [before[0], before[3]]
    for row, allowed, choice in zip(rows, masks, found, strict=True):
        if allowed is not None:
            assert choice.token == int(row.where(allowed, -torch.inf).argmax())
            assert allowed[choice.token]
        assert choice.finite
    assert found == choose_greedily(rows, masks)
    assert choose_greedily(rows, [None] * 5) == before == choose_greedily(rows, [])


def test_the_logprob_is_the_models_own_under_a_mask() -> None:
    theirs = LOGITS.log_softmax(0)
    (choice,) = choose_greedily(LOGITS[None], [mask(1)])
    for sampling in (Sampling(), Sampling(temperature=1.3, top_p=0.9, presence_penalty=1, seed=1)):
        token, logprob = Sampler(sampling).choose(LOGITS, mask=mask(1))
        assert token in (2, 6, 7)
        assert logprob == pytest.approx(float(theirs[token]), abs=1e-6)
    assert Sampler(Sampling()).choose(LOGITS, choice, mask(1)) == (choice.token, choice.logprob)
    assert choice.logprob == pytest.approx(float(theirs[choice.token]), abs=1e-6)


@pytest.mark.parametrize(
    "sampling",
    [
        Sampling(),
        Sampling(temperature=2.0, seed=3),
        Sampling(temperature=2.0, top_p=0.999_999, seed=3),
        Sampling(temperature=1e-6, seed=3),
        Sampling(temperature=0.0, frequency_penalty=2.0),
        Sampling(temperature=1.0, presence_penalty=-2.0, frequency_penalty=-2.0, seed=4),
    ],
)
def test_a_masked_token_is_never_chosen(sampling: Sampling) -> None:
    sampler = Sampler(sampling)
    for turn in range(600):
        number = turn % 3
        token, _ = sampler.choose(LOGITS * (1 + 90 * (turn % 2)), mask=mask(number))
        assert ONLY[number][token]


def test_draws_under_a_mask_follow_the_distribution_of_what_is_allowed() -> None:
    seed = secrets.randbits(32)
    print(f"seed {seed}")
    sampler, allowed = Sampler(Sampling(1.5, seed=seed)), ONLY[2]
    tokens = [sampler.choose(LOGITS, mask=mask(2))[0] for _ in range(4_000)]
    expected = softmax(LOGITS.numpy()[allowed] / 1.5) * len(tokens)
    counts = np.bincount(tokens, minlength=8)
    assert counts[~allowed].sum() == 0
    assert ((counts[allowed] - expected) ** 2 / expected).sum() < SURE


def test_top_p_counts_what_the_mask_allows() -> None:
    logits, allowed = (
        torch.tensor([0.9, 0.05, 0.03, 0.02]).log(),
        torch.tensor([False, True, True, True]),
    )
    sampler = Sampler(Sampling(1.0, 0.4, seed=3))
    assert {sampler.choose(logits, mask=allowed)[0] for _ in range(300)} == {1}
    sampler = Sampler(Sampling(1.0, 0.6, seed=3))
    assert {sampler.choose(logits, mask=allowed)[0] for _ in range(300)} == {1, 2}


def test_ids_beyond_the_mask_are_not_allowed() -> None:
    short = torch.tensor([True, False, True])
    (choice,) = choose_greedily(LOGITS[None], [short])
    assert choice.token == 0
    sampler = Sampler(Sampling(2.0, seed=1))
    assert {sampler.choose(LOGITS, mask=short)[0] for _ in range(300)} == {0, 2}


def test_a_mask_that_allows_nothing_is_refused() -> None:
    nothing = torch.zeros(8, dtype=torch.bool)
    with raises("engine_refused", match="No token"):
        choose_greedily(torch.stack([LOGITS, LOGITS]), [None, nothing])
    for sampling in (Sampling(), Sampling(1.0), Sampling(frequency_penalty=1.0)):
        with raises("engine_refused", match="No token"):
            Sampler(sampling).choose(LOGITS, mask=nothing)


@pytest.mark.parametrize("sampling", [Sampling(), Sampling(1.0)])
def test_logits_that_are_not_finite_are_refused_even_where_they_are_masked(
    sampling: Sampling,
) -> None:
    for value in (float("nan"), float("inf"), float("-inf")):
        logits = LOGITS.clone()
        logits[1] = value
        with raises("engine_refused", match="not finite"):
            Sampler(sampling).choose(logits, mask=mask(0))
