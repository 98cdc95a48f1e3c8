"""`choose_default`: the model for callers who name none: one of this machine, if any can run."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.hardware.memory import format_bytes, total_bytes
from voxgate.models.catalogue import find_named_model, why_not_installed
from voxgate.models.footprint import memory_by_profile
from voxgate.models.placement import place_model

if TYPE_CHECKING:
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import ModelSpec
    from voxgate.settings import Settings


DEFAULT_NAME = "default"
"""The name of that model, for requests that cannot do without one."""


@dataclass(frozen=True, slots=True)
class DefaultModel:
    """The chosen model, and why the one that it replaces cannot run: a sentence, or None."""

    spec: ModelSpec
    reason: str | None = None


def choose_default(models: AvailableModels, settings: Settings) -> DefaultModel:
    """Return the first of the default models that can run here.

    Speech of a caller who names no model leaves this machine only where none can: then it is the
    model of the first endpoint elsewhere. Without one, it is the first of all: its use says what is
    missing. Raises `CheckpointError` for a broken checkpoint.
    """
    specs = [find_named_model(name, models) for name in models.defaults()]
    reasons = [why_unable(spec, settings) for spec in specs]
    if None not in reasons:
        elsewhere = models.first_elsewhere()
        return DefaultModel(elsewhere, reasons[0]) if elsewhere else DefaultModel(specs[0])
    able = reasons.index(None)
    return DefaultModel(specs[able], reasons[0])


def why_unable(spec: ModelSpec, settings: Settings) -> str | None:
    """Return a sentence on what the model lacks here: packages or memory; None if it can run.

    Memory that other programs have now is not counted: it may be free when the model is loaded.
    """
    if reason := why_not_installed(spec):
        return reason
    placed = place_model(spec, settings)
    need = memory_by_profile(placed).get(placed.profile, 0)
    limit = min(settings.engine_memory_bytes, total_bytes(placed.device))
    if need <= limit:
        return None
    profile = f" as '{placed.profile}'" if placed.profile else ""
    return (
        f"{spec.name} takes {format_bytes(need)} of memory{profile}, and engines can have "
        f"{format_bytes(limit)} here."
    )
