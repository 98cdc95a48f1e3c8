"""An evaluation as JSON. Its names are stable, and documented in docs/evaluation.md."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate._version import __version__
from voxgate.evaluation.evaluation import ScoredRecognition
from voxgate.evaluation.normaliser import PACKAGE
from voxgate.prices import NANO_PER_DOLLAR

if TYPE_CHECKING:
    from typing import Any

    from voxgate.errors import VoxgateError
    from voxgate.evaluation.evaluation import Evaluation, ModelFigures, ScoredRecording
    from voxgate.evaluation.normaliser import Unit
    from voxgate.evaluation.scores import ErrorCounts, Step


def evaluation_record(evaluation: Evaluation) -> dict[str, Any]:
    """Return an evaluation as a JSON object. A figure that there is not is null."""
    return {
        "voxgate": __version__,
        "folder": evaluation.folder,
        "normaliser": {"package": PACKAGE, "version": evaluation.normaliser_version},
        "models": [_model(each) for each in evaluation.models],
        "recordings": [_recording(each, evaluation) for each in evaluation.recordings],
        "left_out": list(evaluation.left_out),
    }


def _model(figures: ModelFigures) -> dict[str, Any]:
    hourly = figures.nanodollars_per_hour
    return {
        "model": figures.model,
        "recordings": figures.recordings,
        "failed": figures.failed,
        "not_begun": figures.not_begun,
        "wer": _errors(figures.words),
        "cer": _errors(figures.characters),
        "coverage": _rounded(figures.coverage),
        "without_text": figures.without_text,
        "audio_seconds": _rounded(figures.audio_s),
        "processing_seconds": _rounded(figures.processing_s),
        "real_time_factor": _rounded(figures.real_time_factor),
        "times_real_time": _rounded(figures.times_real_time),
        "cost_per_audio_hour": _rounded(None if hourly is None else hourly / NANO_PER_DOLLAR),
    }


def _errors(counts: ErrorCounts) -> dict[str, Any] | None:
    """Return counts with their rate; None where there is neither a reference nor an insertion."""
    if not (counts.reference or counts.insertions):
        return None
    return {
        "rate": _rounded(counts.rate),
        "reference": counts.reference,
        "hits": counts.hits,
        "substitutions": counts.substitutions,
        "deletions": counts.deletions,
        "insertions": counts.insertions,
    }


def _recording(scored: ScoredRecording, evaluation: Evaluation) -> dict[str, Any]:
    models = (each.model for each in evaluation.models)
    return {
        "recording": scored.recording.name,
        "reference": scored.recording.reference.text,
        "language": scored.language,
        "unit": scored.unit,
        "results": [
            {"model": model, **_result(result, scored.unit)}
            for model, result in zip(models, scored.results, strict=True)
        ],
    }


def _result(result: ScoredRecognition | VoxgateError | None, unit: Unit) -> dict[str, Any]:
    if result is None:
        return {"error": {"code": "not_begun", "message": "The model was not asked for it."}}
    if not isinstance(result, ScoredRecognition):
        return {"error": {"code": result.code, "message": result.sentence}}
    found = result.recognition
    return {
        "text": found.text,
        "language": found.language,
        "errors": _errors(result.counts),
        "audio_seconds": _rounded(found.audio_s),
        "processing_seconds": _rounded(found.processing_s),
        "real_time_factor": _rounded(result.real_time_factor),
        "alignment": [_step(step, unit) for step in result.alignment.steps],
    }


def _step(step: Step, unit: Unit) -> dict[str, Any]:
    """Return a stretch with its texts, which take less room than lists of their words."""
    joint = " " if unit == "word" else ""
    return {
        "type": step.kind,
        "reference": joint.join(step.reference),
        "hypothesis": joint.join(step.hypothesis),
    }


def _rounded(value: float | None) -> float | None:
    return None if value is None else round(value, 6)
