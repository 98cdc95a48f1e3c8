"""Evaluations of texts alone, as reports have them."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias

from voxgate.errors import VoxgateError
from voxgate.evaluation.attempts import ModelRun, Recognition
from voxgate.evaluation.evaluation import evaluate
from voxgate.evaluation.pairs import ReferencedRecording
from voxgate.evaluation.references import Reference

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.evaluation.evaluation import Evaluation

Attempts: TypeAlias = dict[str, Recognition | VoxgateError]
"""What a model made of recordings, by their names."""


def heard(text: str, *, language: str | None = "en", cost: int | None = None) -> Recognition:
    """Return a recognition of ten seconds of sound that took two."""
    return Recognition(text, 10.0, 2.0, language, cost)


def evaluated(
    references: Mapping[str, str],
    models: Mapping[str, Attempts],
    *,
    language: str | None = None,
    manifest_language: str | None = None,
) -> Evaluation:
    """Score texts: references by the names of recordings, then attempts by models and names."""
    recordings = [
        ReferencedRecording(Path(name), name, Reference(text, Path("x.txt"), manifest_language))
        for name, text in references.items()
    ]
    runs = [ModelRun(model, attempts) for model, attempts in models.items()]
    return evaluate("folder", recordings, runs, language=language, left_out=["none.wav"])
