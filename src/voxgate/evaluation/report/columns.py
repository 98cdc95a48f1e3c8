"""Texts side by side: the words of a reference, and below each those of every model."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.evaluation.scores import Alignment, StepKind


@dataclass(frozen=True, slots=True)
class Cell:
    """What one model has in a column. A deletion has no text."""

    kind: StepKind
    text: str


@dataclass(frozen=True, slots=True)
class Column:
    """A word of the reference, and a cell for each model.

    Without a word of the reference it is one of insertions; a model that inserts nothing there has
    None, as has one without a text.
    """

    reference: str | None
    cells: tuple[Cell | None, ...]


def side_by_side(reference: Sequence[str], alignments: Sequence[Alignment | None]) -> list[Column]:
    """Return the columns of a recording, of which `reference` is the normalised reference."""
    placed = [_Placed(each, len(reference)) for each in alignments]
    columns = list[Column]()
    for place in range(len(reference) + 1):
        inserted = [each.insertions[place] for each in placed]
        for number in range(max(map(len, inserted), default=0)):
            columns.append(Column(None, tuple(_inserted(each, number) for each in inserted)))
        if place < len(reference):
            columns.append(Column(reference[place], tuple(each.cells[place] for each in placed)))
    return columns


class _Placed:
    """An alignment by the places of the reference: a cell for each, and what is inserted before."""

    def __init__(self, alignment: Alignment | None, length: int) -> None:
        self.cells: list[Cell | None] = [None] * length
        self.insertions: list[tuple[str, ...]] = [()] * (length + 1)
        place = 0
        for step in alignment.steps if alignment else ():
            if step.kind == "insert":
                self.insertions[place] += step.hypothesis
                continue
            texts = step.hypothesis if step.kind != "delete" else [""] * len(step.reference)
            for text in texts:
                self.cells[place] = Cell(step.kind, text)
                place += 1


def _inserted(words: Sequence[str], number: int) -> Cell | None:
    return Cell("insert", words[number]) if number < len(words) else None
