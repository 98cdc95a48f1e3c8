"""Transcription with transformers: its processor and its greedy `generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import VoxtralForConditionalGeneration, VoxtralProcessor

from training.digits.recordings import RATE

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MAX_TOKENS = 120
"""Tokens after which a clip's text is cut off."""

BATCH_SIZE = 10
"""Clips in one call."""


class Transcriber:
    """Transcribes waves in float32 with the checkpoint's bfloat16 weights."""

    def __init__(self, checkpoint: Path) -> None:
        self._processor = VoxtralProcessor.from_pretrained(str(checkpoint))
        model = VoxtralForConditionalGeneration.from_pretrained(
            str(checkpoint), dtype=torch.float32
        )
        self._model: Any = model.train(mode=False)  # its `generate` is typed for other classes

    def texts(
        self, waves: Sequence[NDArray[np.float32]], language: str | None = None
    ) -> Iterator[str]:
        """Yield the text of each wave, float32 [samples] at 16 kHz, at most 30 s."""
        for first in range(0, len(waves), BATCH_SIZE):
            yield from self._transcribe_batch(list(waves[first : first + BATCH_SIZE]), language)

    def _transcribe_batch(
        self, waves: list[NDArray[np.float32]], language: str | None
    ) -> list[str]:
        request = self._processor.apply_transcription_request(
            audio=waves,
            model_id="voxtral-digits",
            language=language,
            sampling_rate=RATE,
            format=["wav"] * len(waves),
        )
        ids = self._model.generate(**request, max_new_tokens=MAX_TOKENS, do_sample=False)
        texts = self._processor.batch_decode(  # type: ignore[no-untyped-call]
            ids[:, request["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return [text.strip() for text in texts]
