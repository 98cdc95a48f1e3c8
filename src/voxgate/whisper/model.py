"""`Whisper`: a model that CTranslate2 has loaded, and its four operations on batches of windows.

faster-whisper reads the folder, computes the mel features and splits text into words; CTranslate2
computes. A window is at most 30 s of sound, and every batch is padded to 30 s.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypeAlias

import ctranslate2
import numpy as np
from faster_whisper import WhisperModel
from faster_whisper.tokenizer import Tokenizer
from faster_whisper.transcribe import get_suppressed_tokens

from voxgate.errors import CheckpointError
from voxgate.hardware.cores import thread_count
from voxgate.whisper import kernels
from voxgate.whisper.directory import open_whisper_directory
from voxgate.whisper.encoder import Encoder
from voxgate.whisper.languages import code_of, token_of

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from numpy.typing import NDArray

    from voxgate.transcript.values import Task

    Encoded: TypeAlias = NDArray[np.floating[Any]]
    """(windows, 1500 frames of 20 ms, width): the encoder's output."""

TIMESTAMPS = 1501  # tokens at the vocabulary's end: 0.00 to 30.00 s
WINDOW_S = 30.0
FRAME_S = 0.02  # of the encoder's output, and so of an alignment
MAX_TOKENS = 448  # positions of the decoder: the prompt and the text
BEST_OF = 5  # samples at a temperature, of which the likeliest is taken
BEAM_SIZE = 5  # that of openai/whisper's and faster-whisper's command lines


@dataclass(frozen=True, slots=True)
class Hypothesis:
    """The text that the decoder generated for a window."""

    tokens: tuple[int, ...]  # without the end token
    log_probability: float  # the mean of its tokens, the end token and timestamps included
    no_speech_probability: float
    ended: bool  # by itself, not by the limit of tokens


@dataclass(frozen=True, slots=True)
class TokenAlignment:
    """Where each token of a text begins, in seconds of the window, and how likely it is."""

    starts: tuple[float, ...]  # one more than there are tokens: the last is the text's end
    probabilities: tuple[float, ...]


