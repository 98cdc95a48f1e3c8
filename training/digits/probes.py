"""Heads that exist in training alone: they say what the model's middle should know.

The labels come free with strung digits. Told which digit an audio token holds and which word of
the clip it is, the decoder learns to count and to copy in minutes.
"""

from __future__ import annotations

from torch import nn

from training.digits.batches import NOBODY
from training.digits.model import HIDDEN

MOST_WORDS = 40


class Probes(nn.Module):
    """Linear maps of hidden states to logits."""

    def __init__(self) -> None:
        super().__init__()
        self.digit = nn.Linear(HIDDEN, NOBODY + 1)  # of audio embeddings
        self.ordinal = nn.Linear(HIDDEN, MOST_WORDS + 2)  # in the language model's middle
