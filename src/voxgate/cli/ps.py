"""`voxgate ps` and `voxgate unload`: list the models in memory, and unload them."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import asyncio
from dataclasses import asdict
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import signals, tables
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_json, write_output

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
    """List the models that servers and commands have in memory, by their start.

    Counts the windows of sound in progress, those that wait, and all that the engine received.
    """
    from voxgate.providers.inspection import inspect_engines

    found = signals.run_until_signal(inspect_engines(apply_settings()))
    if as_json:
        write_json([_facts(engine) for engine in found])
        return
    if not found and tables.are_drawn():
        write_output("No model is in memory.\n")
        return
    tables.print_table(ENGINE_HEADINGS, [_row(engine) for engine in found])


def unload_command(
    model: Annotated[
        str | None, typer.Argument(metavar="MODEL", help="Its name, or an alias.")
    ] = None,
    unload_all: Annotated[bool, typer.Option("--all", help="Every model in memory.")] = False,
) -> None:
    """Remove a model from memory, once its windows in progress are done.

    The next request for it loads it again: this frees memory, and refuses no requests.
    """
    from voxgate.errors import UsageError
    from voxgate.models.running import RUN_FOLDER, running_engines

    if (model is None) is not unload_all:
        raise UsageError("Name the model to unload, or write --all.")
    settings = apply_settings()
    name = None if model is None else _resolve_name(model, settings)
    chosen = [
        engine
        for engine in running_engines(settings.home / RUN_FOLDER)
        if name in {None, engine.model}
    ]
    if not chosen:
        print_message("no model is in memory." if name is None else f"{name} is not in memory.")
        return
    signals.run_until_signal(_unload(chosen, settings))


def waits_for(engine: LoadedEngine, patience_s: float) -> str:
    """Return what the end of an engine waits for; empty for an idle one, which ends at once."""
    if engine.state == "idle":
        return ""
    model, health = engine.record.model, engine.health
    if health is None:
        return f"waiting for {model}, which is {engine.state}, for at most {patience_s:g} s."
    windows = health.active + health.queued
    noun = "window" if windows == 1 else "windows"
    return (
        f"waiting for {windows} {noun} of sound that {model} recognises, for at most "
        f"{patience_s:g} s. Ctrl-C ends the wait alone: it is unloaded when they are done."
    )


async def _unload(chosen: list[EngineRecord], settings: Settings) -> None:
    from voxgate.engine.serve import ENGINE_GRACE_S, LAST_STEP_S
    from voxgate.providers.inspection import inspect_engines, unload_engine

    patience_s = ENGINE_GRACE_S + LAST_STEP_S + 1
    pids = {engine.pid for engine in chosen}
    for loaded in await inspect_engines(settings):
        if loaded.record.pid in pids and (sentence := waits_for(loaded, patience_s)):
            print_message(sentence)
    await asyncio.gather(*(unload_engine(engine, patience_s) for engine in chosen))
    for engine in chosen:
        print_message(f"unloaded {engine.model} (process {engine.pid}).")


def _resolve_name(model: str, settings: Settings) -> str:
    """Return the model that an alias stands for. One in memory need not be installed any more."""
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import check_local, find_model
    from voxgate.models.running import RUN_FOLDER, running_engines

    if any(engine.model == model for engine in running_engines(settings.home / RUN_FOLDER)):
        return model
    spec = find_model(model, AvailableModels(settings))
    check_local(spec)
    return spec.name


def _facts(engine: LoadedEngine) -> dict[str, Any]:
    health = engine.health
    facts = asdict(engine.record) | {"state": engine.state, "memory_bytes": engine.memory_bytes}
    names = ("active", "queued", "taken", "step_age_s", "idle_s")
    return facts | {name: None if health is None else getattr(health, name) for name in names}


def _row(engine: LoadedEngine) -> tuple[str, ...]:
    from voxgate.hardware.memory import format_bytes

    record, health, memory = engine.record, engine.health, engine.memory_bytes
    return (
        record.model,
        (record.revision or "")[:12],
        record.profile or "",
        record.device or "",
        engine.state,
        "" if memory is None else format_bytes(memory),
        *(_number(health, name) for name in ("active", "queued", "taken")),
        "" if health is None or health.step_age_s is None else f"{health.step_age_s:.1f} s ago",
        "" if health is None or health.idle_s is None else f"{health.idle_s:.0f} s",
        str(record.pid),
    )


def _number(health: Health | None, name: str) -> str:
    return "" if health is None else str(getattr(health, name))
