"""`ModelUptime`: how a model did in the last hours, for its callers and at each of its endpoints.

Of openrouter-api.md 7 it is the first definition: successes of all that succeeded or failed, where
refusals of too many requests and faults of callers are neither, rounded down, and none of too few.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NamedTuple

from voxgate.api.model_card import providers_of
from voxgate.ledger.endpoint_hours import HourOfEndpoint
from voxgate.ledger.usage_hours import start_of_hour
from voxgate.routing.candidate import local_slug
from voxgate.routing.tally import MIN_ATTEMPTS
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from datetime import datetime

    from voxgate.ledger.ledger import Ledger
    from voxgate.ledger.usage_hours import UsageHour
    from voxgate.models.catalogue import ModelSpec

HOURS = 72
"""The hours of a model's uptime, the running one included."""

ROUTING_HOURS = 24
"""The last of them that are told with and without routing."""

MIN_IN_AN_HOUR = 3
"""The figure of an hour of fewer attempts or recordings is not given."""


@dataclass(frozen=True, slots=True)
class HourlyShare:
    """The share of an hour of UTC that succeeded, in percent; None where it had too little."""

    hour: datetime
    percent: float | None


@dataclass(frozen=True, slots=True)
class RoutingHour:
    """An hour as callers met a model, and as they would have with its first endpoint alone."""

    hour: datetime
    availability_percent: float | None
    without_routing_percent: float | None


@dataclass(frozen=True, slots=True)
class EndpointUptime:
    """The attempts at one endpoint that succeeded, of `HOURS` hours."""

    slug: str
    percent: float | None
    hours: tuple[HourlyShare, ...]


@dataclass(frozen=True, slots=True)
class ModelUptime:
    """`HOURS` hours of a model, the oldest first. The last one goes on."""

    availability_percent: float | None  # of the recordings that callers sent
    uptime_percent: float | None  # of the attempts at endpoints
    saved: int  # recordings that another endpoint than the first one saved
    hours: tuple[HourlyShare, ...]  # of recordings
    routing: tuple[RoutingHour, ...]  # the last `ROUTING_HOURS` of them
    endpoints: tuple[EndpointUptime, ...]


def endpoint_slugs(spec: ModelSpec) -> tuple[str, ...]:
    """Return the slugs of a model's endpoints, here and elsewhere, in this order."""
    here = (local_slug(spec.name),) if LOCAL in providers_of(spec) else ()
    return (*here, *dict.fromkeys(each.slug for each in spec.endpoints))


async def find_uptime(ledger: Ledger, spec: ModelSpec, now: datetime) -> ModelUptime:
    """Return the uptime of a model at a moment. Raises `LedgerError`."""
    slugs, since = endpoint_slugs(spec), start_of_hour(now) - timedelta(hours=HOURS - 1)
    usage = await ledger.usage_hours.of_model(spec.name, since)
    attempts = await ledger.endpoint_hours.find(slugs, since)
    return model_uptime(slugs, usage, attempts, now)


def model_uptime(
    slugs: Sequence[str],
    usage: Iterable[UsageHour],
    attempts: Mapping[HourOfEndpoint, tuple[int, int]],
    now: datetime,
) -> ModelUptime:
    """Return the uptime of a model with these endpoints, from the sums of its hours."""
    last = start_of_hour(now)
    hours = [last - timedelta(hours=ago) for ago in reversed(range(HOURS))]
    known = {each.hour: each for each in usage}
    met = [_Met.of(known.get(hour)) for hour in hours]
    total = _Met(*map(sum, zip(*met, strict=True)))
    counts = {
        slug: [attempts.get(HourOfEndpoint(slug, hour), (0, 0)) for hour in hours] for slug in slugs
    }
    return ModelUptime(
        availability_percent=_percent(total.answered, total.unavailable, MIN_ATTEMPTS),
        uptime_percent=_of_all([each for own in counts.values() for each in own]),
        saved=total.saved,
        hours=_shares(hours, [(each.answered, each.unavailable) for each in met]),
        routing=tuple(map(_routing_hour, hours, met))[-ROUTING_HOURS:],
        endpoints=tuple(
            EndpointUptime(slug, _of_all(own), _shares(hours, own)) for slug, own in counts.items()
        ),
    )


def uptime_record(uptime: ModelUptime) -> dict[str, Any]:
    """Return the uptime as OpenRouter's model page reads it, and what is Voxgate's own beside."""
    return {
        "availability": uptime.availability_percent,
        "uptime": uptime.uptime_percent,
        "hourly": _hourly(uptime.hours),
        "buckets": [
            {
                "timestamp": each.hour.isoformat(),
                "availability": each.availability_percent,
                "availabilityWithoutRouting": each.without_routing_percent,
            }
            for each in uptime.routing
        ],
        "voxgate": {
            "saved": uptime.saved,
            "endpoints": [
                {"endpoint": each.slug, "uptime": each.percent, "hourly": _hourly(each.hours)}
                for each in uptime.endpoints
            ],
        },
    }


def _hourly(hours: Iterable[HourlyShare]) -> list[dict[str, Any]]:
    return [{"timestamp": each.hour.isoformat(), "availability": each.percent} for each in hours]


class _Met(NamedTuple):
    """How callers met a model: of those answered, some were saved."""

    answered: int = 0
    saved: int = 0
    unavailable: int = 0

    @classmethod
    def of(cls, hour: UsageHour | None) -> _Met:
        return cls(hour.answered, hour.saved, hour.unavailable) if hour else cls()


def _routing_hour(hour: datetime, met: _Met) -> RoutingHour:
    answered_first, not_by_first = met.answered - met.saved, met.unavailable + met.saved
    return RoutingHour(
        hour,
        _percent(met.answered, met.unavailable, MIN_IN_AN_HOUR),
        _percent(answered_first, not_by_first, MIN_IN_AN_HOUR),
    )


def _shares(
    hours: Sequence[datetime], counts: Iterable[tuple[int, int]]
) -> tuple[HourlyShare, ...]:
    return tuple(
        HourlyShare(hour, _percent(*each, MIN_IN_AN_HOUR))
        for hour, each in zip(hours, counts, strict=True)
    )


def _of_all(counts: Sequence[tuple[int, int]]) -> float | None:
    succeeded, failed = (sum(each[number] for each in counts) for number in (0, 1))
    return _percent(succeeded, failed, MIN_ATTEMPTS)


def _percent(succeeded: int, failed: int, least: int) -> float | None:
    """Return the share that succeeded, rounded down to two decimals; None of fewer than `least`."""
    count = succeeded + failed
    return 10_000 * succeeded // count / 100 if count >= least else None
