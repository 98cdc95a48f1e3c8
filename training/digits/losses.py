"""What is made smaller: the error of the words, and of the probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from training.digits.batches import NOBODY, NOTHING
from training.digits.hearing import hear, read
from training.digits.probes import MOST_WORDS

if TYPE_CHECKING:
    from transformers import VoxtralForConditionalGeneration

    from training.digits.batches import Batch
    from training.digits.probes import Probes

MIDDLE = 2
"""Language-model layers before the ordinal's probe."""

SMOOTHING = 0.03


@dataclass(frozen=True)
class Weights:
    """How much each error counts. Without words the language model is left alone."""

    digit: float
    ordinal: float = 0.0
    words: float = 0.0


def loss(
    model: VoxtralForConditionalGeneration, probes: Probes, batch: Batch, weights: Weights
) -> tuple[torch.Tensor, dict[str, float]]:
    """The weighted error, and the share of audio tokens, text tokens and ordinals that hit."""
    audio = hear(model, batch.features)
    logits = probes.digit(audio).flatten(0, 1)
    classes = batch.classes.flatten()
    # Most of a clip is pauses: at full weight "nobody" would be learnt first and last.
    by_class = torch.cat([torch.ones(NOBODY), torch.tensor([0.3])])
    total = weights.digit * cross_entropy(logits, classes, weight=by_class)
    right = {"digits": _right(logits, classes, classes < NOBODY)}
    if weights.words:
        hidden, middles = read(model, batch.tokens, audio, MIDDLE)
        said = batch.targets != NOTHING
        logits, targets = model.lm_head(hidden[said]), batch.targets[said]
        total = total + weights.words * cross_entropy(logits, targets, label_smoothing=SMOOTHING)
        right["tokens"] = _right(logits, targets, targets >= 0)
        known = batch.ordinals != NOTHING
        logits, ordinals = probes.ordinal(middles[known]), batch.ordinals[known]
        by_ordinal = torch.cat([torch.tensor([0.2]), torch.ones(MOST_WORDS + 1)])
        total = total + weights.ordinal * cross_entropy(logits, ordinals, weight=by_ordinal)
        right["ordinals"] = _right(logits, ordinals, ordinals > 0)
    return total, right


def _right(logits: torch.Tensor, targets: torch.Tensor, counted: torch.Tensor) -> float:
    """The share of the counted targets that are hit; 1 where there are none."""
    if not counted.any():
        return 1.0
    return float((logits.argmax(-1) == targets)[counted].float().mean())
