"""`HealthBook`: how each endpoint of a process has done, from its attempts.

It is within one event loop, and reads no clock but its own, which counts seconds from any moment.
"""

from __future__ import annotations

import time
from collections import defaultdict
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Final

from voxgate.routing.breaker import Breaker
from voxgate.routing.summary import UNKNOWN_HEALTH, HealthSummary, Pause, PauseReason
from voxgate.routing.tally import FAILURES, AttemptCount, EndedAttempt, RollingTally, Tally
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Mapping

SPANS_S: Final = {"5m": 300.0, "30m": 1800.0, "1d": 86_400.0}
RECENT_S = 30.0
UNSTABLE_SHARE = 0.2
"""An endpoint is unstable where so many of the attempts of the last `RECENT_S` seconds failed."""

REST_S = 5.0  # after a 429 that does not say how long
MAX_REST_S = 86_400.0


@dataclass(frozen=True, slots=True)
class SavedHealth:
    """One endpoint's health, as a plain value without moments: it is loaded by another clock."""

    spans: dict[str, list[tuple[int, Tally]]] = field(default_factory=dict)  # ages in cells
    failures: int = 0  # in a row
    pause_s: float | None = None  # of a breaker that is open, or half open
    opened_for_s: float = 0.0  # how long it is
    rest: tuple[PauseReason, float] | None = None  # the seconds that are left


class EndpointHealth:
    """One endpoint. `breaks` says that it is left alone where it fails."""

    def __init__(self, *, breaks: bool) -> None:
        self._spans = {name: RollingTally(span_s) for name, span_s in SPANS_S.items()}
        self._recent = RollingTally(RECENT_S)
        self._breaker = Breaker() if breaks else None
        self._rest: tuple[PauseReason, float, float] | None = None  # why, since when, seconds
        self.attempts = 0  # that were recorded in this process

    def claim(self, now: float) -> bool:
        """Return whether an attempt may begin now; see `HealthBook.claim`."""
        if self._resting(now):
            return False
        return self._breaker is None or self._breaker.claim(now)

    def record(self, attempt: EndedAttempt, now: float) -> None:
        """Count an attempt that ended now."""
        self.attempts += 1
        tally = Tally.of(attempt)
        for rolling in (*self._spans.values(), self._recent):
            rolling.count(tally, now)
        failed = attempt.ending in FAILURES
        if attempt.ending == "rate_limited" or (failed and attempt.retry_after_s is not None):
            reason: PauseReason = "failing" if failed else "rate_limited"
            wanted_s = REST_S if attempt.retry_after_s is None else attempt.retry_after_s
            self._let_rest(reason, now, min(max(wanted_s, 0.0), MAX_REST_S))
        if self._breaker is None:
            return
        if failed:
            recent = self._recent.total(now)
            self._breaker.fail(
                now, recent=recent.succeeded + recent.failed, recent_failures=recent.failed
            )
        elif attempt.ending in {"succeeded", "refused"}:  # both are answers
            self._breaker.succeed()
        else:
            self._breaker.release()

    def release(self) -> None:
        """Let another attempt begin, where one that was claimed has ended without a record."""
        if self._breaker is not None:
            self._breaker.release()

    def summary(self, now: float) -> HealthSummary:
        """Return how the endpoint does now."""
        figures = {name: rolling.figures(now) for name, rolling in self._spans.items()}
        recent = self._recent.total(now)
        attempts = recent.succeeded + recent.failed
        opened = self._breaker is not None and self._breaker.opened_at is not None
        return HealthSummary(
            figures["5m"],
            figures["30m"],
            figures["1d"],
            unstable=opened or 0 < recent.failed >= UNSTABLE_SHARE * attempts,
            pause=self._pause(now),
        )

    def dump(self, now: float) -> SavedHealth:
        """Return the health as a plain value, for `load`."""
        rest, breaker = self._resting(now), self._breaker
        opened_at = breaker.opened_at if breaker else None
        return SavedHealth(
            {name: rolling.dump(now) for name, rolling in self._spans.items()},
            breaker.failures if breaker else 0,
            breaker.pause_s if breaker and opened_at is not None else None,
            max(0.0, now - opened_at) if opened_at is not None else 0.0,
            (rest.reason, rest.until - now) if rest else None,
        )

    def load(self, saved: SavedHealth, now: float, elapsed_s: float) -> None:
        """Take over what `dump` returned so many seconds ago, of an endpoint that has none yet."""
        for name, rolling in self._spans.items():
            rolling.load(saved.spans.get(name, []), now, elapsed_s)
        if saved.rest:
            reason, left_s = saved.rest
            self._let_rest(reason, now, min(max(left_s - elapsed_s, 0.0), MAX_REST_S))
        if self._breaker is not None:
            self._breaker.failures = saved.failures
            if saved.pause_s is not None:
                self._breaker.pause_s = saved.pause_s
                self._breaker.opened_at = now - saved.opened_for_s - elapsed_s

    def _let_rest(self, reason: PauseReason, now: float, rest_s: float) -> None:
        """Leave the endpoint alone for so long, unless it rests for longer."""
        before = self._resting(now)
        if before is None or before.until < now + rest_s:
            self._rest = reason, now, rest_s

    def _resting(self, now: float) -> Pause | None:
        if self._rest is None:
            return None
        reason, since, rest_s = self._rest
        return Pause(reason, since + rest_s) if since <= now < since + rest_s else None

    def _pause(self, now: float) -> Pause | None:
        """Return the longer one of a rest and a breaker's pause."""
        rest = self._resting(now)
        until = self._breaker.paused_until(now) if self._breaker else None
        if until is None or (rest and rest.until >= until):
            return rest
        return Pause("failing", until)


