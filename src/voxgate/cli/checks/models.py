"""The models: those of packages, and the health of every one that was installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.errors import ChangedCheckpointError, CheckpointError, RegistryError
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes
from voxgate.models.catalogue import BUILT_IN_MODELS, checkpoint_spec, why_not_installed
from voxgate.models.footprint import memory_by_profile
from voxgate.models.placement import place_model
from voxgate.models.store import verify
from voxgate.models.store.registry import Registry
from voxgate.pipeline.session import DEFAULT_MODEL
from voxgate.voxtral.checkpoint.directory import open_directory

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings


def checks(settings: Settings) -> Iterator[Check]:
    """Whatever can be asked for by name."""
    yield from map(_built_in, BUILT_IN_MODELS)
    try:
        for name, found in Registry.open(settings).survey():
            if isinstance(found, RegistryError):  # it keeps every installed model from being found
                yield Check(name, "problem", found.sentence, f"voxgate models rm {name}")
            else:
                yield _installed(found, settings)
    except RegistryError as error:
        yield Check("models", "problem", error.sentence, "VOXGATE_HOME=/a/folder/of/yours")


def _built_in(name: str) -> Check:
    absent = why_not_installed(BUILT_IN_MODELS[name])
    if absent is None:
        return Check(name, "ok", "installed")
    return Check(name, "problem" if name == DEFAULT_MODEL else "note", absent)


def _installed(record: ModelRecord, settings: Settings) -> Check:
    """A model that is here and cannot be used is a problem: who has it means to use it."""
    try:
        verify.check_unchanged(record)
        spec = place_model(
            checkpoint_spec(open_directory(record.folder, record.layout), record.name), settings
        )
        needs = memory_by_profile(spec)
    except ChangedCheckpointError as error:
        return Check(record.name, "problem", error.sentence, verify.repair_command(record))
    except CheckpointError as error:
        return Check(record.name, "problem", error.sentence, verify.reinstall_command(record))
    if absent := why_not_installed(spec):
        return Check(record.name, "problem", absent, f"pip install {spec.install}")
    return _fitting(record, spec, needs, settings)


def _fitting(
    record: ModelRecord, spec: ModelSpec, needs: Mapping[str | None, int], settings: Settings
) -> Check:
    """Whether engines may ever have so much memory, and whether it is free now."""
    device = spec.device
    need, most = needs[spec.profile], min(settings.engine_memory_bytes, total_bytes(device))
    where = "memory" if device == "cpu" else f"{device}'s memory"
    takes = f"takes {format_bytes(need)} of {where} as '{spec.profile}'"
    if need > most:
        found = f"{takes}, and engines can have {format_bytes(most)} here"
        return Check(record.name, "problem", found, _lighter(needs, most) or _room(spec, need))
    free = free_bytes(device)
    if need > free:
        found = f"{takes}, and {format_bytes(free)} are free now: other programs have the rest"
        return Check(record.name, "note", found, _lighter(needs, free) or "voxgate unload --all")
    found = f"at {record.revision[:12]}, {format_bytes(record.nbytes)} as installed; {takes}"
    return Check(record.name, "ok", found)


def _lighter(needs: Mapping[str | None, int], most: int) -> str:
    """The most exact profile that fits; empty where none does."""
    fitting = (f"VOXGATE_PROFILE={profile}" for profile, n in needs.items() if n <= most)
    return next(fitting, "")


def _room(spec: ModelSpec, need: int) -> str:
    """Where the device has what the settings withhold, they; else the model is not for it."""
    if need <= total_bytes(spec.device):
        return f"VOXGATE_ENGINE_MEMORY_BYTES={need}"
    return "VOXGATE_DEVICE=cpu" if spec.device != "cpu" else f"voxgate models rm {spec.name}"
