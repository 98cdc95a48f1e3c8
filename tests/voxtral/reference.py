"""The Voxtral of transformers: the reference of every parity test."""

import importlib
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tests.voxtral.signals import RATE, Samples

transformers: Any = importlib.import_module("transformers")
"""Untyped: its types are incomplete and take long to check. For every file here."""


class Reference:
    """One checkpoint, with a method for each stage."""

    def __init__(self, folder: Path, dtype: torch.dtype = torch.float32) -> None:
        self.processor: Any = transformers.VoxtralProcessor.from_pretrained(folder)
        model: Any = transformers.VoxtralForConditionalGeneration.from_pretrained(
            folder, dtype=dtype
        )
        self.model = model.eval()
        self.dtype = dtype

    def inputs(self, recordings: Sequence[Samples], language: str | None = None) -> Any:
        """`input_ids`, `attention_mask` and `input_features` of a batch, padded on the left."""
        return self.processor.apply_transcription_request(
            audio=list(recordings),
            model_id="tiny",
            language=language,
            sampling_rate=RATE,
            format=["wav"] * len(recordings),
        )

    def conversation(self, messages: Sequence[dict[str, Any]]) -> Any:
        """`input_ids` and, where there is sound, `input_features` of a chat."""
        return self.processor.apply_chat_template(
            list(messages), tokenize=True, return_dict=True, return_tensors="pt"
        )

    @torch.no_grad()
    def answer(
        self, messages: Sequence[dict[str, Any]], tokens: int, *processors: Any
    ) -> tuple[list[int], list[int]]:
        """Return a chat's ids, and those that `generate` adds, with processors of its logits."""
        inputs = self.conversation(messages)
        prompt = inputs["input_ids"].shape[1]
        logits = transformers.LogitsProcessorList(processors)
        (ids,) = self.model.generate(
            **inputs, max_new_tokens=tokens, do_sample=False, logits_processor=logits
        ).tolist()
        return ids[:prompt], ids[prompt:]

    def features(self, samples: Samples) -> Tensor:
        """[chunks, 128, 3000] log-mel."""
        features: Tensor = self.inputs([samples])["input_features"]
        return features

    @torch.no_grad()
    def encoder(self, features: Tensor) -> Tensor:
        """[chunks, 1500, width] of [chunks, 128, 3000]."""
        frames: Tensor = self.model.model.audio_tower(features.to(self.dtype)).last_hidden_state
        return frames

    @torch.no_grad()
    def audio(self, features: Tensor) -> Tensor:
        """[chunks * 375, decoder width]: what replaces the [AUDIO] tokens."""
        embeddings: Tensor = self.model.get_audio_features(features.to(self.dtype)).pooler_output
        return embeddings.flatten(0, -2)

    def prompt(self, samples: Samples, language: str | None = None) -> list[int]:
        ids: list[int] = self.inputs([samples], language)["input_ids"][0].tolist()
        return ids

    @torch.no_grad()
    def logits(
        self, samples: Samples, language: str | None = None, continuation: Sequence[int] = ()
    ) -> Tensor:
        """[prompt + continuation, vocabulary]: the logits after each position, teacher-forced."""
        inputs = self.inputs([samples], language)
        ids = torch.cat([inputs["input_ids"], torch.tensor([continuation], dtype=torch.long)], 1)
        features = inputs["input_features"].to(self.dtype)
        logits: Tensor = self.model(input_ids=ids, input_features=features).logits
        return logits[0].float()

    @torch.no_grad()
    def greedy(
        self, recordings: Sequence[Samples], language: str | None = None, tokens: int = 12
    ) -> list[list[int]]:
        """Return the ids that `generate` adds to each prompt."""
        inputs = self.inputs(recordings, language)
        ids = self.model.generate(**inputs, max_new_tokens=tokens, do_sample=False)
        added: list[list[int]] = ids[:, inputs["input_ids"].shape[1] :].tolist()
        return added
