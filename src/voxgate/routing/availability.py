"""The error for a request that no endpoint is left for: the only place that words it."""

from __future__ import annotations

from math import ceil
from typing import TYPE_CHECKING

from voxgate.errors import (
    Availability,
    AvailabilityError,
    EngineStartError,
    UsageError,
    VoxgateError,
)
from voxgate.routing.candidate import PASSING, PRIVACY, Excluded

if TYPE_CHECKING:
    from collections.abc import Sequence

NAMED = 5
"""How many endpoints a sentence names; the others are counted."""


def nothing_left(excluded: Sequence[Excluded], now: float) -> VoxgateError:
    """Return the error for candidates that are all excluded, at a moment of their health's clock.

    Its code is that of the least that could change: time, then the data policy, then any field.
    """
    if not excluded:
        return EngineStartError(
            "No endpoint here has this model. Ask for another one: GET /models lists them.",
            code="no_endpoints",
        )
    if all(each.candidate.refusal for each in excluded):
        return UsageError(
            f"No endpoint can do what is asked. {_causes(excluded)} Leave that out, or ask for "
            f"another model.",
            code="unsupported_option",
        )
    if resting := [each for each in excluded if each.exclusions <= PASSING]:
        return _rest(resting, excluded, now)
    private = [each for each in excluded if each.exclusions <= PRIVACY]
    first = (private or excluded)[0].reasons[0]
    availability = _availability(excluded, constraint=(first.field, first.clause))
    if private:
        return AvailabilityError(
            f"The data policy leaves no endpoint. {_causes(excluded)} Leave '{first.field}' out, "
            f"or ask for another model.",
            availability,
            code="privacy_restricted",
        )
    return AvailabilityError(
        f"The request's preferences leave no endpoint. {_causes(excluded)} Change them, or ask "
        f"for another model.",
        availability,
        code="constraint_filtered",
    )


def _rest(resting: Sequence[Excluded], excluded: Sequence[Excluded], now: float) -> VoxgateError:
    """Return the error for endpoints of which some could be asked later."""
    pauses = [pause.until - now for each in resting if (pause := each.candidate.health.pause)]
    retry_after_s = max(1, ceil(min(pauses)))
    availability = _availability(excluded, retry_after_s=retry_after_s)
    if all(each.exclusions == {"rate_limited"} for each in resting):
        return AvailabilityError(
            f"Every endpoint is asked too often now. {_causes(excluded)} Send the request again "
            f"in {retry_after_s} s.",
            availability,
            code="capacity_exhausted",
        )
    return AvailabilityError(
        f"No endpoint can be asked now. {_causes(excluded)} Send the request again in "
        f"{retry_after_s} s.",
        availability,
        code="temporarily_unavailable",
    )


def _availability(
    excluded: Sequence[Excluded],
    *,
    constraint: tuple[str, str] | None = None,
    retry_after_s: int | None = None,
) -> Availability:
    models = dict.fromkeys(each.candidate.model for each in excluded)
    return Availability(
        excluded_by=tuple(
            dict.fromkeys(reason.exclusion for each in excluded for reason in each.reasons)
        ),
        providers=tuple(dict.fromkeys(each.candidate.provider for each in excluded)),
        models=tuple(models) if len(models) > 1 else (),
        constraint=constraint,
        retry_after_s=retry_after_s,
    )


def _causes(excluded: Sequence[Excluded]) -> str:
    """Return a sentence for each endpoint, with what excludes it."""
    causes = [
        f"{each.candidate.slug}: {', and '.join(reason.clause for reason in each.reasons)}."
        for each in excluded[:NAMED]
    ]
    if more := len(excluded[NAMED:]):
        causes.append(f"And {more} more.")
    return " ".join(causes)
