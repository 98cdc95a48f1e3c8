"""Candidates and preferences: made by hand, and drawn by hypothesis."""

from __future__ import annotations

from decimal import Decimal
from typing import TYPE_CHECKING

from hypothesis import strategies as st

from voxgate.histograms import Percentiles
from voxgate.prices import Price
from voxgate.routing.candidate import Candidate
from voxgate.routing.preferences import MaxPrice, Preferences, Thresholds
from voxgate.routing.summary import HealthSummary, Pause, SpanFigures

if TYPE_CHECKING:
    from collections.abc import Iterable

PROVIDERS = ("local", "groq", "mistral", "openai")
MODELS = ("openai/whisper-base", "mistralai/voxtral-mini")
SLUGS = [*PROVIDERS, *(f"{provider}/model-{at}" for provider in PROVIDERS for at in range(2))]
PRECISIONS = ("fp16", "int8")


def by_minute(dollars: str) -> Price | None:
    return Price(Decimal(dollars), "minute") if Decimal(dollars) else None


def candidate(
    slug: str,
    dollars: str = "0",
    *,
    uptime: float | None = None,
    speed: float | None = None,
    unstable: bool = False,
    regressed: bool = False,
    pause: Pause | None = None,
    model: str = MODELS[0],
) -> Candidate:
    """An endpoint by its slug, the price of a minute, and its health; `speed` is as throughput."""
    return Candidate(
        slug,
        slug.partition("/")[0],
        model,
        by_minute(dollars),
        health=health(uptime, speed, unstable=unstable, regressed=regressed, pause=pause),
    )


def health(
    uptime: float | None = None,
    speed: float | None = None,
    *,
    unstable: bool = False,
    regressed: bool = False,
    pause: Pause | None = None,
) -> HealthSummary:
    throughput = Percentiles(speed, speed, speed, speed) if speed else None
    latency = Percentiles(*[30 / speed] * 4) if speed else None
    figures = SpanFigures(100, uptime, latency, None, throughput)
    return HealthSummary(last_5m=figures, unstable=unstable, regressed=regressed, pause=pause)


def slugs(candidates: Iterable[Candidate]) -> list[str]:
    return [each.slug for each in candidates]


pauses = st.builds(
    Pause, st.sampled_from(["rate_limited", "failing"]), st.floats(-100, 100, allow_nan=False)
)
healths = st.builds(
    health,
    st.none() | st.floats(0, 100),
    st.none() | st.floats(0.1, 100),
    unstable=st.booleans(),
    regressed=st.booleans(),
    pause=st.none() | st.none() | pauses,
)
prices = st.none() | st.builds(
    Price, st.decimals(0, 1, places=4), st.sampled_from(["minute", "hour", "request", "token"])
)


@st.composite
def candidate_lists(draw: st.DrawFn) -> list[Candidate]:
    """Endpoints with different slugs, those of each model together."""
    named = draw(st.lists(st.sampled_from([s for s in SLUGS if "/" in s]), unique=True, max_size=8))
    first = draw(st.integers(0, len(named)))
    return [
        Candidate(
            slug,
            slug.partition("/")[0],
            MODELS[at >= first],
            draw(prices),
            draw(st.none() | st.sampled_from(PRECISIONS)),
            collects_data=draw(st.booleans()),
            zero_retention=draw(st.booleans()),
            unmet=draw(st.sampled_from([(), ("prompt",)])),
            refusal=draw(st.sampled_from([None, None, "It does not know 'tlh'."])),
            health=draw(healths),
        )
        for at, slug in enumerate(named)
    ]


names = st.lists(st.sampled_from([*SLUGS, "azure", "GROQ"]), max_size=3).map(tuple)
thresholds = st.none() | st.builds(Thresholds, st.floats(0, 100), p99=st.none() | st.floats(0, 100))
preferences = st.builds(
    Preferences,
    order=names,
    only=st.just(()) | names,
    ignore=st.just(()) | names,
    allow_fallbacks=st.booleans(),
    sort=st.sampled_from([None, "price", "throughput", "latency"]),
    partition=st.sampled_from(["model", "none"]),
    max_price=st.builds(MaxPrice, st.none() | st.decimals(0, 1, places=3)),
    require_parameters=st.booleans(),
    data_collection=st.sampled_from(["allow", "deny"]),
    zdr=st.booleans(),
    quantizations=st.just(()) | st.lists(st.sampled_from(PRECISIONS)).map(tuple),
    preferred_min_throughput=thresholds,
    preferred_max_latency=thresholds,
)
