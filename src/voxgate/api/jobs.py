"""Flights: work belongs to what was asked, not to the connection that asked it.

A caller who leaves stops waiting, no more. The work goes on for `LINGER_S`, so that the same
request, sent again by a client that lost patience, finds it in the air and joins it. Then it is
cancelled, and its key holds nothing.
"""

from __future__ import annotations

import asyncio
import logging
import math
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from voxgate.errors import BusyError, ShuttingDownError, VoxgateError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
    from typing import TypeAlias

    from voxgate.pipeline.trace import StageTimes
    from voxgate.settings import Settings
    from voxgate.transcript.values import Transcript

    Work: TypeAlias = Callable[["Job"], Awaitable[Transcript]]
    Landed: TypeAlias = Callable[["Job"], Awaitable[None]]


# MERGED api.pace
# `CompletionRate`: how fast work lands, measured, for telling callers when to come again.

UNKNOWN_S = 5  # to wait, while nothing has landed yet
LONGEST_S = 300
SMOOTHING = 0.2  # of a new interval in the mean: some ten landings are remembered


class CompletionRate:
    """The mean interval between landings, over the time in which there was work.

    A burst that lands together counts as so many short intervals. Time without work does not count.
    """

    def __init__(self) -> None:
        self._since: float | None = None  # the landing before, or the beginning of the work
        self._interval_s: float | None = None

    def began(self) -> None:
        """Work was taken."""
        if self._since is None:
            self._since = time.monotonic()

    def landed(self, *, busy: bool) -> None:
        """Some of it has ended; `busy` says whether there is more."""
        now = time.monotonic()
        if self._since is not None:
            interval_s, known = now - self._since, self._interval_s
            self._interval_s = (
                interval_s if known is None else known + SMOOTHING * (interval_s - known)
            )
        self._since = now if busy else None

    def seconds(self, landings: int) -> int:
        """How long so many landings take, in whole seconds, for `Retry-After`."""
        if self._interval_s is None:
            return UNKNOWN_S
        return min(LONGEST_S, max(1, math.ceil(landings * self._interval_s)))


LINGER_S = 10.0
"""How long a flight goes on, or its result is kept, without anybody waiting for it."""

log = logging.getLogger(__name__)


class AbandonedError(VoxgateError):
    """Nobody waited any more. Seen by the ledger alone."""

    status = 499
    code = "abandoned"


class Job:
    """One piece of work and those who wait for it. `done` says that `transcript` or `error` is set.

    `heard` is set when the first sound is decoded: from then on failures are rare.
    """

    def __init__(self, id_: str, owner: str | None, spans: StageTimes) -> None:
        self.id, self.owner, self.spans = id_, owner, spans
        self._began = time.monotonic()
        self.heard, self.done = asyncio.Event(), asyncio.Event()
        self.transcript: Transcript | None = None
        self.error: VoxgateError | None = None
        self._task: asyncio.Task[None] | None = None
        self._verdict: VoxgateError | None = None

    @property
    def seconds(self) -> float:
        """How long it has been in the air."""
        return time.monotonic() - self._began

    def start(self, work: Work, landed: Landed) -> asyncio.Task[None]:
        """Begin; `landed` is awaited at the end, before `done` is set, however it ends."""
        self._task = asyncio.create_task(self._fly(work, landed), name=self.id)
        return self._task

    def cancel(self, verdict: VoxgateError) -> None:
        """End it early; `verdict` becomes its error."""
        if self._task is not None and self._verdict is None:
            self._verdict = verdict
            self._task.cancel()

    async def _fly(self, work: Work, landed: Landed) -> None:
        try:
            self.transcript = await work(self)
        except VoxgateError as error:
            self.error = error
        except asyncio.CancelledError:
            self.error = self._verdict or ShuttingDownError("The server was stopped. Try again.")
        except Exception:  # the one place where a bug of ours becomes an answer
            log.exception("%s failed", self.id)
            self.error = VoxgateError(
                f"The server failed at {self.id}. Its log says why: please report it."
            )
        try:
            await landed(self)
        finally:
            self.done.set()


