"""`Sequence`: one window while Voxtral recognises it, with its slot of the KV cache."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxgate.audio.spool import SAMPLE_BYTES
from voxgate.errors import UsageError
from voxgate.transcript.values import Delta, Done, Event, Notice, Options, Progress, Segment
from voxgate.voxtral.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from voxgate.engine.queue import WindowRequest
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.sampling import GreedyChoice
    from voxgate.voxtral.transcription import TranscriptionState

RUNAWAY = Notice(
    "runaway_text",
    "A part of the text was cut off: the model wrote more than anybody can say in that time. "
    "Compare it with the recording.",
)


class Sequence:
    """A window from its first prefill step to its last token.

    Its text is one segment over the whole window, because the model gives no times. The caller
    knows where in the window somebody spoke, and divides the segment.
    """

    def __init__(self, request: WindowRequest, model: Voxtral, cache: KVCache) -> None:
        """Take a slot of the cache.

        Raises `UsageError` for half a sample, for no sample, and for values out of range.
        """
        self.request = request
        self.state = _decoding_state(request.pcm16, request.options, model)
        if self.state.max_positions > cache.capacity:
            raise UsageError(
                f"This window needs {self.state.max_positions} positions of the cache, and a slot "
                f"has {cache.capacity}. Cut the window, or ask for fewer tokens."
            )
        self.slot = cache.allocate()
        self._cache = cache
        self._prefill = model.encode_and_prefill(cache, self.slot, self.state)
        self._reported = ""  # the text in the deltas so far

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

    def token_event(self) -> Event:
        """Return the event of the last token: a `Delta` with its new text, or else `Progress`."""
        stable = self.state.stable_text.strip()
        text, self._reported = stable[len(self._reported) :], stable
        return Delta(text) if text else Progress(0.0)

    def final_events(self) -> Iterator[Event]:
        """Yield the rest of the text, a segment unless the text is empty, and `Done`."""
        generation = self.state.result()
        if text := generation.text.strip():
            if rest := text[len(self._reported) :]:
                yield Delta(rest)
            yield Segment(
                text,
                0.0,
                self.state.duration_s,
                confidence=generation.confidence,
                time_source="speech_region",
            )
        notices = (RUNAWAY,) if generation.finish == "runaway" else ()
        yield Done(self.request.options.language, notices, tokens=len(generation.token_ids))

    def close(self) -> None:
        """Free the slot."""
        self._prefill.close()
        self._cache.free(self.slot)


def _decoding_state(pcm16: bytes, options: Options, model: Voxtral) -> TranscriptionState:
    if len(pcm16) % SAMPLE_BYTES:
        raise UsageError(f"{len(pcm16)} bytes are not a whole number of 16-bit samples.")
    return model.new_decoding(
        np.frombuffer(pcm16, dtype="<i2").astype(np.float32) / 32768.0,
        options.language,
        options.max_tokens,
        options.stop,
        Sampling(
            temperature=options.temperature,
            top_p=options.top_p,
            seed=options.seed,
            frequency_penalty=options.frequency_penalty,
            presence_penalty=options.presence_penalty,
        ),
    )
