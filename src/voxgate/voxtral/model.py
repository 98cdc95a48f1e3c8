"""`Voxtral`: a loaded model.

`encode`, `prefill` and `step` serve a scheduler that decodes several windows. They return a
`Resumable`, which pauses between layers; `run_to_end(model.step(...))` blocks until the result is
there. `generate` is the short blocking loop over them for one window.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, TypeAlias
from weakref import WeakKeyDictionary

import torch

from voxgate.errors import UsageError
from voxgate.voxtral.answering import AnswerState
from voxgate.voxtral.checkpoint.loader import Checkpoint
from voxgate.voxtral.cuda_graph import DecodeGraph
from voxgate.voxtral.draft_trial import DraftTrial, try_drafts
from voxgate.voxtral.features import count_chunks, log_mel, prepare_samples
from voxgate.voxtral.guidance import Guidance, GuidanceTokenizer
from voxgate.voxtral.kv_cache import KVCache
from voxgate.voxtral.prompt import TOKENS_PER_CHUNK
from voxgate.voxtral.quantization.build import build_quantized, prepack_bf16
from voxgate.voxtral.quantization.profiles import Profile, exact_scheme, parse_profile
from voxgate.voxtral.resumable import Resumable, run_to_end
from voxgate.voxtral.sampling import Sampling
from voxgate.voxtral.tokenizer import Tokenizer
from voxgate.voxtral.transcription import TranscriptionState
from voxgate.voxtral.upload import upload

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    import numpy as np
    from torch import Tensor

    from voxgate.answers.values import Question
    from voxgate.voxtral.checkpoint.config import VoxtralConfig
    from voxgate.voxtral.checkpoint.directory import Layout
    from voxgate.voxtral.decoding import DecodingResult, DecodingState
    from voxgate.voxtral.network import Network

Waveform: TypeAlias = "np.ndarray | Sequence[float] | Tensor"
"""Mono samples at 16 kHz, float32 in [-1, 1]."""

ENCODER_BATCH = 1  # chunks of 30 s at once: more gain nothing on a CPU, and make steps longer
DRAFT_TOKENS = 7  # of a draft that `generate` checks in one pass, which has one row more

GPU_ENCODER_BATCH = 16  # the same on a GPU, which is more parallel: some 0.1 GB each in bf16


class Voxtral:
    """A Voxtral Mini or Small, created by `load`. Not safe for several threads at once."""

    def __init__(self, network: Network, tokenizer: Tokenizer, config: VoxtralConfig) -> None:
        self._network = network
        self.tokenizer = tokenizer
        self.config = config
        self.use_graphs = self.device.type == "cuda"
        """Whether steps of a static cache are CUDA graphs; otherwise they run eagerly."""
        self._guidance_tokenizer: GuidanceTokenizer | None = None  # with the first schema
        self._decode_graphs: WeakKeyDictionary[KVCache, DecodeGraph] = WeakKeyDictionary()
        self._draft_trial: DraftTrial | None = None  # when it is first asked for

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
        """Load a checkpoint's directory.

        `dtype` is for the profile `exact`. None takes the stored dtype, or float32 if the CPU
        cannot compute with bfloat16 and float32 fits in memory. The other profiles run on a CPU
        only. `layout` None prefers Hugging Face's files. Raises `CheckpointError`,
        `InsufficientMemoryError`, and `UsageError` for an unknown profile or a missing GPU.
        """
        profile = parse_profile(profile)
        checkpoint = Checkpoint.open(path, layout)
        tokenizer = Tokenizer.open(checkpoint.directory.tokenizer, checkpoint.config)
        if profile == "exact":
            device = resolve_device(device)
            network = checkpoint.load(dtype or _default_dtype(checkpoint, device), device)
            return cls(prepack_bf16(network), tokenizer, checkpoint.config)
        if dtype is not None or torch.device(device).type != "cpu":
            raise UsageError(
                f"The profile '{profile}' has fixed types and runs on a CPU: 'dtype' and other "
                f"devices need the profile exact. Leave them out, or use exact."
            )
        return cls(build_quantized(checkpoint, profile), tokenizer, checkpoint.config)

    @property
    def device(self) -> torch.device:
        """The device of the weights."""
        return self._network.decoder.embeddings.weight.device

    @property
    def dtype(self) -> torch.dtype:
        """The dtype of the activations; in `exact` also that of the weights."""
        return self._network.decoder.dtype

    @property
    def nbytes(self) -> int:
        """Bytes of the weights: what `profiles.footprint` predicts."""
        return self._network.nbytes

    def new_cache(self, slots: int, capacity: int, *, static: bool = False) -> KVCache:
        """Create a cache for so many sequences of so many positions.

        `static` prepares it for steps with static shapes (`cuda_graph`), which are faster on a GPU
        and not on a CPU.
        """
        dtype = self._cache_dtype
        return KVCache(self.config.decoder, slots, capacity, dtype, self.device, static=static)

    def slot_bytes(self, capacity: int, *, static: bool = False) -> int:
        """Return the bytes of each slot of such a cache."""
        return KVCache.slot_bytes(self.config.decoder, capacity, self._cache_dtype, static=static)

    def record_graphs(self, cache: KVCache) -> None:
        """Record the CUDA graphs of a static cache's steps now, which takes some seconds.

        Without this call each graph is recorded when its shape is first needed.
        """
        self._decode_graph(cache).record()

    def _decode_graph(self, cache: KVCache) -> DecodeGraph:
        if cache not in self._decode_graphs:
            graph = DecodeGraph(self._network.decoder, cache, use_graphs=self.use_graphs)
            self._decode_graphs[cache] = graph
        return self._decode_graphs[cache]

    def draft_trial(self) -> Resumable[DraftTrial]:
        """Return whether drafts are checked here, and what passes cost. It is tried once."""
        if self._draft_trial is None:
            self._draft_trial = yield from try_drafts(self._network)
        return self._draft_trial

    @property
    def checks_drafts(self) -> bool:
        """Whether a pass of several tokens gives each token the logits that it has alone."""
        return run_to_end(self.draft_trial()).reason is None

    @property
    def _cache_dtype(self) -> torch.dtype:
        """The dtype of keys and values."""
        return self._network.attention_dtype or self.dtype

    @torch.inference_mode()
    def generate(  # each keyword is a parameter of the transcription APIs
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
        draft: str = "",
    ) -> DecodingResult:
        """Transcribe one window: mono float32 at 16 kHz, more than 0 s and at most 600 s.

        `language` is an ISO 639-1 code; None lets the model detect it. `draft` is what the text
        will probably be. It makes decoding faster where it is right and `checks_drafts` is true,
        and never changes the result. Raises `UsageError` for invalid audio and values out of range,
        `UsageError` (`unsupported_language`) for an unknown code.
        """
        sampling = Sampling(temperature, top_p, seed, frequency_penalty, presence_penalty)
        state = self.new_decoding(samples, language, max_tokens, stop, sampling, draft=draft)
        cache = self.new_cache(slots=1, capacity=state.max_positions)
        slot = cache.allocate()
        logits = run_to_end(self.encode_and_prefill(cache, slot, state))
        self.decode(cache, slot, state, logits)
        return state.result()

    def decode(
        self,
        cache: KVCache,
        slot: int,
        state: DecodingState,
        logits: Tensor,
        draft_tokens: int = DRAFT_TOKENS,
    ) -> None:
        """Decode a text to its end, from the logits [vocabulary] after its prompt on.

        At most `draft_tokens` of its draft are checked in one pass. Raises what `choose_next`
        raises.
        """
        going = state.choose_next(logits)
        while going:
            proposal = state.propose(draft_tokens)
            if proposal and not self.checks_drafts:
                proposal = []
            rows = run_to_end(self.check(cache, {slot: [state.last_token, *proposal]}))
            for row, proposed in zip(rows, [*proposal, None], strict=True):
                cache.advance([slot], 1)  # the position whose logits these are
                going = state.choose_next(row)
                if not going or state.last_token != proposed:
                    break

    def new_decoding(
        self,
        samples: Waveform,
        language: str | None = None,
        max_tokens: int | None = None,
        stop: Sequence[str] = (),
        sampling: Sampling | None = None,
        *,
        draft: str = "",
    ) -> TranscriptionState:
        """Start a window's decoding state, with the parameters and errors of `generate`."""
        return TranscriptionState(
            self.tokenizer, samples, language, max_tokens, stop=stop, sampling=sampling, draft=draft
        )

    def new_answer(
        self, question: Question, sounds: Sequence[Waveform], capacity: int
    ) -> AnswerState:
        """Start the decoding state of an answer, in a slot of `capacity` positions.

        `sounds` are the samples of each of the question's sounds, in order. The end of texts that
        may be cut is left out where the question would not fit, and counted as `unread`. Raises
        what `AnswerState` raises, and `UsageError` for invalid audio.
        """
        return AnswerState(self.tokenizer, question, sounds, capacity, self._new_guidance)

    def _new_guidance(self, schema: str) -> Guidance:
        if self._guidance_tokenizer is None:
            self._guidance_tokenizer = GuidanceTokenizer(self.tokenizer)
        return Guidance(self._guidance_tokenizer, schema)

    def encode_and_prefill(
        self, cache: KVCache, slot: int, state: DecodingState
    ) -> Resumable[Tensor]:
        """Return the logits [vocabulary] of a text's first token.

        Each sound has features of its own, and so its own loudest frame (voxtral-model.md, trap 1).
        """
        embeddings = yield from self.encode(state.sounds)
        audio = torch.cat(embeddings) if embeddings else None
        return (yield from self.prefill(cache, slot, state.prompt, audio))

    @torch.inference_mode()
    def encode(self, windows: Sequence[Waveform]) -> Resumable[list[Tensor]]:
        """Return the audio embeddings of each window, [375 * chunks, width].

        Windows share batches: chunks of 30 s are independent. Raises `UsageError` for invalid
        audio.
        """
        if not windows:
            return []
        samples = [prepare_samples(window) for window in windows]
        mels = self.config.encoder.mels
        chunks = torch.cat([log_mel(upload(window, self.device), mels) for window in samples])
        batch_size = GPU_ENCODER_BATCH if self.device.type == "cuda" else ENCODER_BATCH
        embeddings = []
        for batch in torch.split(chunks, batch_size):
            frames = yield from self._network.encoder(batch)
            embeddings.append(self._network.projector(frames))
        lengths = [TOKENS_PER_CHUNK * count_chunks(window) for window in samples]
        return list(torch.split(torch.cat(embeddings), lengths))

    @torch.inference_mode()
    def prefill(
        self, cache: KVCache, slot: int, ids: Sequence[int], audio: Tensor | None
    ) -> Resumable[Tensor]:
        """Put a prompt into an empty slot; return the logits [vocabulary] of the next token.

        Audio embeddings [n, width] replace those of the [AUDIO] tokens, in order; None for a prompt
        without sound. Raises `UsageError` if their numbers differ.
        """
        tokens = torch.tensor([*ids])
        (positions,) = torch.nonzero(tokens == self.config.audio_token, as_tuple=True)
        embeddings = 0 if audio is None else len(audio)
        if len(positions) != embeddings:
            raise UsageError(
                f"The prompt has {len(positions)} [AUDIO] tokens for {embeddings} embeddings. "
                f"Create it for the same number of chunks."
            )
        x = self._network.decoder.embed(upload(tokens, self.device))
        if audio is not None:
            x[upload(positions, self.device)] = audio.to(x.dtype)
        logits = yield from self._network.decoder(x[None], cache, [slot])
        first: Tensor = logits[0]
        return first

    @torch.inference_mode()
    def step(
        self, cache: KVCache, slots: Sequence[int], tokens: Sequence[int]
    ) -> Resumable[Tensor]:
        """Append a token to each slot; return the logits [slots, vocabulary] of the next ones.

        With a static cache there is one pause, before the computation.
        """
        if cache.static:
            yield
            return self._decode_graph(cache).step(cache, slots, tokens)
        x = self._network.decoder.embed(upload(torch.tensor([*tokens]), self.device))
        logits: Tensor = yield from self._network.decoder(x[:, None], cache, slots)
        return logits

    @torch.inference_mode()
    def check(self, cache: KVCache, tokens: Mapping[int, Sequence[int]]) -> Resumable[Tensor]:
        """Compute the logits after each of a slot's tokens, in one pass for all slots.

        Returns [tokens, vocabulary], the rows of one slot after those of another. Where
        `checks_drafts` is true, each row has the bits that `step` would give, token by token. The
        caller counts the tokens that stay with `cache.advance`; the others are overwritten.
        """
        ids = [token for slot_tokens in tokens.values() for token in slot_tokens]
        x = self._network.decoder.embed(upload(torch.tensor(ids), self.device))
        counts = {slot: len(slot_tokens) for slot, slot_tokens in tokens.items()}
        logits: Tensor = yield from self._network.decoder.check(x, cache, counts)
        return logits


