"""The two engines that `engine_gpu` measures, with the same methods: Voxgate and transformers."""

from __future__ import annotations

import statistics
import time
from functools import cached_property
from typing import TYPE_CHECKING, Any, Protocol

import torch
from transformers import VoxtralForConditionalGeneration

from voxgate.benchmarking.window import synthetic_sound
from voxgate.voxtral.model import Voxtral
from voxgate.voxtral.prompt import transcription_prompt
from voxgate.voxtral.resumable import run_to_end
from voxgate.voxtral.sampling import choose_greedily

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

PEER_CALL = (
    "VoxtralForConditionalGeneration.from_pretrained({folder}, dtype={dtype}, "
    "attn_implementation='sdpa').to('{device}').generate(input_ids=…, input_features=…, "
    "max_new_tokens={tokens}, do_sample=False)"
)
WARM_STEPS = 3  # not measured


class Engine(Protocol):
    """A model on a device. Every method returns seconds."""

    def encode(self, windows: int) -> float:
        """Time the encoding of so many windows of 30 s."""

    def prefill(self) -> float:
        """Time the prompt of one encoded window."""

    def step(self, batch: int, tokens: int) -> float:
        """Time one token for each of a batch: the median, or the mean, of so many steps."""

    def whole(self, batch: int, tokens: int) -> float:
        """Time so many windows from audio to their last token."""


def lap(device: torch.device, compute: Callable[[], object]) -> float:
    """Return the seconds until the device has finished the computation."""
    _wait(device)
    began = time.perf_counter()
    compute()
    _wait(device)
    return time.perf_counter() - began


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)


class Ours:
    """Voxgate's model, with the scheduler's work for each token."""

    def __init__(
        self, folder: Path, device: torch.device, dtype: torch.dtype, tokens: int, *, graphs: bool
    ) -> None:
        self.model = Voxtral.load(folder, device=device, dtype=dtype)
        self.model.use_graphs = graphs and device.type == "cuda"
        self.prompt = transcription_prompt(self.model.tokenizer, 1)
        self._device, self._capacity = device, len(self.prompt) + tokens + WARM_STEPS

    @cached_property
    def audio(self) -> torch.Tensor:
        """The embeddings of a window."""
        return run_to_end(self.model.encode([synthetic_sound()]))[0]

    def encode(self, windows: int) -> float:
        sounds = [synthetic_sound()] * windows
        run_to_end(self.model.encode(sounds))
        return lap(self._device, lambda: run_to_end(self.model.encode(sounds)))

    def prefill(self) -> float:
        cache = self.model.new_cache(2, self._capacity)
        run_to_end(self.model.prefill(cache, cache.allocate(), self.prompt, self.audio))
        slot = cache.allocate()
        return lap(
            self._device,
            lambda: run_to_end(self.model.prefill(cache, slot, self.prompt, self.audio)),
        )

    def step(self, batch: int, tokens: int) -> float:
        cache = self.model.new_cache(batch, self._capacity, static=True)
        slots = [cache.allocate() for _ in range(batch)]
        for slot in slots:
            run_to_end(self.model.prefill(cache, slot, self.prompt, self.audio))
        last, laps = [1] * batch, []
        for _ in range(WARM_STEPS + tokens):
            began = time.perf_counter()
            # Reads the result back, as the scheduler does.
            rows = choose_greedily(run_to_end(self.model.step(cache, slots, last)))
            laps.append(time.perf_counter() - began)
            last = [row.token for row in rows]
        return statistics.median(laps[WARM_STEPS:])

    def whole(self, batch: int, tokens: int) -> float:
        """Add up the parts: windows share an encoder batch, prompts are separate."""
        return self.encode(batch) + batch * self.prefill() + tokens * self.step(batch, tokens)


class Peer:
    """The `generate` of transformers: greedy, with its default cache."""

    def __init__(
        self,
        folder: Path,
        device: torch.device,
        dtype: torch.dtype,
        prompt: list[int],
        features: torch.Tensor,
    ) -> None:
        """Take the prompt and the features [1, mels, 3000] of the measured window."""
        loader: Any = VoxtralForConditionalGeneration
        model = loader.from_pretrained(folder, dtype=dtype, attn_implementation="sdpa")
        self.model: Any = model.to(device).eval()
        self.model.generation_config.eos_token_id = None  # random weights may end at any token
        self._device = device
        self._ids = torch.tensor([prompt], device=device)
        self._features = features.to(device, dtype)

    @torch.inference_mode()
    def encode(self, windows: int) -> float:
        features = self._features.repeat(windows, 1, 1)
        self.model.get_audio_features(features)
        return lap(self._device, lambda: self.model.get_audio_features(features))

    def prefill(self) -> float:
        """Time the first token, without the encoder."""
        return max(0.0, self.whole(1, 1) - self.encode(1))

    def step(self, batch: int, tokens: int) -> float:
        """Time a token as the difference of many tokens and one."""
        return (self.whole(batch, tokens + 1) - self.whole(batch, 1)) / tokens

    def whole(self, batch: int, tokens: int) -> float:
        self.generate(batch, 2)
        return lap(self._device, lambda: self.generate(batch, tokens))

    @torch.inference_mode()
    def generate(self, batch: int, tokens: int) -> list[int]:
        """Return the ids of the first window."""
        output = self.model.generate(
            input_ids=self._ids.repeat(batch, 1),
            attention_mask=torch.ones_like(self._ids).repeat(batch, 1),
            input_features=self._features.repeat(batch, 1, 1),
            max_new_tokens=tokens,
            do_sample=False,
        )
        ids: list[int] = output[0, self._ids.shape[1] :].tolist()
        return ids

    @torch.inference_mode()
    def logits(self, continuation: list[int]) -> torch.Tensor:
        """Return the logits after the prompt and each token, [1 + tokens, vocabulary]."""
        more = torch.tensor([continuation], device=self._device)
        ids = torch.cat((self._ids, more), dim=1)
        rows = self.model(input_ids=ids, input_features=self._features).logits[0]
        forced: torch.Tensor = rows[self._ids.shape[1] - 1 :].float()
        return forced
