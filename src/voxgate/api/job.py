"""`Job`: the work for one or several equal requests, and what of it can be read already.

What it makes, piece by piece, is a transcript (`TranscriptJob`) or an answer (`ChatJob`).
"""

from __future__ import annotations

import asyncio
import logging
import time
from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Protocol, TypeAlias, TypeVar

from voxgate import tracing
from voxgate.errors import BusyError, VoxgateError
from voxgate.prices import Cost

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable
    from typing import Self

    from opentelemetry.trace import SpanContext

    from voxgate.pipeline.trace import Trace
    from voxgate.transcript.values import Notice

log = logging.getLogger(__name__)

GENERATION = "voxgate.generation.id"
"""The attribute of spans that names the generation of their work."""


class AbandonedError(VoxgateError):
    """No caller waited any more. Only the ledger shows it."""

    default_code = "abandoned"


class Result(Protocol):
    """What is known of a transcript or an answer alike."""

    @property
    def model(self) -> str:
        """The name of the model that made it."""

    @property
    def revision(self) -> str | None:
        """The revision of its checkpoint."""

    @property
    def profile(self) -> str | None:
        """The profile of its weights."""

    @property
    def duration(self) -> float:
        """Seconds of decoded sound."""

    @property
    def tokens(self) -> int:
        """Tokens that the model wrote."""

    @property
    def notices(self) -> tuple[Notice, ...]:
        """Warnings."""


ResultT = TypeVar("ResultT", bound=Result)
PieceT = TypeVar("PieceT")


class Job(ABC, Generic[ResultT, PieceT]):
    """The work for one or several equal requests.

    `done` is set when `result` or `error` is set. `decoding` is set when the first sound is
    decoded: from then on failures are rare. `pieces` are those of the result that are final so far,
    and stay those of the result. The cost is known when the job is done; the estimate, by the
    length that the recording states, at its first sound, and only where the model has a price.
    """

    kind: ClassVar[str]
    """The name of its span."""

    def __init__(self, id_: str, owner: str | None, trace: Trace) -> None:
        self.id, self.owner, self.trace = id_, owner, trace
        self.first_text_s: float | None = None
        self.delivered = 0  # pieces that were sent to somebody, of one who reads a stream
        self.estimate_nanodollars: int | None = None
        self.cost = Cost()
        self.span_context: SpanContext | None = None  # of its work, once that began
        self._started = time.monotonic()
        self.decoding, self.done = asyncio.Event(), asyncio.Event()
        self.pieces: list[PieceT] = []
        self.result: ResultT | None = None
        self.error: VoxgateError | None = None
        self._news = asyncio.Event()  # a new one after each
        self._task: asyncio.Task[None] | None = None
        self._cancel_error: VoxgateError | None = None

    @property
    def seconds(self) -> float:
        """The time since the job was created."""
        return time.monotonic() - self._started

    @property
    @abstractmethod
    def delivered_s(self) -> float:
        """The seconds of sound of which the text was sent to somebody."""

    @property
    @abstractmethod
    def delivered_tokens(self) -> int:
        """The tokens of the text that was sent to somebody."""

    def start(
        self,
        function: Callable[[Self], Awaitable[ResultT]],
        on_finished: Callable[[Self], Awaitable[None]],
    ) -> asyncio.Task[None]:
        """Start the work. `on_finished` is awaited however it ends, before `done` is set."""
        self._task = asyncio.create_task(self._run(function, on_finished), name=self.id)
        return self._task

    def cancel(self, error: VoxgateError) -> None:
        """Cancel the work. `error` becomes the job's error."""
        if self._task is not None and self._cancel_error is None:
            self._cancel_error = error
            self._task.cancel()

    def deliver(self, count: int) -> None:
        """Note that the first `count` pieces were sent to somebody."""
        self.delivered = max(self.delivered, count)

    async def more(self, seen: int) -> bool:
        """Wait for pieces after the first `seen`. Return False where the job ended without."""
        while len(self.pieces) <= seen and not self.done.is_set():
            await self._news.wait()
        return len(self.pieces) > seen

    def _add(self, pieces: Iterable[PieceT]) -> None:
        """Add pieces that are final, for those who read the result while it is made."""
        if self.first_text_s is None:
            self.first_text_s = self.seconds
        self.pieces += pieces
        self._announce()

    def _announce(self) -> None:
        self._news.set()
        self._news = asyncio.Event()

    async def _run(
        self,
        function: Callable[[Self], Awaitable[ResultT]],
        on_finished: Callable[[Self], Awaitable[None]],
    ) -> None:
        with tracing.span(self.kind, attributes={GENERATION: self.id}) as span:
            self.span_context = span.get_span_context()
            await self._do(function)
            if self.error:
                tracing.mark_failed(span, self.error)
            try:
                await on_finished(self)
            finally:
                self.done.set()
                self._announce()

    async def _do(self, function: Callable[[Self], Awaitable[ResultT]]) -> None:
        """Do the work, and keep its outcome."""
        try:
            self.result = await function(self)
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


AnyJob: TypeAlias = Job[Any, Any]
JobT = TypeVar("JobT", bound=AnyJob)
