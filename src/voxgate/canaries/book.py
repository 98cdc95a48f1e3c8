"""`CanaryBook`: what is known of each endpoint by its canaries, and `canary_facts` for readers."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from voxgate.canaries.rule import why_regressed
from voxgate.ledger.amounts import json_dollars

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from voxgate.ledger.canary_results import CanaryResult
    from voxgate.routing.health import HealthBook

log = logging.getLogger(__name__)


class CanaryBook:
    """The results of endpoints, by their slugs. It tells the book of health who regressed."""

    def __init__(self, health: HealthBook, interval_s: float) -> None:
        """`interval_s` is the time between two results of an endpoint."""
        self._health, self._interval_s = health, interval_s
        self._results: Mapping[str, Sequence[CanaryResult]] = {}
        self._regressions: dict[str, str] = {}  # why, by slug

    @property
    def word_error_rates(self) -> dict[str, float]:
        """Those of the last results of endpoints, where words were compared."""
        rates = {slug: own[-1].word_error_rate for slug, own in self._results.items()}
        return {slug: rate for slug, rate in rates.items() if rate is not None}

    @property
    def regressed(self) -> dict[str, bool]:
        """Whether each of the endpoints recognises known recordings worse than it did."""
        return {slug: slug in self._regressions for slug in self._results}

    def take(self, results: Mapping[str, Sequence[CanaryResult]]) -> None:
        """Take what the ledger has, each endpoint's oldest first. A change is logged once."""
        self._results, now = results, datetime.now(UTC)
        before, self._regressions = self._regressions, {}
        for slug, own in results.items():
            if reason := why_regressed(own, now, self._interval_s):
                self._regressions[slug] = reason
        self._health.regressed = self._regressions.keys()
        for slug in sorted(self._regressions.keys() - before.keys()):
            log.warning(
                "%s regressed: %s. It is asked after the others of its model; docs/routing.md says "
                "until when.",
                slug,
                self._regressions[slug],
            )
        for slug in sorted(before.keys() - self._regressions.keys()):
            log.warning("%s is no longer regressed.", slug)

    def facts(self, slug: str) -> dict[str, Any] | None:
        """Return what is known of an endpoint; None where nothing is."""
        return canary_facts(self._results.get(slug, ()), self._regressions.get(slug))


def canary_facts(results: Sequence[CanaryResult], regression: str | None) -> dict[str, Any] | None:
    """Return what is known of an endpoint, the oldest result first, as an object of JSON.

    `checkpoints` has the last result of each revision and profile, the newest first.
    """
    if not results:
        return None
    last = {(each.revision, each.profile): each for each in results}
    newest_first = sorted(last.values(), key=lambda each: each.measured_at, reverse=True)
    return {
        "regressed": regression is not None,
        "regression": regression,
        **_figures(newest_first[0]),
        "checkpoints": [
            {"revision": each.revision, "profile": each.profile, **_figures(each)}
            for each in newest_first
        ],
    }


def _figures(result: CanaryResult) -> dict[str, Any]:
    hour = result.nanodollars_per_hour
    return {
        "word_error_rate": _rounded(result.word_error_rate),
        "coverage": _rounded(result.coverage),
        "real_time_factor": _rounded(result.real_time_factor),
        "cost_per_audio_hour": None if hour is None else json_dollars(hour),
        "recordings": result.recordings,
        "failed": result.failed,
        "measured_at": result.measured_at.isoformat(timespec="seconds"),
    }


def _rounded(share: float | None) -> float | None:
    return None if share is None else round(share, 4)
