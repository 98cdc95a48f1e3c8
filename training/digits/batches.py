"""Batches: clips of one layout as features, token ids and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from training.digits import layouts
from training.digits.features import MELS, TOKEN, log_mel, window_log_mel
from training.digits.mixture import Clip, augmented
from training.digits.recordings import WORDS
from training.digits.tekken import Control

if TYPE_CHECKING:
    import numpy as np
    from numpy.random import Generator
    from numpy.typing import NDArray

    from training.digits.recordings import Recordings
    from training.digits.stages import Stage
    from training.digits.tekken import Words

IGNORED = -100
"""The target that cross entropy ignores."""

NO_DIGIT = len(WORDS)
"""The class of an audio token without a digit."""


@dataclass(frozen=True)
class Batch:
    """Rows of equal length. Positions are those of the language model's input."""

    features: torch.Tensor  # [rows, mels, frames]
    tokens: torch.Tensor  # [rows, positions]: the prompt, the words
    targets: torch.Tensor  # [rows, positions]: the token that should follow
    ordinals: (
        torch.Tensor
    )  # [rows, positions]: number of the word in the clip, spoken or next, from 1
    classes: torch.Tensor  # [rows, audio tokens]: the spoken digit, or NO_DIGIT


def draw(recordings: Recordings, words: Words, stage: Stage, random: Generator) -> Batch:
    """Draw a random batch of a stage."""
    if stage.windows:
        clips = [
            augmented(recordings, layouts.window(random, *stage.digits, stage.spread), random)
            for _ in range(stage.rows)
        ]
    else:
        layout, longest = layouts.crop(random, *stage.digits, stage.spread)
        rows = max(stage.rows, stage.rows * stage.digits[1] // (longest + 1))
        clips = [augmented(recordings, layout, random) for _ in range(rows)]
    features = _features([clip.wave for clip in clips], windows=stage.windows)
    _mask_mels(features, random)
    audio_tokens = features.shape[2] // 8
    prompt = words.prompt(audio_tokens, english=bool(random.random() < 0.5))
    return Batch(features, *_texts(clips, words, prompt), _classes(clips, audio_tokens))


def _features(waves: list[NDArray[np.float32]], *, windows: bool) -> torch.Tensor:
    longest = -(-max(len(wave) for wave in waves) // TOKEN) * TOKEN
    padded = torch.zeros(len(waves), longest)
    for row, wave in enumerate(waves):
        padded[row, : len(wave)] = torch.from_numpy(wave)
    return window_log_mel(padded) if windows else log_mel(padded)


def _mask_mels(features: torch.Tensor, random: Generator) -> None:
    """Silence up to 12 adjacent mels in half of the rows, so that the model relies on none."""
    for row in features:
        if random.random() < 0.5:
            first, width = random.integers(MELS - 12), random.integers(2, 13)
            row[first : first + width] = row.amin()


def _texts(
    clips: list[Clip], words: Words, prompt: list[int]
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """Return tokens, targets and ordinals, each [rows, positions]."""
    texts = [
        [words.word(digit, first=not n) for n, digit in enumerate(clip.digits)] for clip in clips
    ]
    longest = max(sum(map(len, text)) for text in texts)
    tokens = torch.full((len(clips), len(prompt) + longest), int(Control.PAD))
    targets, ordinals = torch.full_like(tokens, IGNORED), torch.full_like(tokens, IGNORED)
    tokens[:, : len(prompt)] = torch.tensor(prompt)
    for row, (clip, text) in enumerate(zip(clips, texts, strict=True)):
        ids = [token for word in text for token in word]
        order = [n for n, word in enumerate(text, 1) for _ in word]
        start, end = len(prompt), len(prompt) + len(ids)
        tokens[row, start:end] = torch.tensor(ids)
        targets[row, start - 1 : end] = torch.tensor([*ids, int(Control.END)])
        ordinals[row, start - 1 : end] = torch.tensor([*order, len(text) + 1])
        audio = tokens[row] == Control.AUDIO
        ordinals[row, audio] = _per_audio_token(clip, range(1, len(text) + 1), 0, int(audio.sum()))
    return tokens, targets, ordinals


def _classes(clips: list[Clip], audio_tokens: int) -> torch.Tensor:
    return torch.stack(
        [_per_audio_token(clip, clip.digits, NO_DIGIT, audio_tokens) for clip in clips]
    )


def _per_audio_token(
    clip: Clip, values: range | tuple[int, ...], default: int, audio_tokens: int
) -> torch.Tensor:
    """Return the value of the digit spoken in each audio token, and `default` elsewhere."""
    row = torch.full((audio_tokens,), default)
    for value, (start, end) in zip(values, clip.spans, strict=True):
        first = round(start / TOKEN)
        row[first : max(first + 1, round(end / TOKEN))] = value
    return row
