"""`Dispatcher`: tries the providers of a recording's route for each window, until one succeeds."""

from __future__ import annotations

import asyncio
import random
from typing import TYPE_CHECKING, TypeVar

from voxgate.errors import Availability, AvailabilityError, VoxgateError, joined
from voxgate.pipeline.hedge import race
from voxgate.pipeline.retries import RetryBudget
from voxgate.pipeline.route import SharedProvider

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from voxgate.pipeline.hedge import AttemptFunction
    from voxgate.pipeline.route import Route

T = TypeVar("T")

MAX_ATTEMPTS = 3
"""Attempts at one window, or as many as there are providers: a crash of an engine costs one
attempt, not the recording."""

LONGEST_WAIT_S = 20.0
"""How long a window waits for a provider that says when it has time again, or that rests."""

FIRST_WAIT_S = 0.25
"""Before a provider elsewhere that says nothing of the kind is tried again; then twice that."""


def _ignore_turn() -> None:
    """Do nothing when the turn of an attempt comes: only a hedge waits for that."""


class Dispatcher:
    """The attempts at the windows of one recording.

    Each provider of the route may be tried once for a window. To try one elsewhere again costs of
    the recording's retries and of the provider's.
    """

    def __init__(self, route: Route) -> None:
        self._route, self._health = route, route.health
        self._retries = RetryBudget()

    async def dispatch(
        self,
        attempt: AttemptFunction[T],
        *,
        avoid: SharedProvider | None = None,
    ) -> T:
        """Return what the first attempt that succeeds returns.

        Each ends in the health of its provider: `attempt` records it. The provider to `avoid` comes
        after the others. Raises a `VoxgateError` with each provider's cause, and the last one's
        code.
        """
        failures = dict[SharedProvider, VoxgateError]()
        order = sorted(self._route.providers, key=lambda each: each is avoid)
        if self._route.hedges and len(order) > 1:
            winner = await race(attempt, order[0], order[1], self._health, failures)
            if winner is not None:
                self._note_success(winner[0])
                return winner[1]
        for provider, wait_s in self._turns(order, failures):
            await asyncio.sleep(wait_s)
            if not self._health.claim(provider.slug):
                continue
            try:
                result = await attempt(provider, _ignore_turn)
            except VoxgateError as error:
                failures.pop(provider, None)
                failures[provider] = error  # the newest is the last
            else:
                self._note_success(provider)
                return result
            finally:
                self._health.release(provider.slug)
        raise joined([*failures.values()] or [self._resting()])

    def _note_success(self, provider: SharedProvider) -> None:
        self._retries.note_success()
        provider.retries.note_success()

    def _turns(
        self, order: Sequence[SharedProvider], failures: Mapping[SharedProvider, VoxgateError]
    ) -> Iterator[tuple[SharedProvider, float]]:
        """Yield whom to try, and after how many seconds. `failures` are those so far."""
        yield from ((provider, 0.0) for provider in order if provider not in failures)
        more = MAX_ATTEMPTS - len(failures)
        for number in range(MAX_ATTEMPTS - 1):
            for provider in order:
                wait_s = self._wait_s(provider, failures.get(provider), number)
                if more > 0 and wait_s is not None and self._may_retry(provider):
                    more -= 1
                    yield provider, wait_s

    def _may_retry(self, provider: SharedProvider) -> bool:
        """Return whether a retry is left; an engine of this machine may have many windows lost."""
        # A recording without any takes none of what others may spend at the provider.
        return provider.is_local or (self._retries.spend() and provider.retries.spend())

    def _wait_s(
        self, provider: SharedProvider, failure: VoxgateError | None, number: int
    ) -> float | None:
        """Return how long to wait before a provider is tried again; None where that is useless.

        An engine of this machine is started again at once.
        """
        if failure is not None and not failure.retryable:
            return None
        if provider.is_local:
            return 0.0
        jitter: float = random.uniform(0.5, 1.5)  # noqa: S311 (not a secret)
        wait_s = FIRST_WAIT_S * float(2**number) * jitter
        if failure is not None and failure.retry_after_s is not None:
            wait_s = failure.retry_after_s
        if pause := self._health.summary(provider.slug).pause:
            wait_s = max(wait_s, pause.until - self._health.now)
        return wait_s if wait_s <= LONGEST_WAIT_S else None

    def _resting(self) -> AvailabilityError:
        """Return the error for a window at which no provider could be tried."""
        names = ", ".join(each.slug for each in self._route.providers)
        return AvailabilityError(
            f"No endpoint can be asked now: {names} failed too often, or was asked too often. Send "
            f"the request again in {LONGEST_WAIT_S:.0f} s.",
            Availability(
                providers=tuple(each.upstream for each in self._route.providers),
                retry_after_s=round(LONGEST_WAIT_S),
            ),
            code="temporarily_unavailable",
        )
