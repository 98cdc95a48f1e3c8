"""`Sequence`: one window in Voxtral's work, with its slot of the cache and what was told of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from voxgate.engine.protocol import SAMPLE_BYTES
from voxgate.errors import UsageError
from voxgate.transcript.values import Delta, Done, Event, Notice, Options, Progress, Segment
from voxgate.voxtral.sampling import Sampling

if TYPE_CHECKING:
    from collections.abc import Iterator

    from torch import Tensor

    from voxgate.engine.queue import Lane, WindowRequest
    from voxgate.voxtral.decoding import DecodingState
    from voxgate.voxtral.kv_cache import KVCache
    from voxgate.voxtral.model import Voxtral
    from voxgate.voxtral.sampling import Likeliest

RUNAWAY = Notice(
    "runaway_text",
    "A part of the text was cut off: the model wrote more than anybody can say in that time. "
    "Compare it with the recording.",
)


class Sequence:
    """A window from its first step to its last token. The model gives no times.

    The text is one segment over the whole window; whoever knows where in it somebody spoke divides
    it.
    """

    def __init__(self, work: WindowRequest, model: Voxtral, cache: KVCache) -> None:
        """Take a slot. Raises `UsageError` for half a sample or none, and values out of range."""
        self.work = work
        self.hearing = _hearing(work.pcm16, work.options, model)
        if self.hearing.positions > cache.capacity:
            raise UsageError(
                f"This window needs {self.hearing.positions} positions of the cache, and a slot "
                f"has {cache.capacity}. Cut it, or ask for fewer tokens."
            )
        self.slot = cache.take()
        self._cache = cache
        self._opening = model.open_steps(cache, self.slot, self.hearing)
        self._told = ""

    @property
    def lane(self) -> Lane:
        """Whose window it is."""
        return self.work.lane

    def open(self) -> Tensor | None:
        """Take the next step of the opening; the first token's logits where it was the last."""
        try:
            next(self._opening)
        except StopIteration as end:
            logits: Tensor = end.value
            return logits
        return None

    def take(self, logits: Tensor, likeliest: Likeliest | None = None) -> bool:
        """Choose the next token; False when the text is finished."""
        return self.hearing.take(logits, likeliest)

    def news(self) -> Event:
        """What is to be said after a token: the text that came with it, or that it came."""
        settled = self.hearing.settled.strip()
        text, self._told = settled[len(self._told) :], settled
        return Delta(text) if text else Progress(0.0)

    def result(self) -> Iterator[Event]:
        """The finished window: what was not yet told, a segment if anything was said, Done."""
        generation = self.hearing.generation()
        if text := generation.text.strip():
            if rest := text[len(self._told) :]:
                yield Delta(rest)
            yield Segment(
                text,
                0.0,
                self.hearing.seconds,
                confidence=generation.confidence,
                time_source="speech_region",
            )
        notices = (RUNAWAY,) if generation.finish == "runaway" else ()
        yield Done(self.work.options.language, notices, tokens=len(generation.token_ids))

    def close(self) -> None:
        """Give the slot back, whatever was done in it."""
        self._opening.close()
        self._cache.free(self.slot)


def _hearing(pcm16: bytes, options: Options, model: Voxtral) -> DecodingState:
    if len(pcm16) % SAMPLE_BYTES:
        raise UsageError(f"{len(pcm16)} bytes are no whole number of 16-bit samples.")
    return model.hearing(
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
