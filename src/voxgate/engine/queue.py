"""What waits in an engine, in the order of its arrival. Plain data, without a lock."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar, Generic, Literal, TypeAlias, TypeVar

from voxgate.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.transcript.values import Event, Options

QUEUE_LIMIT = 32  # waiting windows: 31 MB of sound at 30 s each
QUESTION_LIMIT = 8  # waiting questions: 154 MB of sound at 600 s each

Kind: TypeAlias = Literal["window", "question"]
"""What a request is: each kind waits in its own queue, and for its own slots."""


@dataclass(eq=False, slots=True)
class WindowRequest:
    """One window to recognise or, with a text, to align; with its callbacks.

    The callbacks run in a scheduler's thread, and never after the request was cancelled.
    """

    kind: ClassVar[Kind] = "window"

    pcm16: bytes  # mono, little-endian, 16 kHz
    options: Options
    on_event: Callable[[Event], None]  # called for each event as it happens
    on_end: Callable[[Exception | None], None]  # called once, after the last event
    text: str | None = None  # to align with the window; None: recognise it
    cancelled: bool = False
    last_step: float = 0.0  # monotonic seconds


@dataclass(eq=False, slots=True)
class QuestionRequest:
    """A question to answer, with its callbacks, which are called as those of a window."""

    kind: ClassVar[Kind] = "question"

    question: Question
    pcm16: bytes  # its sounds, one after another
    on_event: Callable[[AnswerEvent], None]
    on_end: Callable[[Exception | None], None]
    cancelled: bool = False


Request: TypeAlias = WindowRequest | QuestionRequest

R = TypeVar("R", WindowRequest, QuestionRequest)


class RequestQueue(Generic[R]):
    """A bounded queue of one kind of requests, first come, first served."""

    def __init__(self, limit: int = QUEUE_LIMIT, name: str = "windows") -> None:
        """`name` is that of its requests, in messages to people."""
        self._limit, self._name = limit, name
        self._requests: deque[R] = deque()

    def __len__(self) -> int:
        return len(self._requests)

    def add(self, request: R) -> None:
        """Append a request. Raise `EngineError` (`engine_busy`) when the limit is reached."""
        if len(self) >= self._limit:
            raise EngineError(
                f"The engine has {len(self)} {self._name} waiting and takes no more now. "
                f"Try again in a moment.",
                code="engine_busy",
            )
        self._requests.append(request)

    def first(self) -> R | None:
        """Return the next request without removing it, or None when the queue is empty."""
        return self._requests[0] if self._requests else None

    def remove(self, request: R) -> None:
        """Remove a request. Do nothing when it is not in the queue."""
        if request in self._requests:
            self._requests.remove(request)

    def close(self) -> None:
        """Remove all requests and refuse new ones."""
        self._limit = 0
        self._requests.clear()
