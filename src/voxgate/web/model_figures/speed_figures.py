"""How fast a model was at each of its providers, and what it cost there, by the day."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from voxgate.prices import SAMPLES_PER_S

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from datetime import date

    from voxgate.histograms import Percentiles
    from voxgate.ledger.activity import ActivityRow
    from voxgate.web.model_figures.figure_choice import Percentile

SPEED_DAYS = 30
PRICE_DAYS = 7
SAMPLES_PER_HOUR = 3600 * SAMPLES_PER_S
NANODOLLARS = 1e9  # in a dollar

NO_PROVIDER = "nobody"


@dataclass(frozen=True, slots=True)
class DailySeries:
    """A value of each provider for each day, the oldest first; None where there was none."""

    providers: tuple[str, ...]
    days: tuple[tuple[date, tuple[float | None, ...]], ...]
    last_day: date  # which is not over

    @property
    def is_empty(self) -> bool:
        """Whether there is no value at all."""
        return not any(value is not None for _, values in self.days for value in values)


@dataclass(frozen=True, slots=True)
class SpeedFigures:
    """What so many of 100 requests that succeeded did not exceed on each day."""

    first_text_ms: DailySeries
    latency_ms: DailySeries
    speed: DailySeries  # seconds of sound in a second, at least


@dataclass(frozen=True, slots=True)
class EffectivePrice:
    """What a provider's hours of sound were charged with, of `PRICE_DAYS` days."""

    provider: str
    dollars_per_audio_hour: float


@dataclass(frozen=True, slots=True)
class EffectivePrices:
    """Those of all providers that recognised anything, the cheapest first, and of each day."""

    totals: tuple[EffectivePrice, ...]
    daily: DailySeries  # dollars for an hour of sound


def speed_figures(rows: Sequence[ActivityRow], last: date, percentile: Percentile) -> SpeedFigures:
    """Return the figures of `SPEED_DAYS` days, from rows that are grouped by day and provider."""

    def of(found: Percentiles | None) -> float | None:
        value: float | None = getattr(found, percentile) if found else None
        return value

    def speed(row: ActivityRow) -> float | None:
        factor = of(row.real_time_factor)
        return 1 / factor if factor else None

    return SpeedFigures(
        daily_series(rows, last, SPEED_DAYS, lambda row: of(row.first_text_ms)),
        daily_series(rows, last, SPEED_DAYS, lambda row: of(row.latency_ms)),
        daily_series(rows, last, SPEED_DAYS, speed),
    )


def effective_prices(rows: Sequence[ActivityRow], last: date) -> EffectivePrices:
    """Return what was charged for each hour of sound, from rows by day and provider."""
    recent = [row for row in rows if row.group[0] > last - timedelta(days=PRICE_DAYS)]  # type: ignore[operator]  # it is a day
    found = []
    for provider in sorted({_provider(row) for row in recent if row.audio_samples}):
        own = [row for row in recent if _provider(row) == provider]
        price = _price(sum(row.nanodollars for row in own), sum(row.audio_samples for row in own))
        if price is not None:
            found.append(EffectivePrice(provider, price))
    return EffectivePrices(
        tuple(sorted(found, key=lambda each: each.dollars_per_audio_hour)),
        daily_series(
            recent, last, PRICE_DAYS, lambda row: _price(row.nanodollars, row.audio_samples)
        ),
    )


def daily_series(
    rows: Iterable[ActivityRow],
    last: date,
    count: int,
    value_of: Callable[[ActivityRow], float | None],
) -> DailySeries:
    """Return a value of each row, by its day and its provider, of so many days to the last one."""
    values = {(row.group[0], _provider(row)): value_of(row) for row in rows}
    providers = tuple(sorted({name for (_, name), value in values.items() if value is not None}))
    days = [last - timedelta(days=ago) for ago in reversed(range(count))]
    return DailySeries(
        providers,
        tuple((day, tuple(values.get((day, name)) for name in providers)) for day in days),
        last,
    )


def _provider(row: ActivityRow) -> str:
    return str(row.group[1]) or NO_PROVIDER


def _price(nanodollars: int, samples: int) -> float | None:
    return nanodollars / NANODOLLARS * SAMPLES_PER_HOUR / samples if samples else None
