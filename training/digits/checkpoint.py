"""The checkpoint's files, in the official layout of Hugging Face."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING

from transformers import VoxtralProcessor, WhisperFeatureExtractor
from transformers.tokenization_mistral_common import MistralCommonBackend

from training.digits import tekken
from training.digits.features import MELS

if TYPE_CHECKING:
    from pathlib import Path

    from transformers import VoxtralForConditionalGeneration


def save(model: VoxtralForConditionalGeneration, folder: Path) -> None:
    """Write the model in bfloat16 with all files that transformers needs to run it."""
    folder.mkdir(parents=True, exist_ok=True)
    rounded = copy.deepcopy(model)
    rounded.bfloat16()
    rounded.save_pretrained(folder)
    tekken.write(folder / "tekken.json")
    extractor = WhisperFeatureExtractor(feature_size=MELS)  # type: ignore[no-untyped-call]
    tokenizer = MistralCommonBackend.from_pretrained(str(folder))
    processor = VoxtralProcessor(extractor, tokenizer)  # type: ignore[no-untyped-call]
    processor.save_pretrained(folder)
