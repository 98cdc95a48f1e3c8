"""Transcriptions and answers with transformers: its processor and its greedy `generate`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from transformers import LogitsProcessor, VoxtralForConditionalGeneration, VoxtralProcessor

from training.digits.exchanges import about_sound
from training.digits.recordings import RATE
from training.digits.tekken import Control, Words
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.tokenizer import Tokenizer

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

MAX_TOKENS = 120
"""Tokens after which a clip's text is cut off."""

AUDIO_TOKENS = 375
"""Of a window of 30 s."""

BATCH_SIZE = 10
"""Clips in one call."""


class Transcriber:
    """Transcribes waves in float32 with the checkpoint's bfloat16 weights."""

    def __init__(self, checkpoint: Path) -> None:
        self._processor = VoxtralProcessor.from_pretrained(str(checkpoint))
        model = VoxtralForConditionalGeneration.from_pretrained(
            str(checkpoint), dtype=torch.float32
        )
        self._tekken = checkpoint / "tekken.json"
        self._model: Any = model.train(mode=False)  # its `generate` is typed for other classes

    def texts(
        self, waves: Sequence[NDArray[np.float32]], language: str | None = None
    ) -> Iterator[str]:
        """Yield the text of each wave, float32 [samples] at 16 kHz, at most 30 s."""
        for first in range(0, len(waves), BATCH_SIZE):
            yield from self._transcribe_batch(list(waves[first : first + BATCH_SIZE]), language)

    def answers(
        self, waves: Sequence[NDArray[np.float32]], question: str, schema: str | None = None
    ) -> Iterator[str]:
        """Yield the answer to a question about each wave, by a JSON schema or free."""
        masks = GuidanceTokenizer(Tokenizer.open(self._tekken)) if schema is not None else None
        words = Words(self._tekken)
        asked = about_sound(words, (), AUDIO_TOKENS, words.encode(question), "words")
        prompt = [token for piece in asked.prompt for token in piece.ids]
        for first in range(0, len(waves), BATCH_SIZE):
            batch = list(waves[first : first + BATCH_SIZE])
            request = self._request(batch, None)
            request["input_ids"] = torch.tensor([prompt] * len(batch))
            request["attention_mask"] = torch.ones_like(request["input_ids"])
            processors = []
            if masks is not None and schema is not None:
                processors.append(_Masks(masks, schema, len(batch), len(prompt)))
            yield from self._generate(request, processors)

    def _transcribe_batch(
        self, waves: list[NDArray[np.float32]], language: str | None
    ) -> list[str]:
        return self._generate(self._request(waves, language), [])

    def _request(self, waves: list[NDArray[np.float32]], language: str | None) -> Any:
        return self._processor.apply_transcription_request(
            audio=waves,
            model_id="voxtral-digits",
            language=language,
            sampling_rate=RATE,
            format=["wav"] * len(waves),
        )

    def _generate(self, request: Any, processors: Sequence[LogitsProcessor]) -> list[str]:
        ids = self._model.generate(
            **request, max_new_tokens=MAX_TOKENS, do_sample=False, logits_processor=list(processors)
        )
        texts = self._processor.batch_decode(  # type: ignore[no-untyped-call]
            ids[:, request["input_ids"].shape[1] :], skip_special_tokens=True
        )
        return [text.strip() for text in texts]


class _Masks(LogitsProcessor):
    """The tokens that a schema allows, for each row of a batch."""

    def __init__(self, tokenizer: GuidanceTokenizer, schema: str, rows: int, prompt: int) -> None:
        self._guidances = [Guidance(tokenizer, schema) for _ in range(rows)]
        self._seen = prompt
        self._ended: set[int] = set()

    def __call__(self, input_ids: torch.Tensor, scores: torch.Tensor) -> torch.Tensor:
        """Return the scores [rows, vocabulary] without what may not follow these ids."""
        masked = scores.clone()
        for row, guidance in enumerate(self._guidances):
            new = input_ids[row, self._seen :].tolist()
            if not {Control.END, Control.PAD}.isdisjoint(new):
                self._ended.add(row)
            if row in self._ended:
                continue
            for token in new:
                guidance.accept(token)
            masked[row] = scores[row].where(guidance.mask(), -torch.inf)
        self._seen = input_ids.shape[1]
        return masked
