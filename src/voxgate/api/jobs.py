"""`Jobs`: work belongs to the request's content, not to the connection that sent it.

Equal requests share one job (single flight). A caller who disconnects stops waiting, and the job
goes on for `LINGER_S`, so that the same request, sent again by a client that lost patience, joins
it. Then the job is cancelled, and no longer counts against its key's limit.
"""

from __future__ import annotations

import asyncio
import math
import time
from contextlib import asynccontextmanager, contextmanager, suppress
from typing import TYPE_CHECKING

from voxgate.api.job import AbandonedError, JobT
from voxgate.errors import BusyError
from voxgate.ledger.key import how_to_change

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Hashable, Iterator
    from typing import Any

    from voxgate.api.job import AnyJob
    from voxgate.settings import Settings

LINGER_S = 10.0
"""How long a job goes on, or its result is kept, while no caller waits for it."""

UNKNOWN_S = 5  # `Retry-After` before any job has finished
LONGEST_S = 300  # the largest `Retry-After`
SMOOTHING = 0.2  # weight of a new interval in the mean, which so covers about ten jobs


class Jobs:
    """All jobs of a server, by the content of their requests, and the limits on their number.

    `early_starts` counts down the unfinished jobs whose recording may be on its way: at most half
    of the decoders wait for callers, so that slow ones hold up nobody else.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self.early_starts = asyncio.Semaphore(settings.max_decoders // 2)
        # Of owners that have one, and whether a file lists the key.
        self._own_limits: dict[str | None, tuple[int, bool]] = {}
        self._uploads: dict[asyncio.Timeout, str | None] = {}  # with their owners
        self._joinable: dict[Hashable, AnyJob] = {}
        self._unfinished: set[AnyJob] = set()
        self._waiters: dict[AnyJob, int] = {}
        self._may_return: dict[AnyJob, float] = {}  # until when one of the callers who left may
        self._lingering: dict[AnyJob, asyncio.TimerHandle] = {}
        self._rate = CompletionRate()
        self._closed = False

    @property
    def closed(self) -> bool:
        """Whether the server refuses new work for good."""
        return self._closed

    @property
    def unfinished(self) -> frozenset[AnyJob]:
        """The jobs that have not ended."""
        return frozenset(self._unfinished)

    def find(self, key: Hashable) -> AnyJob | None:
        """Return the job with this key that is running, or whose result was not delivered yet.

        A job that failed with a retryable error is not returned: the caller gets a new attempt.
        """
        job = self._joinable.get(key)
        failed = job is not None and job.error is not None and job.error.retryable
        return None if failed else job

    def add(
        self,
        key: Hashable,
        job: JobT,
        function: Callable[[JobT], Awaitable[Any]],
        on_finished: Callable[[JobT], Awaitable[None]],
    ) -> None:
        """Start a new job. Raises `BusyError` and `BusyError` (`shutting_down`)."""
        self._check(job.owner)
        self._joinable[key] = job
        self._unfinished.add(job)
        self._rate.started()
        job.start(function, on_finished).add_done_callback(lambda _: self._finished(job))
        self._linger(key, job, LINGER_S)  # until its first caller waits

    @asynccontextmanager
    async def uploading(
        self, owner: str | None, own_limit: int | None = None, *, in_file: bool = False
    ) -> AsyncIterator[None]:
        """Receive a recording inside the context. It counts against the limits like a job.

        `own_limit` is how many recordings this owner may have; it holds until its next call.
        `in_file` says that a file lists the key.

        Raises what `add` would raise, at once where that is known. It is not known for an owner
        with a lingering job: the recording may be that job's request, sent again.
        """
        self._own_limits.pop(owner, None)
        if own_limit is not None:
            self._own_limits[owner] = own_limit, in_file
        if self._closed or not any(job.owner == owner for job in self._lingering):
            self._check(owner)
        try:
            async with asyncio.timeout(None) as upload:
                self._uploads[upload] = owner
                try:
                    yield
                finally:
                    del self._uploads[upload]
        except TimeoutError:
            if not upload.expired():
                raise
            self._check(owner)

    @contextmanager
    def waiting(
        self, key: Hashable, job: AnyJob, *, linger_s: float = LINGER_S
    ) -> Iterator[Callable[[], None]]:
        """Wait for a job inside the context. Call the value when its result is delivered.

        `linger_s` is how long this caller may come back for it, if it is not, and the job goes on
        while nobody waits.
        """
        delivered = False

        def deliver() -> None:
            nonlocal delivered
            delivered = True

        self._waiters[job] = self._waiters.get(job, 0) + 1
        if timer := self._lingering.pop(job, None):
            timer.cancel()
        try:
            yield deliver
        finally:
            now = asyncio.get_running_loop().time()
            if not delivered:
                self._may_return[job] = max(self._may_return.get(job, now), now + linger_s)
            self._waiters[job] -= 1
            if not self._waiters[job]:
                del self._waiters[job]
                self._linger(key, job, 0.0 if delivered else self._may_return[job] - now)

    async def drain(self) -> None:
        """Refuse new work, wait up to `drain_s` for unfinished jobs, then cancel them."""
        self._close()
        with suppress(TimeoutError):
            async with asyncio.timeout(self._settings.drain_s):
                for job in list(self._unfinished):
                    await job.done.wait()
        await self.end()

    async def end(self) -> None:
        """Refuse new work, and cancel unfinished jobs. May be called again."""
        self._close()
        await asyncio.sleep(0)  # a task that is cancelled before its first step sets no error
        unfinished = list(self._unfinished)
        for job in unfinished:
            job.cancel(
                BusyError(
                    "The server was stopped before the work was done. Try again.",
                    code="shutting_down",
                )
            )
        for job in unfinished:
            await job.done.wait()

    def _check(self, owner: str | None) -> None:
        """Raise unless the owner may have one more job."""
        if self._closed:
            raise BusyError(
                "The server is about to stop. Send the request again soon.", code="shutting_down"
            )
        owners = [*self._uploads.values(), *(job.owner for job in self._unfinished)]
        own, left = owners.count(owner), self._settings.max_flights - len(owners)
        # A key may have as many jobs as are left for others: one key alone half of all, two keys a
        # third each. So one more is always left (Choudhury and Hahne, dynamic thresholds, 1998).
        own_limit, in_file = self._own_limits.get(owner, (None, False))
        most = self._settings.max_flights_per_key
        if own_limit is not None:
            most = min(most, own_limit)
        if own < min(left, most):
            return
        # Tenants are served in turn: one job of this key finishes while each other key has one.
        retry_s = self._rate.seconds(len({*owners, owner}))
        if own >= most:
            step = ", or raise VOXGATE_MAX_FLIGHTS_PER_KEY."
            if owner and most == own_limit:
                remedy = how_to_change(owner, "--recordings N", "raises the limit", in_file=in_file)
                step = f". {remedy}"
            raise BusyError(
                f"This key has {own} recordings under way, as many as it may. Wait for one to end"
                f"{step}",
                retry_s,
            )
        raise BusyError(
            f"The server works on {len(owners)} recordings, {own} of them of this key, and takes "
            f"no more of it now. Send the request again in {retry_s} s, or raise "
            f"VOXGATE_MAX_FLIGHTS.",
            retry_s,
        )

    def _finished(self, job: AnyJob) -> None:
        self._unfinished.discard(job)
        self._rate.finished(busy=bool(self._unfinished))

    def _close(self) -> None:
        if not self._closed:
            self._closed = True
            for upload in self._uploads:  # its job would be refused
                upload.reschedule(asyncio.get_running_loop().time())

    def _linger(self, key: Hashable, job: AnyJob, seconds: float) -> None:
        """Forget the job after some seconds, and cancel it if it is still running."""

        def forget() -> None:
            self._lingering.pop(job, None)
            self._may_return.pop(job, None)
            if self._joinable.get(key) is job:
                del self._joinable[key]
            job.cancel(AbandonedError("The caller left and did not come back."))

        if seconds > 0 and not self._closed:
            self._lingering[job] = asyncio.get_running_loop().call_later(seconds, forget)
        else:
            forget()


class CompletionRate:
    """The mean interval between jobs' ends, over the time in which there were jobs.

    Jobs that end together count as short intervals. Time without jobs does not count.
    """

    def __init__(self) -> None:
        self._since: float | None = None  # when the last job ended, or the first one started
        self._interval_s: float | None = None

    def started(self) -> None:
        """Note that a job started."""
        if self._since is None:
            self._since = time.monotonic()

    def finished(self, *, busy: bool) -> None:
        """Note that a job ended. `busy` means that others are unfinished."""
        now = time.monotonic()
        if self._since is not None:
            interval_s, mean_s = now - self._since, self._interval_s
            self._interval_s = (
                interval_s if mean_s is None else mean_s + SMOOTHING * (interval_s - mean_s)
            )
        self._since = now if busy else None

    def seconds(self, jobs: int) -> int:
        """Return how long this many jobs take to end, in whole seconds, for `Retry-After`."""
        if self._interval_s is None:
            return UNKNOWN_S
        return min(LONGEST_S, max(1, math.ceil(jobs * self._interval_s)))
