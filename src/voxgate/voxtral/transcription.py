"""`TranscriptionState`: the decoding of one window of sound to the words that are said in it."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from voxgate.voxtral.decoding import DecodingState, check_max_tokens
from voxgate.voxtral.draft import Draft
from voxgate.voxtral.features import CHUNK_S, SAMPLE_RATE, count_chunks, prepare_samples
from voxgate.voxtral.prompt import transcription_prompt

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    import numpy as np
    from torch import Tensor

    from voxgate.voxtral.sampling import Sampling
    from voxgate.voxtral.tokenizer import Tokenizer

TOKENS_PER_S, TOKEN_MARGIN = 14, 32
"""More tokens than fast speech has: a longer text is a loop of repetitions.

14 a second is advice from the field (voxtral-model.md E.2); the margin is for very short windows.
"""


class TranscriptionState(DecodingState):
    """A text with at most as many tokens as fast speech has: more of them are a runaway."""

    def __init__(
        self,
        tokenizer: Tokenizer,
        samples: np.ndarray | Sequence[float] | Tensor,
        language: str | None = None,
        max_tokens: int | None = None,
        *,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
        draft: str = "",
    ) -> None:
        """Take the parameters of `Voxtral.generate`, and raise the same errors."""
        samples = prepare_samples(samples)
        self.duration_s = len(samples) / SAMPLE_RATE
        check_max_tokens(max_tokens)
        cap = max_tokens_for(self.duration_s)
        most = min(cap, max_tokens or cap)
        super().__init__(
            tokenizer,
            transcription_prompt(tokenizer, count_chunks(samples), language),
            [samples],
            most,
            finish_at_limit="length" if max_tokens == most else "runaway",
            stop=stop,
            sampling=sampling,
            drop_language_tag=True,
            draft=Draft.spelled(draft, tokenizer) if draft else None,
        )


def max_tokens_for(duration_s: float) -> int:
    """Return the most tokens that are generated for a window."""
    return math.ceil(TOKENS_PER_S * duration_s) + TOKEN_MARGIN


def max_positions(tokenizer: Tokenizer, chunks: int, languages: Iterable[str | None]) -> int:
    """Return the positions that a slot needs for any window of so many chunks and languages."""
    prompts = [len(transcription_prompt(tokenizer, chunks, language)) for language in languages]
    return max(prompts) + max_tokens_for(CHUNK_S * chunks)
