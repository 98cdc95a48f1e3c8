"""An evaluation as a page: one file that needs no network and no script.

The words of a recording are shown side by side for the worst recordings alone, and for so many
words that a browser can show the page, since a folder may have days of speech.
"""

# ruff: noqa: PLC0415 (Jinja is an extra)
from __future__ import annotations

from dataclasses import dataclass
from importlib.resources import files
from typing import TYPE_CHECKING

from voxgate._version import __version__
from voxgate.evaluation.evaluation import ScoredRecognition
from voxgate.evaluation.normaliser import PACKAGE
from voxgate.evaluation.report import figures
from voxgate.evaluation.report.columns import side_by_side
from voxgate.transcript.text import encodable

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from datetime import datetime

    from voxgate.evaluation.evaluation import Evaluation, ModelFigures, ScoredRecording
    from voxgate.evaluation.report.columns import Column

MOST_ROWS = 1000  # of the table of recordings
MOST_DETAILS = 100  # recordings whose words are shown
MOST_COLUMNS = 40_000  # of all of these together: with two models, a page of some 5 MB


@dataclass(frozen=True, slots=True)
class Detail:
    """A recording whose words are shown, from the first column on as far as there is room."""

    scored: ScoredRecording
    columns: Sequence[Column]
    hidden: int  # columns that are not shown


def evaluation_page(evaluation: Evaluation, created: datetime) -> str:
    """Return the page as HTML."""
    from jinja2 import Environment, StrictUndefined

    environment = Environment(
        autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    for name in ("percent", "times", "dollars", "length"):
        environment.filters[name] = getattr(figures, name)
    template = files(__package__).joinpath("page.html").read_text(encoding="utf-8")
    worst = evaluation.worst_first
    page = environment.from_string(template).render(
        evaluation=evaluation,
        created=created,
        package=PACKAGE,
        version=__version__,
        names=figures.short_names([each.model for each in evaluation.models]),
        shown=_shown(evaluation.models),
        is_scored=lambda result: isinstance(result, ScoredRecognition),
        rows=worst[:MOST_ROWS],
        details=list(_details(worst[:MOST_DETAILS])),
        most_rows=MOST_ROWS,
    )
    return encodable(page)


def _shown(models: Sequence[ModelFigures]) -> dict[str, bool]:
    """Return which columns of the table of models have a figure."""
    return {
        "words": any(each.words.reference for each in models),
        "characters": any(each.characters.reference for each in models),
        "failures": any(each.failed or each.not_begun for each in models),
        "prices": any(each.nanodollars is not None for each in models),
    }


def _details(worst: Sequence[ScoredRecording]) -> Iterator[Detail]:
    """Yield the recordings that have a text or a reference, until there is no more room."""
    room = MOST_COLUMNS
    for scored in worst:
        alignments = [
            each.alignment if isinstance(each, ScoredRecognition) else None
            for each in scored.results
        ]
        columns = side_by_side(scored.reference, alignments)
        if room <= 0:
            return
        yield Detail(scored, columns[:room], max(0, len(columns) - room))
        room -= len(columns)
