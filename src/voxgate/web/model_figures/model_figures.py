"""`ModelFigures`: what the page of a model shows over time, for one visitor."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from voxgate.api.model_uptime import endpoint_slugs, find_uptime
from voxgate.ledger.activity_query import ActivityQuery
from voxgate.ledger.columns import utc_now
from voxgate.ledger.usage_hours import start_of_hour
from voxgate.web.model_figures.activity_figures import (
    DAYS,
    HOURS,
    MOST_APPS,
    app_rows,
    daily_activity,
    hourly_activity,
)
from voxgate.web.model_figures.figure_choice import FigureChoice
from voxgate.web.model_figures.speed_figures import SPEED_DAYS, effective_prices, speed_figures
from voxgate.web.model_figures.word_error_figures import word_error_figures

if TYPE_CHECKING:
    from datetime import datetime

    from voxgate.api.model_uptime import ModelUptime
    from voxgate.ledger.ledger import Ledger
    from voxgate.models.catalogue import ModelSpec
    from voxgate.web.model_figures.activity_figures import ActivityFigures, AppRow
    from voxgate.web.model_figures.speed_figures import EffectivePrices, SpeedFigures
    from voxgate.web.model_figures.word_error_figures import WordErrorFigures
    from voxgate.web.signing.visitor import Visitor
    from voxgate.web.site import Site

APP_DAYS = 30
NO_KEY = ""
"""The hash, in the sums of a ledger, of requests without a key."""

DEFAULT_CHOICE = FigureChoice()


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """The figures of one model. Days and hours are those of UTC."""

    choice: FigureChoice
    uptime: ModelUptime
    speeds: SpeedFigures
    effective_prices: EffectivePrices
    word_errors: WordErrorFigures
    sends_canaries: bool  # so that there will be word errors
    activity: ActivityFigures | None  # None: the visitor may see nobody's
    apps: tuple[AppRow, ...] | None  # likewise


async def model_figures(
    site: Site, spec: ModelSpec, visitor: Visitor, choice: FigureChoice = DEFAULT_CHOICE
) -> ModelFigures:
    """Return the figures of a model.

    Its health, speed and prices are everybody's; its activity and apps are those of the visitor's
    key, or of all keys for who manages the server. Raises `LedgerError`.
    """
    ledger, now = site.gateway.ledger, utc_now()
    today = now.date()
    by_provider = ActivityQuery(
        today - timedelta(days=SPEED_DAYS - 1), today, ("day", "provider"), model=spec.name
    )
    uptime, rows, canaries = await asyncio.gather(
        find_uptime(ledger, spec, now),
        ledger.activity.find(by_provider),
        ledger.canaries.load(),
    )
    activity, apps = None, None
    if visitor.signed_in:
        whose = _whose(visitor)
        activity = await _activity(ledger, spec.name, whose, choice, now)
        apps = await _apps(ledger, spec.name, whose, now)
    return ModelFigures(
        choice=choice,
        uptime=uptime,
        speeds=speed_figures(rows, today, choice.percentile),
        effective_prices=effective_prices(rows, today),
        word_errors=word_error_figures(canaries, endpoint_slugs(spec)),
        sends_canaries=site.gateway.settings.sends_canaries,
        activity=activity,
        apps=apps,
    )


def _whose(visitor: Visitor) -> str | None:
    """Return the hash of the key whose activity a visitor may see; None is all keys'."""
    if visitor.manages:
        return None
    return visitor.key.hash if visitor.key else NO_KEY


async def _activity(
    ledger: Ledger, model: str, key_hash: str | None, choice: FigureChoice, now: datetime
) -> ActivityFigures:
    if choice.period == "48h":
        since = start_of_hour(now) - timedelta(hours=HOURS - 1)
        return hourly_activity(await ledger.usage_hours.of_model(model, since, key_hash), now)
    today = now.date()
    first = today - timedelta(days=DAYS[choice.period] - 1)
    rows = await ledger.activity.find_sums(
        ActivityQuery(first, today, ("day",), key_hash=key_hash, model=model)
    )
    return daily_activity(rows, today, choice.period)


async def _apps(
    ledger: Ledger, model: str, key_hash: str | None, now: datetime
) -> tuple[AppRow, ...]:
    today = now.date()
    first = today - timedelta(days=APP_DAYS - 1)
    rows = await ledger.activity.find_sums(
        ActivityQuery(first, today, ("app",), key_hash=key_hash, model=model)
    )
    most = sorted(rows, key=lambda row: -row.audio_samples)[: MOST_APPS + 2]  # and those unnamed
    facts = await ledger.apps.find([str(row.group[0]) for row in most], key_hash)
    return app_rows(most, facts)
