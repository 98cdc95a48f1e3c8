"""`align`: the errors between a reference and a text, counted and in their places, by jiwer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, cast

if TYPE_CHECKING:
    from collections.abc import Sequence

StepKind: TypeAlias = Literal["equal", "substitute", "delete", "insert"]


@dataclass(frozen=True, slots=True)
class ErrorCounts:
    """How many words, or characters, of a reference were recognised, and how many were not."""

    hits: int = 0
    substitutions: int = 0  # another one in its place
    deletions: int = 0  # nothing in its place
    insertions: int = 0  # one that the reference does not have

    def __add__(self, other: ErrorCounts) -> ErrorCounts:
        return ErrorCounts(
            self.hits + other.hits,
            self.substitutions + other.substitutions,
            self.deletions + other.deletions,
            self.insertions + other.insertions,
        )

    @property
    def reference(self) -> int:
        """How many the reference has."""
        return self.hits + self.substitutions + self.deletions

    @property
    def errors(self) -> int:
        """All that is wrong."""
        return self.substitutions + self.deletions + self.insertions

    @property
    def rate(self) -> float | None:
        """Errors for each of the reference: above 1 with many insertions, None if it is empty."""
        return self.errors / self.reference if self.reference else None


@dataclass(frozen=True, slots=True)
class Step:
    """A stretch of an alignment: units of the reference, and those that the text has for them."""

    kind: StepKind
    reference: tuple[str, ...]
    hypothesis: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Alignment:
    """A text beside its reference, with the fewest errors."""

    counts: ErrorCounts
    steps: tuple[Step, ...]


def align(reference: Sequence[str], hypothesis: Sequence[str]) -> Alignment:
    """Return the alignment of two normalised texts, in words or characters without spaces."""
    import jiwer  # noqa: PLC0415 (an extra)

    divided = jiwer.Compose([jiwer.ReduceToListOfListOfWords()])
    found = jiwer.process_words(
        " ".join(reference),
        " ".join(hypothesis),
        reference_transform=divided,
        hypothesis_transform=divided,
    )
    (chunks,) = found.alignments
    return Alignment(
        ErrorCounts(found.hits, found.substitutions, found.deletions, found.insertions),
        tuple(
            Step(
                cast("StepKind", chunk.type),
                tuple(reference[chunk.ref_start_idx : chunk.ref_end_idx]),
                tuple(hypothesis[chunk.hyp_start_idx : chunk.hyp_end_idx]),
            )
            for chunk in chunks
        ),
    )
