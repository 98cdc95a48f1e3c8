"""The models: those of packages, and the health of every one that was installed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.engine.catalogue import MODELS, missing, of_folder
from voxgate.engine.footprints import footprints
from voxgate.engine.placing import placed
from voxgate.errors import ChangedCheckpointError, CheckpointError, RegistryError
from voxgate.pipeline.session import DEFAULT_MODEL
from voxgate.registry import health
from voxgate.registry.amounts import shown
from voxgate.registry.registry import Registry
from voxgate.voxtral.folder import look
from voxgate.voxtral.memory import free_bytes, total_bytes

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voxgate.engine.catalogue import ModelSpec
    from voxgate.registry.record import Record
    from voxgate.settings import Settings


def checks(settings: Settings) -> Iterator[Check]:
    """Whatever can be asked for by name."""
    yield from map(_built_in, MODELS)
    try:
        for name, found in Registry.open(settings).survey():
            if isinstance(found, RegistryError):  # it keeps every installed model from being found
                yield Check(name, "problem", found.sentence, f"voxgate models rm {name}")
            else:
                yield _installed(found, settings)
    except RegistryError as error:
        yield Check("models", "problem", error.sentence, "VOXGATE_HOME=/a/folder/of/yours")


def _built_in(name: str) -> Check:
    absent = missing(MODELS[name])
    if absent is None:
        return Check(name, "ok", "installed")
    return Check(name, "problem" if name == DEFAULT_MODEL else "note", absent)


def _installed(record: Record, settings: Settings) -> Check:
    """A model that is here and cannot be used is a problem: who has it means to use it."""
    try:
        health.look(record)
        spec = placed(of_folder(look(record.folder, record.layout), record.name), settings)
        needs = footprints(spec)
    except ChangedCheckpointError as error:
        return Check(record.name, "problem", error.sentence, health.mend(record))
    except CheckpointError as error:
        return Check(record.name, "problem", error.sentence, health.again(record))
    if absent := missing(spec):
        return Check(record.name, "problem", absent, f"pip install {spec.install}")
    return _fitting(record, spec, needs, settings)


def _fitting(
    record: Record, spec: ModelSpec, needs: Mapping[str | None, int], settings: Settings
) -> Check:
    """Whether engines may ever have so much memory, and whether it is free now."""
    device = spec.device
    need, most = needs[spec.profile], min(settings.engine_memory_bytes, total_bytes(device))
    where = "memory" if device == "cpu" else f"{device}'s memory"
    takes = f"takes {shown(need)} of {where} as '{spec.profile}'"
    if need > most:
        found = f"{takes}, and engines can have {shown(most)} here"
        return Check(record.name, "problem", found, _lighter(needs, most) or _room(spec, need))
    free = free_bytes(device)
    if need > free:
        found = f"{takes}, and {shown(free)} are free now: other programs have the rest"
        return Check(record.name, "note", found, _lighter(needs, free) or "voxgate unload --all")
    found = f"at {record.revision[:12]}, {shown(record.nbytes)} as installed; {takes}"
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
