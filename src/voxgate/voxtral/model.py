"""`Voxtral`: a loaded model and its verbs.

`encode`, `prefill` and `step` are for whoever drives several sequences; `generate` is the short
loop over them for one. Each has a twin that pauses between layers (`…_steps`, see `steps`).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import torch

from voxgate.errors import UsageError
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.cuda_graph import DecodeGraph
from voxgate.voxtral.decoding import DecodingState
from voxgate.voxtral.features import chunks_of, log_mel, samples_of
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.prompt import TOKENS_PER_CHUNK
from voxgate.voxtral.quantization.build import build_quantized, prepack_bf16
from voxgate.voxtral.quantization.profiles import Profile, exact_scheme, parse_profile
from voxgate.voxtral.resumable import Resumable, run_to_end
from voxgate.voxtral.sampling import Sampling
from voxgate.voxtral.tokenizer import Tokenizer
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.checkpoint.directory import Layout
    from voxgate.voxtral.decoding import DecodingResult
    from voxgate.voxtral.network import Network


# MERGED voxtral.device
# The device that a model is to compute on, looked at before anything is loaded.


def resolve_device(device: torch.device | str) -> torch.device:
    """The device. Raises `UsageError` for a name that is none, and a card that is not there."""
    try:
        wanted = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"'{device}' is no device. Name cpu, cuda, or cuda:N.") from error
    if wanted.type != "cuda":
        return wanted
    # As `cards` counts them, which has chosen the number: CUDA's own order begins with the fastest.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if not torch.cuda.is_available():
        raise UsageError(
            f"The model is to compute on '{device}', and PyTorch {torch.__version__} finds no card "
            f"here that it could use. `voxgate doctor` says why; VOXGATE_DEVICE=cpu does without."
        )
    count = torch.cuda.device_count()
    if wanted.index is not None and wanted.index >= count:
        raise UsageError(
            f"The model is to compute on '{device}', and the last of {count} cards is "
            f"'cuda:{count - 1}'. Name one that is there in VOXGATE_DEVICE."
        )
    # From here on PyTorch itself can be asked what is free.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return wanted


Waveform: TypeAlias = "np.ndarray | Sequence[float] | Tensor"
"""Mono samples at 16 kHz, float32 in [-1, 1]."""

ENCODER_BATCH = 4  # chunks of 30 s at once: more gain nothing on a processor, and take memory
GPU_ENCODER_BATCH = 16  # the same on a card, which has more to share out: some 0.1 GB each in bf16


class Voxtral:
    """A Voxtral Mini or Small, ready. Made by `load`; one thread at a time."""

    def __init__(self, network: Network, tokenizer: Tokenizer, config: VoxtralConfig) -> None:
        self._network = network
        self.tokenizer = tokenizer
        self.config = config
        self.graphs = self.device.type == "cuda"
        """Whether steps of a static cache are recorded; else the same steps run eagerly."""
        self._decoding: WeakKeyDictionary[KVCache, DecodeGraph] = WeakKeyDictionary()

    @classmethod
    def load(
        cls,
        path: str | Path,
        profile: Profile = "exact",
        device: torch.device | str = "cpu",
        *,
        dtype: torch.dtype | None = None,
        layout: Layout | None = None,
    ) -> Voxtral:
        """Load a checkpoint's folder.

        `dtype` is of the profile `exact`, where None takes the stored type, or float32 on a
        processor that cannot compute with bfloat16, if that fits. The other profiles are a
        processor's. `layout` None prefers Hugging Face's files. Raises `CheckpointError`,
        `InsufficientMemoryError` and, for another profile and a card that is not there,
        `UsageError`.
        """
        profile = parse_profile(profile)
        checkpoint = Checkpoint.open(path, layout)
        tokenizer = Tokenizer.open(checkpoint.directory.tokenizer, checkpoint.config)
        if profile == "exact":
            device = resolve_device(device)
            network = checkpoint.load(dtype or _natural_type(checkpoint, device), device)
            return cls(prepack_bf16(network), tokenizer, checkpoint.config)
        if dtype is not None or torch.device(device).type != "cpu":
            raise UsageError(
                f"The profile '{profile}' has its own types and runs on a processor: 'dtype' and "
                f"other devices go with exact. Leave them out, or take exact."
            )
        return cls(build_quantized(checkpoint, profile), tokenizer, checkpoint.config)

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self._network.decoder.embeddings.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """What goes from layer to layer: in `exact` the type of the weights too."""
        return self._network.decoder.dtype

    @property
    def nbytes(self) -> int:
        """Bytes that the weights take: what `profiles.footprint` says beforehand."""
        return self._network.nbytes

    def cache(self, slots: int, capacity: int, *, static: bool = False) -> KVCache:
        """Room for so many sequences of so many positions.

        `static` is for many steps: they get static shapes (`decode_graph`), which a card gains by
        and a processor does not.
        """
        kept = self._cached, self.device
        return KVCache(self.config.decoder, slots, capacity, *kept, static=static)

    def slot_bytes(self, capacity: int, *, static: bool = False) -> int:
        """What each slot of such a cache takes."""
        return KVCache.slot_bytes(self.config.decoder, capacity, self._cached, static=static)

    def record(self, cache: KVCache) -> None:
        """Record a static cache's steps now, where they are recorded, rather than in their course.

        Takes some seconds. Else each shape is recorded when it is first met.
        """
        self._decode_graph(cache).record()

    def _decode_graph(self, cache: KVCache) -> DecodeGraph:
        if cache not in self._decoding:
            graph = DecodeGraph(self._network.decoder, cache, recorded=self.graphs)
            self._decoding[cache] = graph
        return self._decoding[cache]

    @property
    def _cached(self) -> torch.dtype:
        """The type of keys and values."""
        return self._network.attention_type or self.dtype

    def hearing(
        self,
        samples: Waveform,
        language: str | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
    ) -> DecodingState:
        """A sound that is to be transcribed, as `generate` takes and refuses it."""
        return DecodingState(
            self.tokenizer, samples, language, max_tokens, stop=stop, sampling=sampling
        )

    def encode(self, windows: Sequence[Waveform]) -> list[Tensor]:
        """Audio embeddings of each window, [375 * chunks, width]. Raises `UsageError` for sound."""
        return run_to_end(self.encode_steps(windows))

    def prefill(self, cache: KVCache, slot: int, ids: Sequence[int], audio: Tensor) -> Tensor:
        """Logits [vocabulary] of the token after a prompt, which then fills the slot."""
        return run_to_end(self.prefill_steps(cache, slot, ids, audio))

    def step(self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]) -> Tensor:
        """Logits [slots, vocabulary] of the tokens after these, one behind each slot."""
        return run_to_end(self.step_steps(cache, slots, tokens))

    def generate(  # every keyword is the caller's, of the transcription APIs
        self,
        samples: Waveform,
        language: str | None = None,
        max_tokens: int | None = None,
        *,
        temperature: float = 0.0,
        top_p: float = 1.0,
        seed: int | None = None,
        stop: Sequence[str] = (),
        frequency_penalty: float = 0.0,
        presence_penalty: float = 0.0,
    ) -> DecodingResult:
        """Transcribe one pass: mono float32 at 16 kHz, more than 0 and at most 600 s.

        `language` is an ISO 639-1 code; None lets the model find out. Raises `UsageError` for
        sound and values out of range, `UnsupportedLanguageError` for a code that does not exist.
        """
        sampling = Sampling(temperature, top_p, seed, frequency_penalty, presence_penalty)
        return run_to_end(self.generate_steps(samples, language, max_tokens, stop, sampling))

    @torch.inference_mode()
    def encode_steps(self, windows: Sequence[Waveform]) -> Resumable[list[Tensor]]:
        """`encode`, with pauses. Windows share batches: each chunk of 30 s stands by itself."""
        if not windows:
            return []
        sounds = [samples_of(window) for window in windows]
        mels = self.config.encoder.mels
        chunks = torch.cat([log_mel(upload(sound, self.device), mels) for sound in sounds])
        embeddings, most = [], GPU_ENCODER_BATCH if self.device.type == "cuda" else ENCODER_BATCH
        for batch in torch.split(chunks, most):
            frames = yield from self._network.encoder.steps(batch)
            embeddings.append(self._network.projector(frames))
        lengths = [TOKENS_PER_CHUNK * chunks_of(sound) for sound in sounds]
        return list(torch.split(torch.cat(embeddings), lengths))

    @torch.inference_mode()
    def prefill_steps(
        self, cache: KVCache, slot: int, ids: Sequence[int], audio: Tensor
    ) -> Resumable[Tensor]:
        """`prefill`, with pauses. Audio embeddings take the places of [AUDIO] in order.

        Raises `UsageError` where their numbers differ.
        """
        tokens = torch.tensor([*ids])
        (places,) = torch.nonzero(tokens == self.config.audio_token, as_tuple=True)
        if len(places) != len(audio):
            raise UsageError(
                f"The prompt has {len(places)} places for sound, and there are {len(audio)} "
                f"embeddings. Make it for the same number of chunks."
            )
        x = self._network.decoder.embed(upload(tokens, self.device))
        places = upload(places, self.device)
        x[places] = audio.to(x.dtype)
        logits = yield from self._network.decoder.steps(x[None], cache, [slot])
        return logits[0]

    def open_steps(self, cache: KVCache, slot: int, hearing: DecodingState) -> Resumable[Tensor]:
        """Everything up to the logits [vocabulary] of a sound's first token: encode and prefill."""
        (audio,) = yield from self.encode_steps([hearing.sound])
        return (yield from self.prefill_steps(cache, slot, hearing.prompt, audio))

    @torch.inference_mode()
    def step_steps(
        self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]
    ) -> Resumable[Tensor]:
        """`step`, with pauses; of a static cache with one, before anything is computed."""
        if cache.static:
            yield
            return self._decode_graph(cache).step(cache, slots, tokens)
        x = self._network.decoder.embed(upload(torch.tensor([*tokens]), self.device))
        return (yield from self._network.decoder.steps(x[:, None], cache, slots))

    @torch.inference_mode()
    def generate_steps(
        self,
        samples: Waveform,
        language: str | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
    ) -> Resumable[DecodingResult]:
        """`generate`, with pauses. What is wrong with the call is said at the first step."""
        hearing = self.hearing(samples, language, max_tokens, stop, sampling)
        cache = self.cache(slots=1, capacity=hearing.positions)
        slot = cache.take()
        logits = yield from self.open_steps(cache, slot, hearing)
        while hearing.take(logits):
            (logits,) = yield from self.step_steps(cache, [slot], [hearing.last])
        return hearing.generation()


def _natural_type(checkpoint: Checkpoint, device: torch.device | str) -> torch.dtype:
    """The stored type, or float32 where that is exact too, faster, and fits."""
    if torch.device(device).type == "cpu" and exact_scheme(checkpoint.directory) == "fp32":
        return torch.float32
    return checkpoint.dtype
