"""`voxgate ps` and `voxgate unload`: the models that are in memory now, and taking them out."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import asyncio
import json
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import interrupts, tables
from voxgate.cli.settings import in_force
from voxgate.cli.streams import emit, say

if TYPE_CHECKING:
    from voxgate.engine.plates import Plate
    from voxgate.engine.protocol import Health
    from voxgate.providers.loaded import Loaded
    from voxgate.settings import Settings

HEADINGS = (
    *("model", "revision", "profile", "device", "state", "memory", "active", "queued", "taken"),
    *("last step", "idle", "process"),
)


def ps(as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """List the models that are in memory: of servers and of commands, by their start.

    Of windows of sound it counts those in work, those that wait, and all that the engine was given.
    """
    from voxgate.providers.loaded import loaded

    found = interrupts.run(loaded(in_force()))
    if as_json:
        emit(json.dumps([_facts(engine) for engine in found], indent=2) + "\n")
        return
    tables.put(HEADINGS, [_row(engine) for engine in found])


def unload(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Its name, or an alias.")
    ] = None,
    every: Annotated[bool, typer.Option("--all", help="Every model that is in memory.")] = False,
) -> None:
    """Take a model out of memory, once the windows that it has in hand are done.

    It is loaded again when it is asked for again: this frees memory, and refuses nobody.
    """
    from voxgate.engine.plates import FOLDER, plates
    from voxgate.errors import UsageError

    if (model is None) is not every:
        raise UsageError("Name the model to unload, or write --all.")
    settings = in_force()
    name = None if model is None else _resolved(model, settings)
    chosen = [plate for plate in plates(settings.home / FOLDER) if name in {None, plate.model}]
    if not chosen:
        say("no model is in memory." if name is None else f"{name} is not in memory.")
        return
    interrupts.run(_unload(chosen))


async def _unload(chosen: list[Plate]) -> None:
    from voxgate.engine.serve import GRACE_S, LAST_STEP_S
    from voxgate.providers.loaded import unload

    patience_s = GRACE_S + LAST_STEP_S + 1
    await asyncio.gather(*(unload(plate, patience_s) for plate in chosen))
    for plate in chosen:
        say(f"unloaded {plate.model} (process {plate.pid}).")


def _resolved(model: str, settings: Settings) -> str:
    """What an alias stands for; a model that is in memory need not be installed any more."""
    from voxgate.engine.catalogue import find
    from voxgate.engine.plates import FOLDER, plates
    from voxgate.registry.shelf import Shelf

    if any(plate.model == model for plate in plates(settings.home / FOLDER)):
        return model
    return find(model, Shelf(settings)).name


def _facts(engine: Loaded) -> dict[str, Any]:
    health = engine.health
    facts = asdict(engine.plate) | {"state": engine.state, "memory_bytes": engine.memory_bytes}
    names = ("active", "queued", "taken", "step_age_s", "idle_s")
    return facts | {name: None if health is None else getattr(health, name) for name in names}


def _row(engine: Loaded) -> tuple[str, ...]:
    from voxgate.registry.amounts import shown

    plate, health, memory = engine.plate, engine.health, engine.memory_bytes
    return (
        plate.model,
        (plate.revision or "")[:12],
        plate.profile or "",
        plate.device or "",
        engine.state,
        "" if memory is None else shown(memory),
        *(_number(health, name) for name in ("active", "queued", "taken")),
        "" if health is None or health.step_age_s is None else f"{health.step_age_s:.1f} s ago",
        "" if health is None or health.idle_s is None else f"{health.idle_s:.0f} s",
        str(plate.pid),
    )


def _number(health: Health | None, name: str) -> str:
    return "" if health is None else str(getattr(health, name))
