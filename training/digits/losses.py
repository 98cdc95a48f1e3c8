"""The training loss: the error of the words and of the probes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from torch.nn.functional import cross_entropy

from training.digits.batches import NO_DIGIT
from training.digits.exchanges import IGNORED
from training.digits.forward import encode_audio, run_language_model
from training.digits.probes import MAX_WORDS

if TYPE_CHECKING:
    from transformers import VoxtralForConditionalGeneration

    from training.digits.batches import Batch, Texts
    from training.digits.probes import Probes

MIDDLE = 2
"""Language-model layers before the ordinal's probe."""

SMOOTHING = 0.03


@dataclass(frozen=True)
class Weights:
    """The weight of each error. With `words` 0 the language model is not trained.

    With `digit` 0 the audio embeddings have no error of their own.
    """

    digit: float
    ordinal: float = 0.0
    words: float = 0.0


def loss(
    model: VoxtralForConditionalGeneration, probes: Probes, batch: Batch, weights: Weights
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the weighted error, and the accuracy of digits, tokens and ordinals."""
    audio = encode_audio(model, batch.features)
    total = torch.zeros(())
    accuracy: dict[str, float] = {}
    if weights.digit:
        logits = probes.digit(audio).flatten(0, 1)
        classes = batch.classes.flatten()
        # Most of a clip is pauses: at full weight the model would only learn NO_DIGIT.
        by_class = torch.cat([torch.ones(NO_DIGIT), torch.tensor([0.3])])
        total = total + weights.digit * cross_entropy(logits, classes, weight=by_class)
        accuracy["digits"] = _accuracy(logits, classes, classes < NO_DIGIT)
    if weights.words:
        errors, accuracies = zip(
            *(_text_loss(model, probes, texts, audio, weights) for texts in batch.texts),
            strict=True,
        )
        total = total + torch.stack(errors).mean()
        accuracy |= {
            name: sum(each[name] for each in accuracies) / len(accuracies) for name in accuracies[0]
        }
    return total, accuracy


def _text_loss(
    model: VoxtralForConditionalGeneration,
    probes: Probes,
    texts: Texts,
    audio: torch.Tensor,
    weights: Weights,
) -> tuple[torch.Tensor, dict[str, float]]:
    """Return the weighted error of the answers, and the accuracy of their tokens and ordinals."""
    hidden, middles = run_language_model(model, texts.tokens, audio, MIDDLE)
    labelled = texts.targets != IGNORED
    logits, targets = model.lm_head(hidden[labelled]), texts.targets[labelled]
    error = weights.words * cross_entropy(logits, targets, label_smoothing=SMOOTHING)
    accuracy = {"tokens": _accuracy(logits, targets, targets >= 0)}
    known = texts.ordinals != IGNORED
    logits, ordinals = probes.ordinal(middles[known]), texts.ordinals[known]
    by_ordinal = torch.cat([torch.tensor([0.2]), torch.ones(MAX_WORDS + 1)])
    error = error + weights.ordinal * cross_entropy(logits, ordinals, weight=by_ordinal)
    accuracy["ordinals"] = _accuracy(logits, ordinals, ordinals > 0)
    return error, accuracy


def _accuracy(logits: torch.Tensor, targets: torch.Tensor, counted: torch.Tensor) -> float:
    """Return the share of counted targets predicted correctly; 1 if there are none."""
    if not counted.any():
        return 1.0
    return float((logits.argmax(-1) == targets)[counted].float().mean())
