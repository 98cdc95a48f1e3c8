"""The settings of a command: apply them, or list them with `voxgate settings`."""

# ruff: noqa: PLC0415 (help needs no settings)
from __future__ import annotations

import ast
import inspect
import shutil
import sys
from typing import TYPE_CHECKING

import typer

from voxgate.cli.exit_codes import WRONG_USAGE
from voxgate.cli.streams import folded, print_error, write_output

if TYPE_CHECKING:
    from voxgate.errors import SettingsError
    from voxgate.settings import Settings

INDENT = "    "


def apply_settings() -> Settings:
    """Return the settings; with `offline`, block the network in this process and its children.

    Raises `SettingsError`.
    """
    from voxgate.settings import Settings

    return _applied(Settings.read())


def apply_usable_settings() -> tuple[Settings, list[SettingsError]]:
    """Apply the settings that can be used; return them, and what is wrong with the others."""
    from voxgate.settings import Settings

    settings, faults = Settings.examine()
    return _applied(settings), faults


def settings_command() -> None:
    """List the settings with their values here, and what each does.

    A setting is read from its environment variable, else from config.toml in VOXGATE_HOME, where
    its name is in lower case and without VOXGATE_. Else it has its default.
    """
    from voxgate.configuration.names import ENVIRONMENT_PREFIX
    from voxgate.settings import Settings

    settings, faults = Settings.examine()
    for name, text in setting_descriptions().items():
        value = setting_text(name, getattr(settings, name)) or "(none)"
        entry = f"{ENVIRONMENT_PREFIX}{name.upper()}={value}\n{_description(text)}\n"
        write_output(entry)
    for fault in faults:
        print_error(fault)
    if faults:
        raise typer.Exit(WRONG_USAGE)


def setting_text(name: str, value: object) -> str:
    """Return a value as it is written in an environment variable, without its password."""
    if name == "database_url" and value:
        return _database(str(value))
    if isinstance(value, bool):
        return str(int(value))
    if isinstance(value, float):
        return f"{value:g}"
    if isinstance(value, tuple):
        return ", ".join(" = ".join(each) if isinstance(each, tuple) else each for each in value)
    return str(value)


def setting_descriptions() -> dict[str, str]:
    """Return the string that follows each field in the source of `Settings`."""
    from voxgate.settings import Settings

    module = ast.parse(inspect.getsource(Settings))
    nodes = [node for each in module.body if isinstance(each, ast.ClassDef) for node in each.body]
    texts: dict[str, str] = {}
    field = None
    for node in nodes:
        if isinstance(node, ast.AnnAssign) and isinstance(node.target, ast.Name):
            field = node.target.id
        elif field and isinstance(node, ast.Expr) and isinstance(node.value, ast.Constant):
            texts[field] = " ".join(str(node.value.value).split())
        else:
            field = None
    return texts


def _database(url: str) -> str:
    from voxgate.errors import SettingsError
    from voxgate.ledger.address import Address

    try:
        return str(Address.of_server(url))
    except SettingsError:  # where in it the password is cannot be known
        return "(set)"


def _description(text: str) -> str:
    if sys.stdout is None or not sys.stdout.isatty():
        return INDENT + text
    return folded(INDENT + text, shutil.get_terminal_size().columns, INDENT)


def _applied(settings: Settings) -> Settings:
    from voxgate import offline

    if settings.offline:
        offline.enforce()
    return settings
