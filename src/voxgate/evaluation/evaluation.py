"""`Evaluation`: the errors and the speed of models on recordings with references."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.evaluation.attempts import Recognition
from voxgate.evaluation.normaliser import Normaliser, unit_of
from voxgate.evaluation.scores import ErrorCounts, align
from voxgate.transcript.language import parse_language

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from voxgate.errors import VoxgateError
    from voxgate.evaluation.attempts import ModelRun
    from voxgate.evaluation.normaliser import Unit
    from voxgate.evaluation.pairs import ReferencedRecording
    from voxgate.evaluation.scores import Alignment

HOUR_S = 3600


@dataclass(frozen=True, slots=True)
class ScoredRecognition:
    """A model's text beside its reference."""

    recognition: Recognition
    alignment: Alignment

    @property
    def counts(self) -> ErrorCounts:
        """How many errors it has."""
        return self.alignment.counts

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of processing for each second of sound; None for a recording without any."""
        audio_s = self.recognition.audio_s
        return self.recognition.processing_s / audio_s if audio_s > 0 else None


@dataclass(frozen=True, slots=True)
class ScoredRecording:
    """A recording and its results, one for each model in their order.

    A result is an error where the model failed, and None where it was not begun.
    """

    recording: ReferencedRecording
    language: str | None  # of the normaliser
    unit: Unit
    reference: tuple[str, ...]  # normalised, in units
    results: tuple[ScoredRecognition | VoxgateError | None, ...]

    @property
    def scored(self) -> list[ScoredRecognition]:
        """The results with a text."""
        return [each for each in self.results if isinstance(each, ScoredRecognition)]

    @property
    def badness(self) -> tuple[float, int]:
        """What the worst recordings have most of: errors for each of the reference, then errors.

        It is the mean of the models. Where nothing is said, each insertion counts as one word's.
        """
        counts = [each.counts for each in self.scored]
        if not counts:
            return -1.0, 0
        rates = [each.errors / max(1, each.reference) for each in counts]
        return sum(rates) / len(rates), sum(each.errors for each in counts)


@dataclass(frozen=True, slots=True)
class ModelFigures:
    """What one model did with all recordings. Those that failed have no part in the figures."""

    model: str
    recordings: int  # with a text, which may be empty
    failed: int
    not_begun: int
    spoken: int  # recordings in whose reference something is said
    without_text: int  # of these, those for which the model has no text
    audio_s: float
    processing_s: float
    words: ErrorCounts
    characters: ErrorCounts  # of recordings in scripts without spaces
    nanodollars: int | None  # by the configured price; None where there is none

    @property
    def real_time_factor(self) -> float | None:
        """Seconds of processing for each second of sound: of all, not the mean of recordings."""
        return self.processing_s / self.audio_s if self.audio_s > 0 else None

    @property
    def times_real_time(self) -> float | None:
        """Seconds of sound for each second of processing."""
        return self.audio_s / self.processing_s if self.processing_s > 0 else None

    @property
    def coverage(self) -> float | None:
        """Which share of the recordings with speech has a text."""
        return 1 - self.without_text / self.spoken if self.spoken else None

    @property
    def nanodollars_per_hour(self) -> int | None:
        """What an hour of sound costs."""
        if self.nanodollars is None or self.audio_s <= 0:
            return None
        return round(self.nanodollars * HOUR_S / self.audio_s)


@dataclass(frozen=True, slots=True)
class Evaluation:
    """Models compared on the same recordings, which are in the order of their names."""

    folder: str
    normaliser_version: str
    models: tuple[ModelFigures, ...]
    recordings: tuple[ScoredRecording, ...]
    left_out: tuple[str, ...]  # recordings without a reference

    @property
    def worst_first(self) -> list[ScoredRecording]:
        """The recordings, those with the most errors for their length first."""
        return sorted(self.recordings, key=lambda each: each.badness, reverse=True)

    @property
    def of_unknown_language(self) -> list[str]:
        """The recordings with words whose language neither caller, manifest nor model named."""
        return [
            each.recording.name
            for each in self.recordings
            if each.language is None
            and any(found.counts.reference or found.counts.insertions for found in each.scored)
        ]


def evaluate(
    folder: str,
    recordings: Sequence[ReferencedRecording],
    runs: Sequence[ModelRun],
    *,
    language: str | None = None,
    left_out: Iterable[str] = (),
) -> Evaluation:
    """Score the runs. `language` is that of all recordings, an ISO 639-1 code.

    Without it each recording is of the language that its manifest names, else of the one that most
    models detected, so that its reference is the same text for all of them.
    """
    normaliser = Normaliser()
    scored = tuple(_score(each, runs, language, normaliser) for each in recordings)
    models = tuple(_figures(run.model, place, scored) for place, run in enumerate(runs))
    return Evaluation(folder, normaliser.version, models, scored, tuple(left_out))


def _score(
    recording: ReferencedRecording,
    runs: Sequence[ModelRun],
    language: str | None,
    normaliser: Normaliser,
) -> ScoredRecording:
    attempts = [run.attempts.get(recording.name) for run in runs]
    language = language or parse_language(recording.reference.language) or _detected(attempts)
    text = recording.reference.text
    unit = unit_of(text, language)
    reference = normaliser.units(text, language, unit)

    def result(
        attempt: Recognition | VoxgateError | None,
    ) -> ScoredRecognition | VoxgateError | None:
        if not isinstance(attempt, Recognition):
            return attempt
        heard = normaliser.units(attempt.text, language, unit)
        return ScoredRecognition(attempt, align(reference, heard))

    results = tuple(map(result, attempts))
    return ScoredRecording(recording, language, unit, tuple(reference), results)


def _detected(attempts: Iterable[Recognition | VoxgateError | None]) -> str | None:
    """Return the language that most models detected; of equals that of the first model."""
    found = Counter(
        each.language for each in attempts if isinstance(each, Recognition) and each.language
    )
    return found.most_common(1)[0][0] if found else None


def _figures(model: str, place: int, recordings: Sequence[ScoredRecording]) -> ModelFigures:
    results = [(each, each.results[place]) for each in recordings]
    scored = [(each, found) for each, found in results if isinstance(found, ScoredRecognition)]
    spoken = [found for _, found in scored if found.counts.reference]
    costs = [found.recognition.nanodollars for _, found in scored]
    priced = [each for each in costs if each is not None]

    def counted(unit: Unit) -> ErrorCounts:
        return sum((found.counts for each, found in scored if each.unit == unit), ErrorCounts())

    return ModelFigures(
        model,
        recordings=len(scored),
        failed=len(results) - len(scored) - sum(found is None for _, found in results),
        not_begun=sum(found is None for _, found in results),
        spoken=len(spoken),
        without_text=sum(not found.recognition.text.strip() for found in spoken),
        audio_s=sum(found.recognition.audio_s for _, found in scored),
        processing_s=sum(found.recognition.processing_s for _, found in scored),
        words=counted("word"),
        characters=counted("character"),
        nanodollars=sum(priced) if scored and len(priced) == len(scored) else None,
    )
