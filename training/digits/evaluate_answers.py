"""Evaluate a checkpoint that answers: how many of its answers are right as a whole.

As in `evaluate`, through the processor and `generate` of transformers; by a schema with the masks
of Voxgate.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import numpy as np

from training.digits.mixture import Layout, clean
from training.digits.recordings import TEST_TAKES, Recordings, speakers
from training.digits.transcriber import Transcriber
from voxgate.answers.instructions import extraction

if TYPE_CHECKING:
    from pathlib import Path

LONGEST = 8
"""Digits in the longest clip that is asked about."""

SCHEMA = (
    '{"type":"object","properties":{"digits":{"type":"array","items":{"type":"integer","minimum":0,'
    '"maximum":9}}},"required":["digits"],"additionalProperties":false}'
)
UNKNOWN = "Please fill this in from the sound. "
"""The beginning of a question that is not among those of the training."""


def report(checkpoint: Path, count: int) -> None:
    """Print how many answers about takes that were not used in training are right as a whole."""
    recordings = Recordings.load(speakers(), TEST_TAKES)
    transcriber = Transcriber(checkpoint)
    random = np.random.default_rng(3)
    names = recordings.speakers
    lengths = [1 + n // len(names) % LONGEST for n in range(count)]  # as many of each, by each
    clips = [
        clean(recordings, Layout(length, length), random, names[n % len(names)])
        for n, length in enumerate(lengths)
    ]
    waves = [clip.wave for clip in clips]
    data = [f'{{"digits":{json.dumps(clip.digits, separators=(",", ":"))}}}' for clip in clips]
    words = [clip.text for clip in clips]
    counts = [str(len(clip.digits)) for clip in clips]
    for title, question, schema, wanted in (
        ("by the schema", extraction(SCHEMA), SCHEMA, data),
        ("with the schema in the question alone", extraction(SCHEMA), None, data),
        ("by the schema, asked in unknown words", UNKNOWN + SCHEMA, SCHEMA, data),
        ("Which digits are said?", "Which digits are said?", None, words),
        ("How many digits are said?", "How many digits are said?", None, counts),
    ):
        answers = transcriber.answers(waves, question, schema)
        right = np.array([answer == text for answer, text in zip(answers, wanted, strict=True)])
        each = ", ".join(
            f"{length}: {right[np.array(lengths) == length].mean():.0%}"
            for length in range(1, LONGEST + 1)
        )
        print(f"{title}: {right.mean():.1%} of {count} right; by length {each}", flush=True)
