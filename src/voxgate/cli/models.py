"""`voxgate models`: what can transcribe here, and how it comes and goes."""

# ruff: noqa: PLC0415 (what a command works with is imported when it is called)

from __future__ import annotations

import json
from pathlib import Path  # noqa: TC003 (typer reads the annotations)
from typing import TYPE_CHECKING, Annotated, Any

import typer

from voxgate.cli import tables, transfers
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import emit, say
from voxgate.errors import ChangedCheckpointError, UsageError

if TYPE_CHECKING:
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

models_app = typer.Typer(name="models", rich_markup_mode=None)


@models_app.callback(invoke_without_command=True)
def models_command(context: typer.Context, as_json: JsonFlag = False) -> None:
    """List the models, what each can do and what it lacks; get, show and remove them.

    Models lie in the folder `models` of VOXGATE_HOME.
    """
    if context.invoked_subcommand is None:
        _list(as_json)
    elif as_json:
        raise UsageError(f"Write --json behind '{context.invoked_subcommand}'.")


models_app.command("pull")(transfers.pull_command)


@models_app.command()
def add(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="A Voxtral checkpoint's folder.")],
    name: Annotated[
        str | None, typer.Option(metavar="NAME", help="What to call it; else as the folder.")
    ] = None,
) -> None:
    """Add a folder with a checkpoint, where it is: nothing is copied.

    Its files are hashed once, which takes a second or so a gigabyte. If they change after, the
    model is refused until the folder is added again.
    """
    record = _registry().add(folder, name, say)
    transfers.say_installed("added", record)


@models_app.command("list")
def list_models(as_json: JsonFlag = False) -> None:
    """List the models: those that come inside packages, then those that were installed.

    A table on a terminal; elsewhere the same columns, divided by tabs.
    """
    _list(as_json)


@models_app.command()
def show(
    name: ModelName,
    verify: Annotated[
        bool, typer.Option("--verify", help="Hash every file: a second or so a gigabyte.")
    ] = False,
    as_json: JsonFlag = False,
) -> None:
    """Show an installed model: where it is, which revision, what it takes, its files."""
    registry = _registry()
    record = registry.find(name)
    if verify:
        record = registry.verify(record)
    facts = {**_facts(registry, record), "also_called": list(registry.aliases_of(record))}
    if as_json:
        emit(json.dumps(facts, ensure_ascii=False, indent=2) + "\n")
        return
    tables.print_table(("of the model", "value"), _lines(record, facts))


@models_app.command()
def rm(
    name: Annotated[
        str, typer.Argument(metavar="NAME", help="Its own name: an alias removes nothing.")
    ],
) -> None:
    """Remove a model, at once and unasked.

    What was pulled or imported is deleted, and so is what an interrupted pull has left. Of an
    added folder nothing is deleted: it is forgotten.
    """
    from voxgate.hardware.memory import format_bytes

    freed = _registry().remove(name, say)
    say(
        f"removed {name}; "
        + (f"{format_bytes(freed)} were freed." if freed else "no file was deleted.")
    )


models_app.command("export")(transfers.export_command)
models_app.command("import")(transfers.import_command)


def _list(as_json: bool) -> None:
    known = [*_built_in(), *_installed()]
    if as_json:
        emit(json.dumps(known, ensure_ascii=False, indent=2) + "\n")
        return
    tables.print_table(MODEL_HEADINGS, [_row(model) for model in known])


def _built_in() -> list[dict[str, Any]]:
    from voxgate.models.catalogue import BUILT_IN_MODELS, why_not_installed

    return [
        {
            "name": spec.name,
            "summary": spec.summary,
            "languages": list(spec.capabilities.languages),
            **_abilities(spec.capabilities),
            "licence": spec.licence,
            "installed": (absent := why_not_installed(spec)) is None,
            "missing": absent,
        }
        for spec in BUILT_IN_MODELS.values()
    ]


def _abilities(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "times": capabilities.times,
        "window_s": capabilities.window_s,
        "detects_language": capabilities.detects_language,
        "vocabulary": capabilities.vocabulary,
        "speakers": capabilities.speakers,
        "streaming": capabilities.streaming,
    }


def _installed() -> list[dict[str, Any]]:
    registry = _registry()
    return [_facts(registry, record) for record in registry.list()]


def _facts(registry: Registry, record: ModelRecord) -> dict[str, Any]:
    """What a built-in model's object has, and what only an installed one knows."""
    from voxgate.models.catalogue import VOXTRAL_CAPABILITIES
    from voxgate.models.store.names import FAMILIES

    official = record.name in {family.repository for family in FAMILIES}
    try:
        registry.check_unchanged(record)
        trouble = None
    except ChangedCheckpointError as error:
        trouble = error.sentence
    return {
        "name": record.name,
        "summary": f"A Voxtral checkpoint, {record.family}.",
        "languages": list(VOXTRAL_CAPABILITIES.languages),
        **_abilities(VOXTRAL_CAPABILITIES),
        "licence": "Apache-2.0" if official else "not stated",
        "installed": trouble is None,
        "missing": trouble,
        "state": "installed" if trouble is None else "changed",
        **record.facts(),
        "memory_bytes": record.memory_bytes,
        "profiles": {} if trouble else _by_profile(record),
    }


def _by_profile(record: ModelRecord) -> dict[str, int]:
    """Bytes of memory that the weights take in each profile."""
    from voxgate.voxtral.checkpoint.directory import open_directory
    from voxgate.voxtral.quantization.profiles import PROFILES, weight_bytes

    folder = open_directory(record.folder, record.layout)
    return {profile: weight_bytes(folder, profile) for profile in PROFILES}


def _row(model: dict[str, Any]) -> tuple[str, ...]:
    from voxgate.hardware.memory import format_bytes

    return (
        model["name"],
        ", ".join(model["languages"]),
        model["times"],
        f"{model['window_s']:g} s",
        model["licence"],
        model["missing"] or "installed",
        model.get("revision", ""),
        format_bytes(model["bytes"]) if "bytes" in model else "",
    )


def _lines(record: ModelRecord, facts: dict[str, Any]) -> list[tuple[str, str]]:
    from voxgate.hardware.memory import format_bytes

    return [
        ("name", record.name),
        ("also called", ", ".join(facts["also_called"])),
        ("revision", record.revision),
        ("came by", record.source),
        ("installed at", record.installed_at),
        ("folder", str(record.folder)),
        ("layout", record.layout),
        ("family", record.family),
        ("size", format_bytes(record.nbytes)),
        ("memory", ", ".join(f"{format_bytes(n)} {name}" for name, n in facts["profiles"].items())),
        ("state", facts["missing"] or "installed"),
        *((file.name, f"{file.nbytes} B, SHA-256 {file.sha256}") for file in record.files),
    ]


def _registry() -> Registry:
    from voxgate.models.store.registry import Registry

    return Registry.open(apply_settings())