def resolve_device(device: torch.device | str) -> torch.device:
    """Return the device. Raise `UsageError` for an unknown name or a GPU that is missing."""
    try:
        resolved = torch.device(device)
    except RuntimeError as error:
        raise UsageError(f"'{device}' is not a device. Use cpu, cuda, or cuda:N.") from error
    if resolved.type != "cuda":
        return resolved
    # The order of `hardware.gpu`, which chose the number. CUDA's own order starts with the fastest.
    os.environ.setdefault("CUDA_DEVICE_ORDER", "PCI_BUS_ID")
    if not torch.cuda.is_available():
        raise UsageError(
            f"The device is '{device}', and PyTorch {torch.__version__} finds no GPU that it can "
            f"use. `voxgate doctor` shows why; VOXGATE_DEVICE=cpu runs without one."
        )
    count = torch.cuda.device_count()
    if resolved.index is not None and resolved.index >= count:
        raise UsageError(
            f"The device is '{device}', and the last of {count} GPUs is 'cuda:{count - 1}'. Set "
            f"VOXGATE_DEVICE to one that exists."
        )
    # Once CUDA is initialized, PyTorch can report the free memory.
    torch.cuda.init()  # type: ignore[no-untyped-call]
    return resolved


def _default_dtype(checkpoint: Checkpoint, device: torch.device | str) -> torch.dtype:
    """Return the stored dtype, or float32 where it is exact too, faster, and fits."""
    if torch.device(device).type == "cpu" and exact_scheme(checkpoint.directory) == "fp32":
        return torch.float32
    return checkpoint.dtype
