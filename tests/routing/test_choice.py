"""The choice of endpoints: what is true of any, and the order in each kind of case."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from decimal import Decimal
from random import Random
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.failures import raises
from tests.routing.candidates import (
    MODELS,
    candidate,
    candidate_lists,
    preferences,
    slugs,
)
from voxgate.errors import AvailabilityError, VoxgateError
from voxgate.routing.choice import Choice, choose
from voxgate.routing.preferences import MaxPrice, Preferences, Thresholds
from voxgate.routing.summary import Pause

if TYPE_CHECKING:
    from voxgate.routing.candidate import Candidate

NOW = 0.0


def outcome(
    wanted: Preferences, candidates: list[Candidate], seed: int = 0
) -> Choice | VoxgateError:
    try:
        return choose(wanted, candidates, now=NOW, random=Random(seed))
    except VoxgateError as error:
        return error


def chosen(wanted: Preferences, candidates: list[Candidate]) -> tuple[Candidate, ...]:
    """The endpoints in order, none where none is left."""
    choice = outcome(wanted, candidates)
    return choice.order if isinstance(choice, Choice) else ()


def order(wanted: Preferences, *candidates: Candidate, seed: int = 0) -> list[str]:
    return slugs(choose(wanted, candidates, now=NOW, random=Random(seed)).order)


@given(preferences, candidate_lists(), st.integers(0, 99))
def test_every_endpoint_is_in_the_order_or_excluded_with_a_reason(
    wanted: Preferences, candidates: list[Candidate], seed: int
) -> None:
    choice = outcome(wanted, candidates, seed)
    if isinstance(choice, Choice):
        excluded = [each.candidate for each in choice.excluded]
        assert choice.order
        assert sorted(slugs((*choice.order, *excluded))) == sorted(slugs(candidates))
        assert all(each.reasons for each in choice.excluded)
        assert outcome(wanted, candidates, seed) == choice
    elif isinstance(choice, AvailabilityError):
        assert set(choice.availability.providers) == {each.provider for each in candidates}
        assert choice.availability.excluded_by
        assert (choice.availability.retry_after_s is not None) == choice.retryable
    else:
        assert choice.code == ("unsupported_option" if candidates else "no_endpoints")


@given(preferences, candidate_lists())
def test_what_the_caller_forbids_is_never_asked(
    wanted: Preferences, candidates: list[Candidate]
) -> None:
    left = chosen(wanted, candidates)
    for each in left:
        names = {each.provider, each.slug}
        assert not names & {slug.lower() for slug in wanted.ignore}
        assert not wanted.only or names & {slug.lower() for slug in wanted.only}
        assert each.refusal is None
        assert not (wanted.zdr and not each.zero_retention)
        assert not (wanted.data_collection == "deny" and each.collects_data)
        assert not (wanted.require_parameters and each.unmet)
        assert not wanted.quantizations or each.quantization in wanted.quantizations
        assert each.health.pause is None or each.health.pause.until <= NOW
        assert wanted.max_price.why_dearer(each.price) is None
    assert wanted.allow_fallbacks or len(left) <= 1


@given(preferences, candidate_lists())
def test_those_that_order_names_come_first_in_its_order(
    wanted: Preferences, candidates: list[Candidate]
) -> None:
    wanted = replace(wanted, partition="none", allow_fallbacks=True)
    named = [slug.lower() for slug in wanted.order]
    places = [each.place(named) for each in chosen(wanted, candidates)]
    assert places == sorted(places)


@given(preferences, candidate_lists())
def test_behind_all_others_of_its_model_is_a_regressed_endpoint_then_an_unstable_one(
    wanted: Preferences, candidates: list[Candidate]
) -> None:
    ranks = [
        (
            MODELS.index(each.model) if wanted.partition == "model" else 0,
            each.health.regressed,
            each.health.unstable,
        )
        for each in chosen(replace(wanted, order=()), candidates)
    ]
    assert ranks == sorted(ranks)


@given(candidate_lists())
def test_by_price_a_cheaper_equal_is_before_a_dearer_one(candidates: list[Candidate]) -> None:
    wanted = Preferences(sort="price", partition="none")
    equal = [replace(each, health=candidate("a/b").health) for each in candidates]
    prices = [each.nanodollars for each in chosen(wanted, equal)]
    assert prices == sorted(prices)


def test_endpoints_are_drawn_by_the_inverse_square_of_their_price() -> None:
    """$1 and $3: nine times as often; of three, the second is drawn among the rest likewise."""
    endpoints = [candidate("a/x", "0.01"), candidate("b/x", "0.03"), candidate("c/x", "0.02")]
    random, draws = Random(7), 20_000
    orders = Counter(
        tuple(slugs(choose(Preferences(), endpoints, now=NOW, random=random).order))
        for _ in range(draws)
    )
    weights = {"a/x": 1.0, "b/x": 1 / 9, "c/x": 1 / 4}
    for drawn in orders:
        rest, chance = dict(weights), 1.0
        for slug in drawn:
            chance *= rest[slug] / sum(rest.values())
            del rest[slug]
        deviation = (chance * (1 - chance) / draws) ** 0.5
        assert abs(orders[drawn] / draws - chance) < 4 * deviation
    assert len(orders) == 6


def test_what_is_free_comes_before_all_that_is_not_and_this_installation_first() -> None:
    endpoints = (candidate("a/x", "0.000001"), candidate("c/x"), candidate("local/x"),
                 candidate("b/x"))  # fmt: skip
    orders = {tuple(order(Preferences(), *endpoints, seed=seed)) for seed in range(100)}
    assert orders == {("local/x", "b/x", "c/x", "a/x"), ("local/x", "c/x", "b/x", "a/x")}


def test_an_installation_with_a_price_is_drawn_as_others_are() -> None:
    endpoints = (candidate("a/x", "0.01"), candidate("local/x", "0.01"))
    firsts = {order(Preferences(), *endpoints, seed=seed)[0] for seed in range(100)}
    assert firsts == {"a/x", "local/x"}
    assert order(Preferences(), *endpoints, candidate("b/x"))[0] == "b/x"


def test_health_decides_before_the_price() -> None:
    endpoints = (
        candidate("regressed/x", regressed=True),
        candidate("unstable/x", unstable=True),
        candidate("last/x", uptime=79.9),
        candidate("degraded/x", uptime=94.9),
        candidate("slow/x", uptime=100.0, speed=1.0),
        candidate("fast/x", "0.5", uptime=95.0, speed=20.0),
        candidate("unknown/x", "0.9"),
    )
    wanted = Preferences(
        sort="price",
        preferred_min_throughput=Thresholds(p50=10.0),
        preferred_max_latency=Thresholds(p99=2.0),
    )
    healthy = ["fast/x", "unknown/x", "slow/x", "degraded/x", "last/x"]
    healthy += ["unstable/x", "regressed/x"]
    assert order(wanted, *endpoints) == healthy
    assert order(replace(wanted, order=("Last", "unstable/x")), *endpoints) == [
        *("last/x", "unstable/x"),
        *(slug for slug in healthy if slug not in {"last/x", "unstable/x"}),
    ]


@pytest.mark.parametrize("key", ["throughput", "latency"])
def test_by_speed_the_fastest_comes_first_and_the_unknown_last(key: str) -> None:
    endpoints = (candidate("a/x"), candidate("b/x", speed=5.0), candidate("c/x", speed=9.0))
    assert order(Preferences(sort=key), *endpoints) == ["c/x", "b/x", "a/x"]  # type: ignore[arg-type]


def test_without_sort_the_rest_of_an_order_is_by_price() -> None:
    endpoints = (candidate("a/x", "0.3"), candidate("b/x", "0.2"), candidate("c/x", "0.4"))
    assert order(Preferences(order=("c",)), *endpoints) == ["c/x", "b/x", "a/x"]


def test_a_provider_stands_for_all_its_endpoints_and_a_slug_for_one() -> None:
    endpoints = (candidate("a/x"), candidate("a/y"), candidate("b/x"))
    assert sorted(order(Preferences(only=("a",)), *endpoints)) == ["a/x", "a/y"]
    assert order(Preferences(only=("A/X",)), *endpoints) == ["a/x"]
    assert order(Preferences(ignore=("a",)), *endpoints) == ["b/x"]
    assert order(Preferences(order=("a/y", "a")), *endpoints)[:2] == ["a/y", "a/x"]


def test_models_come_in_their_order_unless_they_are_not_told_apart() -> None:
    endpoints = (
        candidate("a/x", "0.9"),
        candidate("b/x", "0.1", model=MODELS[1]),
        candidate("c/x", "0.5"),
    )
    assert order(Preferences(sort="price"), *endpoints) == ["c/x", "a/x", "b/x"]
    together = Preferences(sort="price", partition="none")
    assert order(together, *endpoints) == ["b/x", "c/x", "a/x"]


def test_without_fallbacks_the_others_are_excluded() -> None:
    endpoints = [candidate("a/x", "0.9"), candidate("b/x", "0.1")]
    wanted = Preferences(sort="price", allow_fallbacks=False)
    choice = choose(wanted, endpoints, now=NOW, random=Random(0))
    assert slugs(choice.order) == ["b/x"]
    assert [each.exclusions for each in choice.excluded] == [{"allow_fallbacks"}]
    with raises("constraint_filtered", match=r"'provider\.order' names c"):
        order(replace(wanted, order=("c",)), *endpoints)


RESTING = candidate("a/x", pause=Pause("rate_limited", NOW + 7.2))
FAILING = candidate("b/x", pause=Pause("failing", NOW + 2.0))


@pytest.mark.parametrize(
    ("wanted", "candidates", "code", "sentence"),
    [
        (Preferences(), [], "no_endpoints", "No endpoint here has this model"),
        (Preferences(), [RESTING], "capacity_exhausted", r"rests for 8 s\. Send .* in 8 s"),
        (Preferences(), [RESTING, FAILING], "temporarily_unavailable", r"again in 2 s"),
        (Preferences(ignore=("b",)), [RESTING, FAILING], "capacity_exhausted", "in 8 s"),
        (Preferences(only=("c",)), [RESTING], "constraint_filtered", r"'provider\.only' names c"),
        (
            Preferences(zdr=True),
            [replace(candidate("a/x"), zero_retention=False)],
            "privacy_restricted",
            r"'provider\.zdr' is true\. Leave 'provider\.zdr' out",
        ),
        (
            Preferences(data_collection="deny", only=("a",)),
            [replace(candidate("a/x"), collects_data=True), candidate("b/x")],
            "privacy_restricted",
            r"b/x: 'provider\.only' names a\.",
        ),
        (
            Preferences(zdr=True, quantizations=("fp8",)),
            [replace(candidate("a/x"), zero_retention=False)],
            "constraint_filtered",
            r"its precision is unknown",
        ),
        (
            Preferences(),
            [replace(candidate("a/x"), refusal="It does not know 'tlh'.")],
            "unsupported_option",
            r"a/x: It does not know 'tlh'\. Leave that out",
        ),
        (
            Preferences(require_parameters=True),
            [replace(candidate("a/x"), unmet=("prompt", "seed"))],
            "constraint_filtered",
            r"it does not use 'prompt', 'seed'",
        ),
    ],
)
def test_where_nothing_is_left_the_error_says_why(
    wanted: Preferences, candidates: list[Candidate], code: str, sentence: str
) -> None:
    with raises(code, match=sentence):  # type: ignore[arg-type]
        choose(wanted, candidates, now=NOW, random=Random(0))


def test_the_error_has_the_reasons_for_programs() -> None:
    endpoints = [candidate(f"p{at}/x", "0.9", model=MODELS[at > 4]) for at in range(7)]
    wanted = Preferences(max_price=MaxPrice(minute=Decimal("0.1")))
    with pytest.raises(AvailabilityError, match=r"\$0\.9 a minute.* And 2 more\.") as caught:
        choose(wanted, endpoints, now=NOW, random=Random(0))
    availability = caught.value.availability
    assert availability.excluded_by == ("max_price",)
    assert availability.providers == tuple(f"p{at}" for at in range(7))
    assert availability.models == MODELS
    assert availability.constraint is not None
    assert availability.constraint[0] == "provider.max_price"
    assert availability.retry_after_s is None
