"""`Sequence`: a request while Voxtral works on it, with its slot of a KV cache."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Generic

import numpy as np

from voxgate.audio.spool import SAMPLE_BYTES
from voxgate.engine.queue import R, WindowRequest
from voxgate.errors import UsageError
from voxgate.transcript.values import Delta, Done, Notice, Options, Progress, Segment
from voxgate.voxtral.sampling import Sampling

if TYPE_CHECKING:
    from torch import Tensor

    from voxgate.voxtral.decoding import DecodingState
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.resumable import Resumable
    from voxgate.voxtral.sampling import GreedyChoice
    from voxgate.voxtral.transcription import TranscriptionState

RUNAWAY = Notice(
    "runaway_text",
    "A part of the text was cut off: the model wrote more than anybody can say in that time. "
    "Compare it with the recording.",
)


class Sequence(ABC, Generic[R]):
    """A request from its first prefill step to its last token.

    The `report_` methods send its events, and nothing to a caller who has left. `state` is there
    when the prefill ends, at the latest.
    """

    request: R
    state: DecodingState

    def __init__(self, request: R, model: Voxtral, cache: KVCache) -> None:
        """Take a slot of the cache."""
        self.request = request
        self._model, self._cache = model, cache
        self.slot = cache.allocate()
        self._prefill = self._prefill_steps()
        self._reported = ""  # the text in the deltas so far

    @abstractmethod
    def _prefill_steps(self) -> Resumable[Tensor]:
        """Fill the slot with the prompt; return the logits [vocabulary] of the first token."""

    @abstractmethod
    def _stable_text(self) -> str:
        """Return the start of the text that no later token can change."""

    @abstractmethod
    def report_end(self) -> None:
        """Send the rest of the finished text, and the event that says that it is complete."""

    def prefill_step(self) -> Tensor | None:
        """Take the next step of the prefill; return the first token's logits after the last."""
        try:
            next(self._prefill)
        except StopIteration as end:
            logits: Tensor = end.value
            return logits
        return None

    def accept_logits(self, logits: Tensor, greedy: GreedyChoice | None = None) -> bool:
        """Choose the next token from `logits`; return False when the text is finished."""
        return self.state.choose_next(logits, greedy)

    def report_progress(self) -> None:
        """Show that a step of the prefill was taken."""
        self._report(Progress(0.0))

    def report_token(self) -> None:
        """Send the new text of the last token, or else show that it was decoded."""
        stable = self._stable_text()
        text, self._reported = stable[len(self._reported) :], stable
        self._report(Delta(text) if text else Progress(0.0))

    def close(self) -> None:
        """Free the slot."""
        self._prefill.close()
        self._cache.free(self.slot)

    def _report(self, event: Delta | Progress) -> None:
        if not self.request.cancelled:
            self.request.on_event(event)


class WindowSequence(Sequence[WindowRequest]):
    """A window. Its text is one segment over all of it, because the model gives no times.

    The caller knows where in the window somebody spoke, and divides the segment.
    """

    state: TranscriptionState

    def __init__(self, request: WindowRequest, model: Voxtral, cache: KVCache) -> None:
        """Take a slot of the cache.

        Raises `UsageError` for half a sample, for no sample, and for values out of range.
        """
        self.state = _transcription_state(request.pcm16, request.options, model)
        if self.state.max_positions > cache.capacity:
            raise UsageError(
                f"This window needs {self.state.max_positions} positions of the cache, and a slot "
                f"has {cache.capacity}. Cut the window, or ask for fewer tokens."
            )
        super().__init__(request, model, cache)

    def _prefill_steps(self) -> Resumable[Tensor]:
        return self._model.encode_and_prefill(self._cache, self.slot, self.state)

    def _stable_text(self) -> str:
        return self.state.stable_text.strip()

    def report_end(self) -> None:
        """Send the rest of the text, a segment unless the text is empty, and `Done`."""
        generation = self.state.result()
        if text := generation.text.strip():
            if rest := text[len(self._reported) :]:
                self._report(Delta(rest))
            segment = Segment(
                text,
                0.0,
                self.state.duration_s,
                confidence=generation.confidence,
                time_source="speech_region",
            )
            self._report_last(segment)
        notices = (RUNAWAY,) if generation.finish == "runaway" else ()
        language = self.request.options.language
        self._report_last(Done(language, notices, tokens=len(generation.token_ids)))

    def _report_last(self, event: Segment | Done) -> None:
        if not self.request.cancelled:
            self.request.on_event(event)


def samples_of(pcm16: bytes) -> np.ndarray:
    """Return samples, float32 in [-1, 1), of PCM16LE. Raises `UsageError` for half a sample."""
    if len(pcm16) % SAMPLE_BYTES:
        raise UsageError(f"{len(pcm16)} bytes are not a whole number of 16-bit samples.")
    return np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768.0


def _transcription_state(pcm16: bytes, options: Options, model: Voxtral) -> TranscriptionState:
    return model.new_decoding(
        samples_of(pcm16),
        options.language,
        options.max_tokens,
        options.stop,
        Sampling.from_options(options),
        draft=options.draft,
    )
