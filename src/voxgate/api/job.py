"""`Job`: the work for one or several equal requests, and what of it can be read already."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import TYPE_CHECKING

from voxgate import tracing
from voxgate.errors import BusyError, VoxgateError
from voxgate.prices import Cost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from typing import TypeAlias

    from opentelemetry.trace import SpanContext

    from voxgate.pipeline.job import FinalPiece
    from voxgate.pipeline.trace import Trace
    from voxgate.transcript.values import Segment, Transcript

    JobFunction: TypeAlias = Callable[["Job"], Awaitable[Transcript]]
    FinishedCallback: TypeAlias = Callable[["Job"], Awaitable[None]]

log = logging.getLogger(__name__)

GENERATION = "voxgate.generation.id"
"""The attribute of spans that names the generation of their work."""


class AbandonedError(VoxgateError):
    """No caller waited any more. Only the ledger shows it."""

    default_code = "abandoned"


class Job:
    """The work for one or several equal requests.

    `done` is set when `transcript` or `error` is set. `decoding` is set when the first sound is
    decoded: from then on failures are rare. `segments` are those of the transcript that are final
    so far, and stay those of the transcript; `language` is the one in which they begin. The cost is
    known when the job is done; the estimate, by the length that the recording states, at its first
    sound, and only where the model has a price.
    """

    def __init__(self, id_: str, owner: str | None, trace: Trace) -> None:
        self.id, self.owner, self.trace = id_, owner, trace
        self.first_text_s: float | None = None
        self.delivered = 0  # segments that were sent to somebody, of one who reads a stream
        self.estimate_nanodollars: int | None = None
        self.cost = Cost()
        self.span_context: SpanContext | None = None  # of its work, once that began
        self._started = time.monotonic()
        self.decoding, self.done = asyncio.Event(), asyncio.Event()
        self.segments: list[Segment] = []
        self._tokens: list[int] = []  # of each segment: see `FinalPiece`
        self.language: str | None = None
        self.transcript: Transcript | None = None
        self.error: VoxgateError | None = None
        self._news = asyncio.Event()  # a new one after each
        self._task: asyncio.Task[None] | None = None
        self._cancel_error: VoxgateError | None = None

    @property
    def seconds(self) -> float:
        """The time since the job was created."""
        return time.monotonic() - self._started

    @property
    def delivered_s(self) -> float:
        """The seconds of the recording whose text was sent to somebody."""
        return max((segment.end for segment in self.segments[: self.delivered]), default=0.0)

    @property
    def delivered_tokens(self) -> int:
        """The tokens of the windows whose text was sent to somebody, to its end."""
        return sum(self._tokens[: self.delivered])

    def start(self, function: JobFunction, on_finished: FinishedCallback) -> asyncio.Task[None]:
        """Start the work. `on_finished` is awaited however it ends, before `done` is set."""
        self._task = asyncio.create_task(self._run(function, on_finished), name=self.id)
        return self._task

    def cancel(self, error: VoxgateError) -> None:
        """Cancel the work. `error` becomes the job's error."""
        if self._task is not None and self._cancel_error is None:
            self._cancel_error = error
            self._task.cancel()

    def give(self, piece: FinalPiece) -> None:
        """Add segments that are final, for those who read the transcript while it is made."""
        if self.first_text_s is None:
            self.first_text_s = self.seconds
        self.segments += piece.segments
        self._tokens += piece.tokens
        self.language = piece.language
        self._announce()

    def deliver(self, count: int) -> None:
        """Note that the first `count` segments were sent to somebody."""
        self.delivered = max(self.delivered, count)

    async def more(self, seen: int) -> bool:
        """Wait for segments after the first `seen`. Return False where the job ended without."""
        while len(self.segments) <= seen and not self.done.is_set():
            await self._news.wait()
        return len(self.segments) > seen

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _run(self, function: JobFunction, on_finished: FinishedCallback) -> None:
        with tracing.span("transcription", attributes={GENERATION: self.id}) as span:
            self.span_context = span.get_span_context()
            await self._do(function)
            if self.error:
                tracing.mark_failed(span, self.error)
            try:
                await on_finished(self)
            finally:
                self.done.set()
                self._announce()

    async def _do(self, function: JobFunction) -> None:
        """Do the work, and keep its outcome."""
        try:
            self.transcript = await function(self)
        except VoxgateError as error:
            self.error = error
        except asyncio.CancelledError:
            stopped = BusyError("The server was stopped. Try again.", code="shutting_down")
            self.error = self._cancel_error or stopped
        except Exception:  # the one place where a bug in the server becomes a response
            log.exception("%s failed", self.id)
            self.error = VoxgateError(
                f"The server failed at {self.id}. Its log says why: please report it."
            )