class HealthBook:
    """The endpoints of a process, by their slugs.

    Those of this installation have no breaker: an engine that ends is started again, and one
    recording at which it ends must not keep all others from it.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._endpoints: dict[str, EndpointHealth] = {}
        self._uncollected = defaultdict[str, AttemptCount](AttemptCount)
        self.attempts = 0
        """How many were recorded in this process."""
        self.regressed: Collection[str] = ()
        """Those that recognise known recordings worse than they did. It is not dumped: who knows
        the results sets it."""

    @property
    def now(self) -> float:
        """This moment of the clock by which pauses end."""
        return self._clock()

    def claim(self, slug: str) -> bool:
        """Return whether an attempt at an endpoint may begin now: ask before each.

        Of an endpoint that failed too often, only one may run: end it with `record`, and with
        `release` in any case.
        """
        return self._endpoint(slug).claim(self.now)

    def release(self, slug: str) -> None:
        """End an attempt that was claimed, also one that never came to be recorded."""
        self._endpoint(slug).release()

    def record(self, slug: str, attempt: EndedAttempt) -> None:
        """Count an attempt at an endpoint that ended now."""
        self.attempts += 1
        self._endpoint(slug).record(attempt, self.now)
        if attempt.ending == "succeeded":
            self._uncollected[slug] = self._uncollected[slug].plus(AttemptCount(succeeded=1))
        elif attempt.ending in FAILURES:
            self._uncollected[slug] = self._uncollected[slug].plus(AttemptCount(failed=1))

    def collect(self) -> dict[str, AttemptCount]:
        """Return what was counted of each endpoint since this was called last."""
        collected, self._uncollected = self._uncollected, defaultdict(AttemptCount)
        return dict(collected)

    def attempts_at(self, slug: str) -> int:
        """Return how many attempts at an endpoint were recorded in this process."""
        endpoint = self._endpoints.get(slug)
        return endpoint.attempts if endpoint else 0

    def summary(self, slug: str) -> HealthSummary:
        """Return how an endpoint does now."""
        endpoint = self._endpoints.get(slug)
        found = endpoint.summary(self.now) if endpoint else UNKNOWN_HEALTH
        return replace(found, regressed=True) if slug in self.regressed else found

    def dump(self) -> dict[str, SavedHealth]:
        """Return the health of endpoints as plain values: of those that were asked within a day.

        Others may be in no configuration any more, and would be loaded and saved for ever.
        """
        now = self.now
        dumps = {slug: endpoint.dump(now) for slug, endpoint in self._endpoints.items()}
        return {slug: health for slug, health in dumps.items() if any(health.spans.values())}

    def load(self, saved: Mapping[str, SavedHealth], elapsed_s: float) -> None:
        """Take over what `dump` returned so many seconds ago; none where a clock went back.

        Call it before the first attempt.
        """
        now = self.now
        for slug, endpoint in saved.items():
            self._endpoint(slug).load(endpoint, now, max(0.0, elapsed_s))

    def _endpoint(self, slug: str) -> EndpointHealth:
        if slug not in self._endpoints:
            breaks = slug.partition("/")[0] != LOCAL
            self._endpoints[slug] = EndpointHealth(breaks=breaks)
        return self._endpoints[slug]
