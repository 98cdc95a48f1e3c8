"""`voxgate config`: check the configuration, show what is in effect, and print its schema."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import logging
import os
from datetime import UTC, datetime
from pathlib import Path  # noqa: TC003 (typer evaluates it)
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli.exit_codes import FAILED, WRONG_USAGE
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import examine_file
from voxgate.cli.streams import print_error, print_message, write_json, write_output
from voxgate.errors import CheckpointError, SettingsError, UnknownModelError
from voxgate.prices import ANY_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    from voxgate.configuration.file import ConfigFile
    from voxgate.configuration.given import Given
    from voxgate.ledger.key_tables import ListedKey
    from voxgate.models.available import AvailableModels
    from voxgate.settings import Settings

config_app = typer.Typer(
    name="config", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None
)


@config_app.callback()
def config_command() -> None:
    """Check the configuration, show it, and print its schema.

    It is one file: voxgate.toml in VOXGATE_HOME, or the file that VOXGATE_CONFIG names. A
    setting is read from its environment variable, else from the file, where its name is in lower
    case and without VOXGATE_. Else it has its default.
    """


@config_app.command()
def check(
    path: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="Check this file, and not the environment. [default: what commands read here]",
        ),
    ] = None,
) -> None:
    """Check the configuration: its file, and the variables of the environment.

    Each fault is reported with its place, as FILE:LINE:COLUMN. Names of models are looked up here,
    too, unless a FILE is given: it may be for another machine. A fault may hide another one, which
    the next run reports. A key that has expired is a warning.

    Exits with 0 if nothing is wrong, with 1 otherwise.
    """
    from voxgate.configuration.file import ConfigFile
    from voxgate.settings import Settings

    file = ConfigFile.find(os.environ) if path is None else ConfigFile.read(path)
    settings, keys, faults = examine_file(file, environment=path is None)
    given = Settings.given(os.environ if path is None else {}, file)
    if path is None:
        faults = file.in_order([*faults, *_unknown_models(settings, file, given, keys)])
    for warning in _expired(file, keys):
        print_message(warning, logging.WARNING)
    for fault in faults:
        print_error(fault)
    if faults:
        raise typer.Exit(FAILED)
    write_output(f"{_summary(file, given, keys)}\n")


@config_app.command()
def show(as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False) -> None:
    """Show the configuration in effect as TOML: each value with its origin and what it does.

    The origin is a place in the file, a variable of the environment, or the default. Passwords are
    not shown.
    """
    from voxgate.cli.config_text import configuration_json, configuration_toml
    from voxgate.configuration.file import ConfigFile
    from voxgate.settings import Settings

    file = ConfigFile.find(os.environ)
    settings, keys, faults = examine_file(file)
    given = Settings.given(os.environ, file)
    if as_json:
        write_json(configuration_json(settings, given, file, keys))
    else:
        write_output(configuration_toml(settings, given, file, keys))
    for fault in faults:
        print_error(fault)
    if faults:
        raise typer.Exit(WRONG_USAGE)


@config_app.command()
def schema() -> None:
    """Print the JSON schema of the file, with which editors complete and check it.

    Save it, and name it in the first line of voxgate.toml: `#:schema ./voxgate.schema.json`.
    """
    from voxgate.cli.config_schema import configuration_schema

    write_json(configuration_schema())


def _unknown_models(
    settings: Settings, file: ConfigFile, given: Given, keys: Sequence[ListedKey]
) -> Iterator[SettingsError]:
    """Yield aliases, prices and models of keys that name no model which this machine knows.

    The first two stop every server.
    """
    from voxgate.models.available import AvailableModels

    def place(setting: str, *path: str | int) -> str:
        origin = given.origins[setting]
        return file.place(setting, *path) if origin == file.place(setting) else origin

    models = AvailableModels(settings)
    names = [(alias, place("model_aliases", alias)) for alias, _ in settings.model_aliases]
    names += [
        (each.model, place("prices", index, "model"))
        for index, each in enumerate(settings.prices.entries)
        if each.model != ANY_MODEL
    ]
    helpers = {"answer_model": settings.answer_model, "draft_model": settings.draft_model}
    names += [(name, place(setting)) for setting, name in helpers.items() if name]
    faults = list(_unknown(models, names))
    yield from faults
    allowed = [
        (name, file.place("keys", key.index, "allowed_models", index))
        for key in keys
        for index, name in enumerate(key.table.allowed_models or ())
    ]
    yield from _unknown(models, allowed)
    checks = {"endpoints": models.check_endpoints, "prices": models.prices}
    for setting, check in checks.items() if not faults else ():
        try:
            check()
        except SettingsError as error:  # as two names of one model
            yield SettingsError(f"{place(setting)}: {error.sentence}")


def _unknown(models: AvailableModels, names: Iterable[tuple[str, str]]) -> Iterator[SettingsError]:
    """Yield the names of no model, each with its place."""
    for name, place in names:
        try:
            models.own_name(name)
        except (CheckpointError, UnknownModelError) as error:
            yield SettingsError(f"{place}: {error.sentence}")


def _expired(file: ConfigFile, keys: Sequence[ListedKey]) -> Iterator[str]:
    """Yield a sentence for each key whose last day is over."""
    now = datetime.now(UTC)
    for key in keys:
        end = key.table.expires_at
        if end is not None and end <= now:
            place = file.place("keys", key.index, "expires_at")
            yield (
                f"warning: {place}: this key expired on {end:%Y-%m-%d}. Remove it, or change the "
                f"day."
            )


def _summary(file: ConfigFile, given: Given, keys: Sequence[ListedKey]) -> str:
    """Return how much there is of everything, in one line."""
    names = [name for name in given.values if name not in {"prices", "endpoints"}]
    in_file = sum(given.origins[name].startswith(f"{file.path}:") for name in names)
    prices, elsewhere = given.values.get("prices"), given.values.get("endpoints")
    counts = [
        _count(in_file, "setting"),
        _count(len(prices.entries) if prices else 0, "price"),
        *([_count(len(elsewhere.entries), "endpoint")] if elsewhere else []),
        _count(len(keys), "key"),
    ]
    others = len(names) - in_file
    found = f"{file.path}: {', '.join(counts)}" if file.exists else f"{file.path} is not there"
    return f"{found}; {_count(others, 'setting')} of the environment." if others else f"{found}."


def _count(number: int, noun: str) -> str:
    return f"{number} {noun}{'s' * (number != 1)}"
