"""`voxgate ps` and `voxgate unload`: the models that are in memory now, and taking them out."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import signals, tables
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import emit, say

if TYPE_CHECKING:
    from voxgate.engine.protocol import Health
    from voxgate.models.running import EngineRecord
    from voxgate.providers.inspection import LoadedEngine
    from voxgate.settings import Settings

ENGINE_HEADINGS = (
    *("model", "revision", "profile", "device", "state", "memory", "active", "queued", "taken"),
    *("last step", "idle", "process"),
)


def ps_command(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the models that are in memory: of servers and of commands, by their start.

    Of windows of sound it counts those in work, those that wait, and all that the engine was given.
    """
    from voxgate.providers.inspection import inspect_engines

    found = signals.run_until_signal(inspect_engines(apply_settings()))
    if as_json:
        emit(json.dumps([_facts(engine) for engine in found], indent=2) + "\n")
        return
    tables.print_table(ENGINE_HEADINGS, [_row(engine) for engine in found])


def unload_command(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Its name, or an alias.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model that is in memory.")] = False,
) -> None:
    """Take a model out of memory, once the windows that it has in hand are done.

    It is loaded again when it is asked for again: this frees memory, and refuses nobody.
    """
    from voxgate.errors import UsageError
    from voxgate.models.running import RUN_FOLDER, running_engines

    if (model is None) is not every:
        raise UsageError("Name the model to unload, or write --all.")
    settings = apply_settings()
    name = None if model is None else _resolved(model, settings)
    chosen = [
        plate
        for plate in running_engines(settings.home / RUN_FOLDER)
        if name in {None, plate.model}
    ]
    if not chosen:
        say("no model is in memory." if name is None else f"{name} is not in memory.")
        return
    signals.run_until_signal(_unload(chosen))


async def _unload(chosen: list[EngineRecord]) -> None:
    from voxgate.engine.serve import ENGINE_GRACE_S, LAST_STEP_S
    from voxgate.providers.inspection import unload_engine

    patience_s = ENGINE_GRACE_S + LAST_STEP_S + 1
    await asyncio.gather(*(unload_engine(plate, patience_s) for plate in chosen))
    for plate in chosen:
        say(f"unloaded {plate.model} (process {plate.pid}).")


def _resolved(model: str, settings: Settings) -> str:
    """What an alias stands for; a model that is in memory need not be installed any more."""
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import find_model
    from voxgate.models.running import RUN_FOLDER, running_engines

    if any(plate.model == model for plate in running_engines(settings.home / RUN_FOLDER)):
        return model
    return find_model(model, AvailableModels(settings)).name


def _facts(engine: LoadedEngine) -> dict[str, Any]:
    health = engine.health
    facts = asdict(engine.plate) | {"state": engine.state, "memory_bytes": engine.memory_bytes}
    names = ("active", "queued", "taken", "step_age_s", "idle_s")
    return facts | {name: None if health is None else getattr(health, name) for name in names}


def _row(engine: LoadedEngine) -> tuple[str, ...]:
    from voxgate.hardware.memory import format_bytes

    plate, health, memory = engine.plate, engine.health, engine.memory_bytes
    return (
        plate.model,
        (plate.revision or "")[:12],
        plate.profile or "",
        plate.device or "",
        engine.state,
        "" if memory is None else format_bytes(memory),
        *(_number(health, name) for name in ("active", "queued", "taken")),
        "" if health is None or health.step_age_s is None else f"{health.step_age_s:.1f} s ago",
        "" if health is None or health.idle_s is None else f"{health.idle_s:.0f} s",
        str(plate.pid),
    )


def _number(health: Health | None, name: str) -> str:
    return "" if health is None else str(getattr(health, name))
