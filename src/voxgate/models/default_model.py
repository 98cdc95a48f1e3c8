"""`choose_default`: the model for callers who name none, of those that can run on this machine."""

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

    Where none can, it is the first of all: its use says what is missing. Raises `CheckpointError`
    for a broken checkpoint.
    """
    specs = [find_named_model(name, models) for name in models.defaults()]
    reasons = [why_unable(spec, settings) for spec in specs]
    if None not in reasons:
        return DefaultModel(specs[0])
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
