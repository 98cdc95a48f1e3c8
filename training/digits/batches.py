"""Batches: clips of one layout as features, token ids and targets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch

from training.digits import layouts, questions
from training.digits.exchanges import (
    IGNORED,
    Exchange,
    Piece,
    about_sound,
    about_text,
    about_transcript,
    transcription,
)
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

NO_DIGIT = len(WORDS)
"""The class of an audio token without a digit."""

LONGEST_TEXT = 12
"""Digits of the longest transcript that is asked about."""


@dataclass(frozen=True)
class Texts:
    """The texts of a batch's rows. Positions are those of the language model's input."""

    tokens: torch.Tensor  # [rows, positions]: the prompt, the answer
    targets: torch.Tensor  # [rows, positions]: the token that should follow
    ordinals: (
        torch.Tensor
    )  # [rows, positions]: number of the word in the clip, spoken or next, from 1


@dataclass(frozen=True)
class Batch:
    """Sounds of equal length, each with an answer or several, or texts without sound."""

    features: torch.Tensor  # [rows, mels, frames]; no frames without sound
    texts: list[Texts]  # each of all rows
    classes: torch.Tensor  # [rows, audio tokens]: the spoken digit, or NO_DIGIT


def draw(recordings: Recordings, words: Words, stage: Stage, random: Generator) -> Batch:
    """Draw a random batch of a stage."""
    if stage.texts and random.random() < stage.texts:
        return _about_texts(words, stage, random)
    clips = _clips(recordings, stage, random)
    features = _features([clip.wave for clip in clips], windows=stage.windows)
    _mask_mels(features, random)
    audio_tokens = features.shape[2] // 8
    texts = [_about_sounds(words, clips, audio_tokens, stage, random) for _ in range(stage.answers)]
    return Batch(features, texts, _classes(clips, audio_tokens))


def _clips(recordings: Recordings, stage: Stage, random: Generator) -> list[Clip]:
    if stage.windows:
        rows, layout = stage.rows, None
    else:
        layout, longest = layouts.crop(random, *stage.digits, stage.spread)
        rows = max(stage.rows, stage.rows * stage.digits[1] // (longest + 1))
    return [
        augmented(
            recordings,
            layout or layouts.window(random, *stage.digits, stage.spread),
            random,
            stage.repeats,
        )
        for _ in range(rows)
    ]


def _about_sounds(
    words: Words, clips: list[Clip], audio_tokens: int, stage: Stage, random: Generator
) -> Texts:
    """Draw what the model is asked about these clips: to transcribe, or a question."""
    if stage.questions and random.random() < stage.questions:
        question, form = questions.draw(words, stage, random)
        exchanges = [
            about_sound(words, clip.digits, audio_tokens, question, form) for clip in clips
        ]
    else:
        english = bool(random.random() < 0.5)
        exchanges = [
            transcription(words, clip.digits, audio_tokens, english=english) for clip in clips
        ]
    texts = _texts(exchanges)
    for row, clip in enumerate(clips):
        audio = texts.tokens[row] == Control.AUDIO
        spoken = range(1, len(clip.digits) + 1)
        texts.ordinals[row, audio] = _per_audio_token(clip, spoken, 0, audio_tokens)
    return texts


def _about_texts(words: Words, stage: Stage, random: Generator) -> Batch:
    """Draw a random batch of questions about texts, without sound."""
    texts = []
    for _ in range(stage.answers):
        question, form = questions.draw(words, stage, random)
        own = stage.transcripts and random.random() < stage.transcripts
        about = about_transcript if own else about_text
        exchanges = [
            about(words, _digits(random), random, question, form) for _ in range(stage.rows)
        ]
        texts.append(_texts(exchanges))
    silent = torch.zeros(stage.rows, MELS, 0)
    return Batch(silent, texts, torch.zeros(stage.rows, 0, dtype=torch.long))


def _digits(random: Generator) -> tuple[int, ...]:
    count = int(random.integers(0, LONGEST_TEXT + 1))
    return tuple(random.integers(0, len(WORDS), count).tolist())


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


def _texts(exchanges: list[Exchange]) -> Texts:
    prompts = [_flat(exchange.prompt) for exchange in exchanges]
    answers = [_flat(exchange.answer) for exchange in exchanges]
    rows = [(*prompt, *answer) for prompt, answer in zip(prompts, answers, strict=True)]
    tokens = torch.full((len(rows), max(map(len, rows)) - 1), int(Control.PAD))
    targets, ordinals = torch.full_like(tokens, IGNORED), torch.full_like(tokens, IGNORED)
    for row, (prompt, answer) in enumerate(zip(prompts, answers, strict=True)):
        start, end = len(prompt) - 1, len(prompt) + len(answer) - 1  # of what predicts the answer
        ids, numbers = torch.tensor([*prompt, *answer]).T
        tokens[row, :end] = ids[:end]
        targets[row, start:end] = ids[start + 1 :]
        ordinals[row, :start] = numbers[:start]
        ordinals[row, start:end] = numbers[start + 1 :]
    return Texts(tokens, targets, ordinals)


def _flat(pieces: list[Piece]) -> list[tuple[int, int]]:
    """Return each token with its ordinal."""
    return [(token, piece.ordinal) for piece in pieces for token in piece.ids]


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
