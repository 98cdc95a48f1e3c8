"""How long a choice of endpoints takes, and the book of their health.

    python -m benchmarks.routing [ENDPOINTS]

Half of the endpoints have been asked often, so that every step of the choice has work.
"""

from __future__ import annotations

import statistics
import sys
import time
from decimal import Decimal
from random import Random

from benchmarks.table import Row, show
from voxgate.histograms import Percentiles
from voxgate.prices import Price
from voxgate.routing.candidate import Candidate
from voxgate.routing.choice import choose
from voxgate.routing.health import HealthBook
from voxgate.routing.preferences import MaxPrice, Preferences, Thresholds
from voxgate.routing.summary import HealthSummary, SpanFigures
from voxgate.routing.tally import EndedAttempt

CHOICES = 2000
ROUNDS = 200
GOAL_MS = 1.0
CASES = {
    "drawn by price": Preferences(),
    "sort=latency, partition=none": Preferences(sort="latency", partition="none"),
    "every preference": Preferences(
        order=("p1", "p2/model"),
        only=tuple(f"p{number}" for number in range(40)),
        ignore=("p3",),
        sort="throughput",
        max_price=MaxPrice(Decimal("0.5"), Decimal(1), Decimal(3)),
        quantizations=("fp16", "int8"),
        preferred_min_throughput=Thresholds(p90=10.0),
        preferred_max_latency=Thresholds(p50=3.0),
    ),
}


def endpoints(count: int) -> list[Candidate]:
    """Endpoints of two models, with prices and health."""
    random = Random(1)  # noqa: S311 (not a secret)
    return [
        Candidate(
            slug=f"p{number}/model",
            provider=f"p{number}",
            model=f"owner/model-{number % 2}",
            price=Price(Decimal(random.randrange(1, 100)) / 10_000, "minute"),
            quantization=random.choice(["fp16", "int8"]),
            health=health(random) if number % 2 else HealthSummary(),
        )
        for number in range(count)
    ]


def health(random: Random) -> HealthSummary:
    """The health of an endpoint that works more or less."""
    speed = Percentiles(*sorted(random.uniform(1, 100) for _ in range(4)))
    figures = SpanFigures(200, random.uniform(70, 100), speed, speed, speed)
    return HealthSummary(figures, figures, figures, unstable=random.random() < 0.1)


def row(name: str, preferences: Preferences, candidates: list[Candidate]) -> Row:
    """Measure one case."""
    random = Random(2)  # noqa: S311 (not a secret)
    spent_ms = list[float]()
    for _ in range(CHOICES):
        start = time.perf_counter()
        choose(preferences, candidates, now=0.0, random=random)
        spent_ms.append((time.perf_counter() - start) * 1e3)
    percentiles = statistics.quantiles(spent_ms, n=100)
    return Row(
        f"choice of {len(candidates)} endpoints, {name}",
        f"{percentiles[49]:.2f} ms, p99 {percentiles[98]:.2f} ms",
        goal=f"< {GOAL_MS:g} ms",
    )


def book_rows(count: int) -> list[Row]:
    """Measure what an attempt costs, and the summaries of endpoints that were all just asked."""
    random, now = Random(3), 0.0  # noqa: S311 (not a secret)
    book = HealthBook(lambda: now)
    slugs = [f"p{number}/model" for number in range(count)]
    record_ms, summary_ms = list[float](), list[float]()
    for _ in range(ROUNDS):
        now += 60.0
        for slug in slugs:
            attempt = EndedAttempt("succeeded", random.uniform(0.5, 5), 30.0, random.random())
            start = time.perf_counter()
            book.record(slug, attempt)
            record_ms.append((time.perf_counter() - start) * 1e3)
        start = time.perf_counter()
        for slug in slugs:
            book.summary(slug)
        summary_ms.append((time.perf_counter() - start) * 1e3)
    return [
        Row("an attempt, counted", f"{statistics.median(record_ms):.3f} ms"),
        Row(
            f"summaries of {count} endpoints, each asked since the last one",
            f"{statistics.median(summary_ms):.2f} ms",
        ),
    ]


if __name__ == "__main__":
    known = endpoints(int(sys.argv[1]) if len(sys.argv) > 1 else 50)
    choices = [row(name, preferences, known) for name, preferences in CASES.items()]
    show([*choices, *book_rows(len(known))])
