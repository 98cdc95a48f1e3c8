"""`ChatJob`: the job whose result is an answer, and whose pieces are its texts."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.answers.values import Answer
from voxgate.api.job import Job

if TYPE_CHECKING:
    from voxgate.pipeline.trace import Trace


class ChatJob(Job[Answer, str]):
    """The work for an answer. `asked_s` is the sound that was taken for it so far, in seconds."""

    kind = "answer"

    def __init__(self, id_: str, owner: str | None, trace: Trace) -> None:
        super().__init__(id_, owner, trace)
        self.asked_s = 0.0

    @property
    def delivered_s(self) -> float:
        """All sound of the question, once any text of the answer was sent to somebody."""
        return self.asked_s if self.delivered else 0.0

    @property
    def delivered_tokens(self) -> int:
        """The texts that were sent to somebody: each has a token, or a few."""
        return self.delivered

    def give(self, text: str) -> None:
        """Add the next text of the answer."""
        self.decoding.set()
        self._add([text])