class Whisper:
    """A loaded model. As many threads may call it at once as it was loaded for."""

    def __init__(self, model: WhisperModel, encoder: Encoder | None = None) -> None:
        self._model = model
        self._encoder = encoder  # None: CTranslate2's
        self.multilingual: bool = model.model.is_multilingual
        tokenizer = self.tokenizer()
        self._timestamps = range(tokenizer.timestamp_begin, tokenizer.timestamp_begin + TIMESTAMPS)
        self._never = get_suppressed_tokens(tokenizer, [-1])  # tokens

    @classmethod
    def load(cls, path: Path, calls: int = 1) -> Whisper:
        """Load a folder on the CPU, with 8-bit weights, for so many calls at once.

        They share the weights, and each has its part of the threads. Raises `CheckpointError`.
        """
        directory = open_whisper_directory(path)  # CTranslate2 does not say what is missing
        threads = max(1, thread_count() // calls)
        try:
            model = WhisperModel(
                str(path),
                device="cpu",
                compute_type="int8",
                cpu_threads=threads,
                num_workers=calls,
            )
        except (RuntimeError, ValueError) as error:
            raise CheckpointError(
                f"{path} cannot be loaded by CTranslate2 {ctranslate2.__version__}: {error}. Get "
                f"the model again."
            ) from error
        encodes = kernels.why_unavailable() is None
        return cls(model, Encoder.load(directory, threads) if encodes else None)

    def features(self, pcm16: bytes) -> NDArray[np.float32]:
        """Return the log-mel features of a window that is not empty, (bands, 3000).

        They are zero after its end.
        """
        sound = np.frombuffer(pcm16, "<i2").astype(np.float32) / 32768
        extract = self._model.feature_extractor
        found = extract(sound)[:, : extract.nb_max_frames]
        padded = np.zeros((found.shape[0], extract.nb_max_frames), np.float32)
        padded[:, : found.shape[1]] = found
        return padded

    def encode(self, features: Sequence[NDArray[np.float32]]) -> Encoded:
        """Encode a batch: by the native kernels, or by CTranslate2 where there are none."""
        if self._encoder:
            return self._encoder.encode(features)
        batch = ctranslate2.StorageView.from_array(np.stack(features))
        return np.asarray(self._model.model.encode(batch))

    def detect_languages(self, encoded: Encoded) -> list[tuple[str, float]]:
        """Return each window's likeliest language and its probability."""
        found = self._model.model.detect_language(_storage(encoded))
        return [(code_of(best[0][0][2:-2]), float(best[0][1])) for best in found]

    def generate(
        self,
        encoded: Encoded,
        prompts: Sequence[Sequence[int]],
        *,
        temperature: float = 0.0,
        max_tokens: int = MAX_TOKENS,
        beam_size: int = BEAM_SIZE,
        timestamps: bool = False,
    ) -> list[Hypothesis]:
        """Return the likeliest text of each window.

        At temperature 0 `beam_size` texts are compared at each token, above it the text is the
        likeliest of `BEST_OF` samples. `max_tokens` are those of the text. With `timestamps`, as
        the prompts must be too, they are decoded within the text, and left out of it here.
        """
        search: dict[str, Any] = {"beam_size": beam_size}
        if temperature > 0:
            search = {
                "beam_size": 1,
                "num_hypotheses": BEST_OF,
                "sampling_topk": 0,
                "sampling_temperature": temperature,
            }
        prompt = max(map(len, prompts))
        # CTranslate2 generates half of this length at most, and with the prompt no more than it.
        length = min(MAX_TOKENS, max(2 * max_tokens, prompt - 1 + max_tokens))
        most = min(length // 2, length - prompt + 1)
        found = self._model.model.generate(
            _storage(encoded),
            list(map(list, prompts)),
            max_length=length,
            return_scores=True,
            return_no_speech_prob=True,
            suppress_tokens=self._never if timestamps else [*self._never, *self._timestamps],
            **search,
        )
        return [self._hypothesis(result, most) for result in found]

    def align(
        self,
        encoded: Encoded,
        tokens: Sequence[int],
        duration_s: float,
        language: str,
        task: Task = "transcribe",
    ) -> TokenAlignment:
        """Return where the tokens of a text are in a window, by the decoder's attention.

        `encoded` is a batch of one window, and the text is not empty.
        """
        frames = max(2, round(duration_s * 100))  # of the features
        start = self.tokenizer(language, task).sot_sequence
        (found,) = self._model.model.align(_storage(encoded), start, [list(tokens)], frames)
        return _token_alignment(found, len(tokens), duration_s)

    def tokenizer(self, language: str = "en", task: Task = "transcribe") -> Tokenizer:
        """Return the tokenizer with the start sequence of a language and a task.

        The tokens of a text are the same for all of them.
        """
        return Tokenizer(
            self._model.hf_tokenizer,
            self.multilingual,
            task=task,
            language=token_of(language),
        )

    def prompt(
        self,
        language: str,
        task: Task = "transcribe",
        context: Sequence[int] = (),
        *,
        timestamps: bool = False,
    ) -> list[int]:
        """Return the tokens before the text. `context` stands where the text before would."""
        tokenizer = self.tokenizer(language, task)
        before = [tokenizer.sot_prev, *context] if context else []
        without = [] if timestamps else [tokenizer.no_timestamps]
        return [*before, *tokenizer.sot_sequence, *without]

    def _hypothesis(self, result: Any, most: int) -> Hypothesis:
        tokens = result.sequences_ids[0]
        total = result.scores[0] * len(tokens)  # the score is the mean of the text's own tokens
        return Hypothesis(
            tuple(token for token in tokens if token not in self._timestamps),
            total / (len(tokens) + 1),
            float(result.no_speech_prob),
            len(tokens) < most,
        )


def _storage(encoded: Encoded) -> ctranslate2.StorageView:
    return ctranslate2.StorageView.from_array(np.ascontiguousarray(encoded))


def _token_alignment(result: Any, tokens: int, duration_s: float) -> TokenAlignment:
    """Return the first frame of every token. The alignment names pairs of token and frame."""
    pairs = np.array(result.alignments, dtype=np.int64).reshape(-1, 2)
    firsts = np.full(tokens + 1, len(pairs) and pairs[-1, 1] + 1, np.int64)
    for token, frame in pairs[::-1]:
        if token <= tokens:
            firsts[token] = frame
    starts = np.minimum(firsts * FRAME_S, duration_s)
    return TokenAlignment(tuple(map(float, starts)), tuple(map(float, result.text_token_probs)))
