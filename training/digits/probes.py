"""Heads that exist in training only: they give inner layers a target.

The labels come free with joined digits. With the digit of each audio token and its word number as
targets, the decoder learns to count and to copy in minutes.
"""

from __future__ import annotations

from torch import nn

from training.digits.batches import NO_DIGIT
from training.digits.model import HIDDEN

MAX_WORDS = 40


class Probes(nn.Module):
    """Linear layers from hidden states to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.digit = nn.Linear(HIDDEN, NO_DIGIT + 1)  # of audio embeddings
        self.ordinal = nn.Linear(HIDDEN, MAX_WORDS + 2)  # in the language model's middle
