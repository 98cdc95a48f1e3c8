"""How well the endpoints of a model recognise recordings with known words, over time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.ledger.usage_hours import start_of_hour

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime

    from voxgate.ledger.canary_results import CanaryResult


@dataclass(frozen=True, slots=True)
class LatestWordErrors:
    """The last word error rate of an endpoint."""

    endpoint: str  # its slug
    percent: float
    measured_at: datetime
    since: datetime  # the first result of the same checkpoint and the same recordings
    rounds: int  # since then


@dataclass(frozen=True, slots=True)
class WordErrorFigures:
    """Word error rates in percent: a row for each round, with a value for each endpoint.

    Endpoints are sent canaries one after the other: those of an hour are one round, of which the
    last result of an endpoint counts.
    """

    endpoints: tuple[str, ...]
    rounds: tuple[tuple[datetime, tuple[float | None, ...]], ...]
    latest: tuple[LatestWordErrors, ...]


def word_error_figures(
    results: Mapping[str, Sequence[CanaryResult]], slugs: Sequence[str]
) -> WordErrorFigures:
    """Return the figures of these endpoints, of results of which the oldest is first."""
    measured = {
        slug: [each for each in results.get(slug, ()) if each.word_error_rate is not None]
        for slug in slugs
    }
    endpoints = tuple(slug for slug, own in measured.items() if own)
    values = {
        (start_of_hour(each.measured_at), slug): _percent(each)
        for slug in endpoints
        for each in measured[slug]
    }
    rounds = sorted({hour for hour, _ in values})
    return WordErrorFigures(
        endpoints,
        tuple((hour, tuple(values.get((hour, slug)) for slug in endpoints)) for hour in rounds),
        tuple(_latest(slug, measured[slug]) for slug in endpoints),
    )


def _latest(slug: str, own: Sequence[CanaryResult]) -> LatestWordErrors:
    last = own[-1]
    same = [each for each in own if _what(each) == _what(last)]
    return LatestWordErrors(
        slug, _percent(last), last.measured_at, same[0].measured_at, rounds=len(same)
    )


def _what(result: CanaryResult) -> tuple[str | None, ...]:
    """Return what makes results comparable."""
    return result.revision, result.profile, result.digest


def _percent(result: CanaryResult) -> float:
    return 100 * result.errors / result.reference
