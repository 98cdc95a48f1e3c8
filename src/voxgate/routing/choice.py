"""`choose`: which endpoints serve a request, in the order in which they are asked. A pure function.

1. What the caller's preferences, a promise or a pause exclude is left out, each with its reasons.
2. The endpoints of a model come before those of the next one that the caller named.
3. Those that `order` names come first, in its order, however they do.
4. Those that recognise known recordings as well as ever come before those that regressed; of
   equals, stable endpoints before unstable ones; of equals, those with an uptime of 95 % before
   those with 80 %, and these before the rest; of equals, those within the preferred latency and
   throughput before the others.
5. Of equals, `sort` decides, or the price where `order` is given. Without either they are drawn:
   each is the next by a chance that is proportional to 1 / price², and those that are free come
   before all that are not (openrouter-api.md 7), this installation's first: what callers do not
   pay, and their speech, stays here as long as it can.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Final, TypeAlias

from voxgate.routing.availability import nothing_left
from voxgate.routing.candidate import Candidate, Excluded, Reason, exclusions
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence
    from random import Random

    from voxgate.routing.preferences import Preferences
    from voxgate.routing.summary import HealthState

GROUPS: Final[tuple[HealthState, ...]] = ("normal", "degraded", "last_resort", "unstable")
"""Those that come first, first."""

NO_FALLBACKS = Reason(
    "allow_fallbacks", "provider.allow_fallbacks", "'provider.allow_fallbacks' is false"
)

Rank: TypeAlias = tuple[float, ...]
"""Endpoints are asked by their ranks, the least first; of equals, in the order they were given."""


@dataclass(frozen=True, slots=True)
class Choice:
    """Every candidate is in one of both."""

    order: tuple[Candidate, ...]  # of the attempts; never empty
    excluded: tuple[Excluded, ...] = ()


def choose(
    preferences: Preferences, candidates: Sequence[Candidate], *, now: float, random: Random
) -> Choice:
    """Return the endpoints to ask, in order.

    `candidates` are in the order of their models, as the caller prefers these. `now` is a moment of
    the clock of their health. Raises `EngineStartError` (`no_endpoints`), `UsageError`
    (`unsupported_option`) and `AvailabilityError` where none is left.
    """
    preferences = _in_lower_case(preferences)
    left, excluded = list[Candidate](), list[Excluded]()
    for candidate in candidates:
        if reasons := tuple(exclusions(candidate, preferences, now)):
            excluded.append(Excluded(candidate, reasons))
        else:
            left.append(candidate)
    if not left:
        raise nothing_left(excluded, now)
    models = {model: at for at, model in enumerate(dict.fromkeys(each.model for each in left))}
    if preferences.partition == "none":
        models = dict.fromkeys(models, 0)
    left.sort(key=lambda each: (models[each.model], *_rank(each, preferences, now, random)))
    if not preferences.allow_fallbacks:
        excluded += [Excluded(each, (NO_FALLBACKS,)) for each in left[1:]]
        del left[1:]
    return Choice(tuple(left), tuple(excluded))


def _rank(candidate: Candidate, preferences: Preferences, now: float, random: Random) -> Rank:
    """Return what an endpoint is sorted by within its model."""
    return (
        candidate.place(preferences.order),
        candidate.health.regressed,  # first: what fails falls to the next one, wrong words do not
        GROUPS.index(candidate.health.state(now)),
        _is_disliked(candidate, preferences),
        *_last_rank(candidate, preferences, random),
    )


def _is_disliked(candidate: Candidate, preferences: Preferences) -> bool:
    """Return whether an endpoint is slower than preferred. One whose speed is unknown is not."""
    latency, throughput = candidate.health.latency_s, candidate.health.throughput
    most, least = preferences.preferred_max_latency, preferences.preferred_min_throughput
    return bool(
        (most and latency and most.exceeded_by(latency))
        or (least and throughput and least.undercut_by(throughput))
    )


def _last_rank(candidate: Candidate, preferences: Preferences, random: Random) -> Rank:
    """Return what decides between endpoints that are equal in all else: the unknown are last."""
    health = candidate.health
    if preferences.sort == "latency":
        return (health.latency_s.p50 if health.latency_s else float("inf"),)
    if preferences.sort == "throughput":
        return (-health.throughput.p50 if health.throughput else 0.0,)
    price = candidate.nanodollars
    if preferences.sort == "price" or preferences.order:
        return (price,)
    # The smallest of values drawn so is each one's by the chance that is wanted, and the next
    # smallest again among the rest (Efraimidis and Spirakis, IPL 97, 2006).
    is_away = not price and candidate.provider != LOCAL
    return (price > 0, is_away, random.expovariate(1.0) * (price or 1) ** 2)


def _in_lower_case(preferences: Preferences) -> Preferences:
    def lower(slugs: Sequence[str]) -> tuple[str, ...]:
        return tuple(map(str.lower, slugs))

    return replace(
        preferences,
        order=lower(preferences.order),
        only=lower(preferences.only),
        ignore=lower(preferences.ignore),
        quantizations=lower(preferences.quantizations),
    )
