"""`AnswerSequence`: a question while Voxtral answers it, with its slot of the answers' cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.answers.values import Answered, SoundPart
from voxgate.engine.queue import QuestionRequest
from voxgate.engine.sequence import Sequence, samples_of
from voxgate.errors import UsageError
from voxgate.transcript.values import Delta

if TYPE_CHECKING:
    import numpy as np
    from torch import Tensor

    from voxgate.answers.values import Question
    from voxgate.voxtral.answering import AnswerState
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.resumable import Resumable


class AnswerSequence(Sequence[QuestionRequest]):
    """An answer. Unlike that of a window, its text is sent as it is, with spaces at its ends."""

    state: AnswerState

    def __init__(
        self, request: QuestionRequest, model: Voxtral, cache: KVCache, state: AnswerState
    ) -> None:
        """Take a slot of the cache. `state` is how the answer begins."""
        super().__init__(request, model, cache)
        self.state = state

    def _prefill_steps(self) -> Resumable[Tensor]:
        return (yield from self._model.encode_and_prefill(self._cache, self.slot, self.state))

    def _stable_text(self) -> str:
        return self.state.stable_text

    def report_end(self) -> None:
        """Send the rest of the text, and `Answered`."""
        generation = self.state.result()
        if rest := generation.text[len(self._reported) :]:
            self._report(Delta(rest))
        answered = Answered(
            finish="length" if generation.finish == "length" else "stop",
            prompt_tokens=len(self.state.prompt),
            tokens=len(generation.token_ids),
            audio_tokens=self.state.audio_tokens,
            unread=self.state.unread,
        )
        if not self.request.cancelled:
            self.request.on_event(answered)


def split_sounds(question: Question, pcm16: bytes) -> list[np.ndarray]:
    """Return the samples of each sound of a question, whose PCM16LE comes one after another.

    Raises `UsageError` where they are not as many as the question says.
    """
    samples = samples_of(pcm16)
    if len(samples) != question.samples:
        raise UsageError(
            f"The sounds of this question have {question.samples} samples, and {len(samples)} came "
            f"with it. Send all of them, in order, as mono PCM16 at 16 kHz."
        )
    sounds: list[np.ndarray] = []
    start = 0
    for message in question.messages:
        for part in message.parts:
            if isinstance(part, SoundPart):
                sounds.append(samples[start : start + part.samples])
                start += part.samples
    return sounds
