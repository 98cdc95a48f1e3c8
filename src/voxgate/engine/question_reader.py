"""`QuestionReader`: reads the next question in a thread, while the model goes on with others.

Tokens of a text of 500 000 characters take up to a second, and the first schema half a second.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from voxgate.engine.answer_sequence import split_sounds

if TYPE_CHECKING:
    from collections.abc import Callable
    from concurrent.futures import Future

    from voxgate.engine.queue import QuestionRequest
    from voxgate.voxtral.answering import AnswerState
    from voxgate.voxtral.model import Voxtral


class QuestionReader:
    """Reads one question at a time, for slots of `capacity` positions.

    `on_read` is called, in any thread, when a question was read or is not to be read.
    """

    def __init__(self, model: Voxtral, capacity: int, on_read: Callable[[], None]) -> None:
        self._model, self._capacity, self._on_read = model, capacity, on_read
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="questions")
        self._question: QuestionRequest | None = None
        self._reading: Future[AnswerState] | None = None

    def read(self, question: QuestionRequest) -> Future[AnswerState] | None:
        """Return the beginning of the answer, or why there is none; None while it is read.

        The first call for a question starts that.
        """
        if self._reading is None or self._question is not question:
            self._question = question
            self._reading = self._thread.submit(self._begin_answer, question)
            self._reading.add_done_callback(lambda _: self._on_read())
        return self._reading if self._reading.done() else None

    def is_reading(self, question: QuestionRequest) -> bool:
        """Whether a question was given to `read` and is not read yet."""
        reading = self._reading if self._question is question else None
        return reading is not None and not reading.done()

    def forget(self, question: QuestionRequest) -> None:
        """Keep nothing of a question that left the queue, and do not begin to read it."""
        if self._reading is not None and self._question is question:
            self._reading.cancel()
            self._question = self._reading = None

    def close(self) -> None:
        """Read no more."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _begin_answer(self, question: QuestionRequest) -> AnswerState:
        sounds = split_sounds(question.question, question.pcm16)
        return self._model.new_answer(question.question, sounds, self._capacity)
