"""The checks of the models: those in packages, and every installed one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.checks.check import Check
from voxgate.errors import (
    ChangedCheckpointError,
    CheckpointError,
    RegistryError,
    SettingsError,
    UnknownModelError,
)
from voxgate.hardware.memory import format_bytes, free_bytes, total_bytes
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import (
    BUILT_IN_MODELS,
    checkpoint_spec,
    how_to_install,
    why_not_installed,
)
from voxgate.models.checkpoint import open_checkpoint
from voxgate.models.footprint import memory_by_profile
from voxgate.models.placement import place_model
from voxgate.models.store import verify
from voxgate.models.store.registry import Registry

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.record import ModelRecord
    from voxgate.settings import Settings


def check_models(settings: Settings) -> Iterator[Check]:
    """Yield every model that can be requested by name."""
    built_in = dict(BUILT_IN_MODELS)
    try:
        for name, found in Registry.open(settings).survey():
            built_in.pop(name, None)
            if isinstance(found, RegistryError):
                yield Check(name, "problem", found.sentence, f"voxgate models rm {name}")
            else:
                yield _check_installed(found, settings)
    except RegistryError as error:
        yield Check("models", "problem", error.sentence, "VOXGATE_HOME=/a/folder/of/yours")
    yield from map(_check_built_in, built_in.values())


def check_model_names(settings: Settings) -> Iterator[Check]:
    """Yield the aliases, endpoints and prices of the settings with which no server starts."""
    models = AvailableModels(settings)
    checks = {
        "model_aliases": models.check_aliases,
        "answer_model or draft_model": models.check_helpers,
        "endpoints": models.check_endpoints,
        "prices": models.prices,
    }
    for setting, check in checks.items():
        try:
            check()
        except (UnknownModelError, SettingsError, CheckpointError) as error:
            yield Check(setting, "problem", error.sentence, "correct it, or remove it")
        except RegistryError:
            return  # `check_models` has said what is wrong


def _check_built_in(spec: ModelSpec) -> Check:
    if reason := why_not_installed(spec):
        return Check(spec.name, "note", reason, how_to_install(spec))
    takes = f"takes {format_bytes(spec.memory_bytes)} of memory"
    return Check(spec.name, "ok", f"in its packages, and installed at its first use; {takes}")


def _check_installed(record: ModelRecord, settings: Settings) -> Check:
    """Return whether an installed model can be used; if not, it is a problem."""
    try:
        verify.check_unchanged(record)
        spec = place_model(
            checkpoint_spec(open_checkpoint(record.folder, record.layout), record.name), settings
        )
        needs = memory_by_profile(spec)
    except ChangedCheckpointError as error:
        return Check(record.name, "problem", error.sentence, verify.repair_command(record))
    except CheckpointError as error:
        return Check(record.name, "problem", error.sentence, verify.reinstall_command(record))
    if reason := why_not_installed(spec):
        return Check(record.name, "problem", reason, how_to_install(spec))
    return _check_fit(record, spec, needs, settings)


def _check_fit(
    record: ModelRecord, spec: ModelSpec, needs: Mapping[str | None, int], settings: Settings
) -> Check:
    """Return whether engines may take so much memory at all, and whether it is free now."""
    device = spec.device
    need, limit = needs[spec.profile], min(settings.engine_memory_bytes, total_bytes(device))
    where = "memory" if device == "cpu" else f"{device}'s memory"
    profile = f" as '{spec.profile}'" if spec.profile else ""
    takes = f"takes {format_bytes(need)} of {where}{profile}"
    if need > limit:
        found = f"{takes}, and engines can have {format_bytes(limit)} here"
        return Check(
            record.name, "problem", found, _smaller_profile(needs, limit) or _memory_fix(spec, need)
        )
    free = free_bytes(device)
    if need > free:
        found = f"{takes}, and {format_bytes(free)} are free now: other programs have the rest"
        return Check(
            record.name, "note", found, _smaller_profile(needs, free) or "voxgate unload --all"
        )
    found = f"at {record.revision[:12]}, {format_bytes(record.nbytes)} as installed; {takes}"
    return Check(record.name, "ok", found)


def _smaller_profile(needs: Mapping[str | None, int], limit: int) -> str:
    """Return the setting of the most exact profile that fits; empty if none does."""
    fitting = (f"VOXGATE_PROFILE={profile}" for profile, n in needs.items() if n <= limit)
    return next(fitting, "")


def _memory_fix(spec: ModelSpec, need: int) -> str:
    """Return the setting that allows enough memory; if the device lacks it, another device."""
    if need <= total_bytes(spec.device):
        return f"VOXGATE_ENGINE_MEMORY_BYTES={need}"
    return "VOXGATE_DEVICE=cpu" if spec.device != "cpu" else f"voxgate models rm {spec.name}"
