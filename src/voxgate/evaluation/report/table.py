"""An evaluation as tables: the models, and the recordings with the most errors."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.evaluation.evaluation import ScoredRecognition
from voxgate.evaluation.report.figures import dollars, percent, short_names, times

if TYPE_CHECKING:
    from voxgate.evaluation.evaluation import Evaluation, ModelFigures, ScoredRecording

WORST = 5  # recordings that are listed


def model_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the headings and a row for each model. A column without a figure is left out."""
    rows = [_model_cells(each) for each in evaluation.models]
    headings = [heading for heading in rows[0] if any(row[heading] for row in rows)]
    return headings, [[row[heading] for heading in headings] for row in rows]


def worst_table(evaluation: Evaluation) -> tuple[list[str], list[list[str]]]:
    """Return the headings and a row for each of the recordings with the most errors."""
    names = short_names([each.model for each in evaluation.models])
    wrong = [each for each in evaluation.worst_first if each.badness[1]]
    return ["worst", *names], [[each.recording.name, *_rates(each)] for each in wrong[:WORST]]


def _model_cells(figures: ModelFigures) -> dict[str, str]:
    both = figures.words + figures.characters
    return {
        "model": figures.model,
        "WER": percent(figures.words.rate),
        "CER": percent(figures.characters.rate),
        "sub": str(both.substitutions),
        "del": str(both.deletions),
        "ins": str(both.insertions),
        "no text": str(figures.without_text or ""),
        "failed": str(figures.failed + figures.not_begun or ""),
        "speed": times(figures.times_real_time),
        "$/hour": dollars(figures.nanodollars_per_hour),
    }


def _rates(scored: ScoredRecording) -> list[str]:
    return [
        percent(each.counts.rate) or f"{each.counts.insertions} ins"
        if isinstance(each, ScoredRecognition)
        else "failed"
        for each in scored.results
    ]