class Jobs:
    """All flights of a server, by what was asked."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._arriving: dict[asyncio.Timeout, str | None] = {}  # with their owners
        self._flying: dict[Hashable, Job] = {}  # those that can be joined
        self._airborne: set[Job] = set()  # those that have not landed
        self._waiters: dict[Job, int] = {}
        self._lingering: dict[Job, asyncio.TimerHandle] = {}
        self._pace = CompletionRate()
        self._closed = False

    def find(self, what: Hashable) -> Job | None:
        """The flight for exactly this, in the air, or landed with nobody there to hear of it.

        A failure that may pass is not handed on: who asks again shall have another try.
        """
        flight = self._flying.get(what)
        failed = flight is not None and flight.error is not None and flight.error.retryable
        return None if failed else flight

    def add(self, what: Hashable, flight: Job, work: Work, landed: Landed) -> None:
        """Start a new flight. Raises `BusyError` and `ShuttingDownError`."""
        self._check(flight.owner)
        self._flying[what] = flight
        self._airborne.add(flight)
        self._pace.began()
        flight.start(work, landed).add_done_callback(lambda _: self._land(flight))
        self._left(what, flight, LINGER_S)  # until its first waiter is there

    @asynccontextmanager
    async def arriving(self, owner: str | None) -> AsyncIterator[None]:
        """A recording is sent inside. Raises what `add` would, at once where it can be told.

        It cannot be told of an owner whose flight nobody waits for: that may be what is sent again.
        """
        if self._closed or not any(flight.owner == owner for flight in self._lingering):
            self._check(owner)
        try:
            async with asyncio.timeout(None) as arrival:
                self._arriving[arrival] = owner
                try:
                    yield
                finally:
                    del self._arriving[arrival]
        except TimeoutError:
            if not arrival.expired():
                raise
            self._check(owner)

    def _check(self, owner: str | None) -> None:
        if self._closed:
            raise ShuttingDownError("The server is about to stop. Send the request again soon.")
        owners = [*self._arriving.values(), *(flight.owner for flight in self._airborne)]
        own, left = owners.count(owner), self._settings.max_flights - len(owners)
        # A key may have as much as is left for others: one alone half, two a third each. So there
        # is always room for one more (Choudhury and Hahne, dynamic thresholds, 1998).
        if own < min(left, self._settings.max_flights_per_key):
            return
        # With every party taking turns, each lands one of its own while the others do.
        again_s = self._pace.seconds(len({*owners, owner}))
        if own >= self._settings.max_flights_per_key:
            raise BusyError(
                f"This key has {own} recordings under way, as many as it may. Wait for one to end, "
                f"or raise VOXGATE_MAX_FLIGHTS_PER_KEY.",
                again_s,
            )
        raise BusyError(
            f"The server works on {len(owners)} recordings, {own} of them of this key, and takes "
            f"no more of it now. Send the request again in {again_s} s, or raise "
            f"VOXGATE_MAX_FLIGHTS.",
            again_s,
        )

    def _land(self, flight: Job) -> None:
        self._airborne.discard(flight)
        self._pace.landed(busy=bool(self._airborne))

    @contextmanager
    def waiting(self, what: Hashable, flight: Job) -> Iterator[Callable[[], None]]:
        """Wait for a flight inside; call what is given when its result was delivered."""
        delivered = False

        def deliver() -> None:
            nonlocal delivered
            delivered = True

        self._waiters[flight] = self._waiters.get(flight, 0) + 1
        if timer := self._lingering.pop(flight, None):
            timer.cancel()
        try:
            yield deliver
        finally:
            self._waiters[flight] -= 1
            if not self._waiters[flight]:
                del self._waiters[flight]
                self._left(what, flight, LINGER_S if not delivered else 0.0)

    async def drain(self) -> None:
        """Take no more, let those in the air land for `drain_s`, then end them."""
        self._close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                for flight in list(self._airborne):
                    await flight.done.wait()
        await self.end()

    async def end(self) -> None:
        """Take no more, and end those in the air. May be called again."""
        self._close()
        await asyncio.sleep(0)  # a task that never ran could not say how it ended
        airborne = list(self._airborne)
        for flight in airborne:
            flight.cancel(
                ShuttingDownError("The server was stopped before the work was done. Try again.")
            )
        for flight in airborne:
            await flight.done.wait()

    @property
    def closed(self) -> bool:
        """Whether new work is refused for good."""
        return self._closed

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            for arrival in self._arriving:  # nothing that is still on its way would be taken
                arrival.reschedule(asyncio.get_running_loop().time())

    def _left(self, what: Hashable, flight: Job, linger_s: float) -> None:
        def end() -> None:
            self._lingering.pop(flight, None)
            if self._flying.get(what) is flight:
                del self._flying[what]
            flight.cancel(AbandonedError("The caller left and did not come back."))

        if linger_s and not self._closed:
            self._lingering[flight] = asyncio.get_running_loop().call_later(linger_s, end)
        else:
            end()
