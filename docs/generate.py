"""Write the generated pages: `python -m docs.generate`.

`cli.md` is the help of every command at 80 columns. `settings.md` is every setting with its default
and the documentation of its field in `Settings`, and every field of the file's tables. `fields.md`
is every field of a request. `voxgate.schema.json` is the JSON schema of the configuration.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING

import typer

from voxgate.api.chat.fields import CHAT_FIELDS
from voxgate.api.dialects.fields import ASR_WEBSERVICE, FIELDS, WHISPER_CPP, Field
from voxgate.api.setting_texts import setting_descriptions
from voxgate.cli import app
from voxgate.cli.config_schema import configuration_schema
from voxgate.configuration.endpoint_tables import EndpointTable
from voxgate.configuration.names import ENVIRONMENT_PREFIX, FILE_ONLY
from voxgate.configuration.price_tables import PriceTable
from voxgate.configuration.provider_tables import ProviderTable
from voxgate.hardware.memory import format_bytes
from voxgate.ledger.key_tables import KeyTable
from voxgate.prices import NO_PRICES
from voxgate.settings import Settings
from voxgate.upstreams import NO_ENDPOINTS

if TYPE_CHECKING:
    from voxgate.configuration.tables import Table

CLI_PAGE = Path(__file__).parent / "cli.md"
CLI_HEAD = """\
# The command line

Written by `make docs` from the commands themselves. `python -m voxgate` is the same program.
"""

SETTINGS_PAGE = Path(__file__).parent / "settings.md"
SETTINGS_HEAD = """\
# Settings

Written by `make docs` from `voxgate.settings.Settings`.

A setting is read from its environment variable, else from the configuration file
(`engine_idle_s = 600`), else it has its default. An empty text counts as not set. An unknown
name is an error, except the variables that Kubernetes sets beside a service `voxgate`. Names end in
their unit: `_s` is seconds, `_bytes` is bytes.

The file is `voxgate.toml` in `VOXGATE_HOME`, or the one that `VOXGATE_CONFIG` names, which must be
there. It is only read. `voxgate config check` names each of its faults with its line and column;
where one depends on another, as a price on a name that is misspelt, the next run reports it.
`voxgate config show` shows what is in effect and where each value comes from, and
[samples/voxgate.toml](../samples/voxgate.toml) is one to begin with. Values have the types of TOML:
numbers and `true` without quotes, lists as `["public", "nas.lan"]`. Editors complete and check it
by [voxgate.schema.json](voxgate.schema.json), which `voxgate config schema` prints. Settings
stand above the first table. Tables are prices, providers, endpoints and keys,
[below](#prices-in-the-file).

| setting | environment variable | default | what it does |
|---|---|---|---|
"""
PRICES_HEAD = """
## Prices in the file

Each is a table that begins with the line `[[prices]]`: [api.md](api.md#prices-and-budgets) has an
example.

| field | must be there | what it is |
|---|---|---|
"""
PROVIDERS_HEAD = """
## Providers in the file

Each is a table that begins with the line `[[providers]]`: [providers.md](providers.md) has
examples, and what each kind can do.

| field | must be there | what it is |
|---|---|---|
"""
ENDPOINTS_HEAD = """
## Endpoints in the file

Each is a model at a provider, a table that begins with the line `[[endpoints]]`.

| field | must be there | what it is |
|---|---|---|
"""
KEYS_HEAD = """
## Keys in the file

Each is a table that begins with the line `[[keys]]`: [api.md](api.md#keys-in-the-file) has an
example, and says when it takes effect.

| field | must be there | what it is |
|---|---|---|
"""
SCHEMA_FILE = Path(__file__).parent / "voxgate.schema.json"

FIELDS_PAGE = Path(__file__).parent / "fields.md"
FIELDS_HEAD = """\
# The fields of a request

Written by `make docs` from the table by which requests are parsed, `voxgate.api.dialects.fields`.
[api.md](api.md) says more of each.

A *promise* is fulfilled, or the request is a 400 with a sentence that says why. A *hint* never
fails a request: one without effect is named in `warnings`, and with `provider.require_parameters`
it is a promise. A *default* is what happens anyway. *Needs* is what a model must be able to do, as
`GET /models` names it. A field that is not here is a hint without effect.

| field | type | default | documented by | kind | needs | what happens |
|---|---|---|---|---|---|---|
"""

CHAT_HEAD = """
## `/chat/completions`

A field that is not here is a hint without effect.

| field | default | documented by | kind | needs | what happens |
|---|---|---|---|---|---|
"""

OTHER_HEAD = """
## `{}`, as {} has it

| field | kind | needs | what happens |
|---|---|---|---|
"""

MACHINE_DEFAULTS = {
    "home": "the user's data folder, `~/.local/share/voxgate` on Linux",
    "spool_dir": "the system's temporary folder",
}
UNLIMITED = 2**63 - 1


def cli_page() -> str:
    """Return the page on the command line: `voxgate`, then its commands in the order of help."""
    root = typer.main.get_command(app)
    top = typer.Context(root, info_name="voxgate", terminal_width=80, **root.context_settings)
    return CLI_HEAD + "".join(map(_command_section, _with_subcommands(top)))


def settings_page() -> str:
    """Return the page on the settings and the tables, in the order of their fields."""
    defaults = Settings()
    rows = (
        f"| `{name}` | {_variable(name)} "
        f"| {_format_default(name, getattr(defaults, name))} | {text} |\n"
        for name, text in setting_descriptions().items()
    )
    return "".join(
        [
            SETTINGS_HEAD,
            *rows,
            PRICES_HEAD,
            _field_rows(PriceTable),
            PROVIDERS_HEAD,
            _field_rows(ProviderTable),
            ENDPOINTS_HEAD,
            _field_rows(EndpointTable),
            KEYS_HEAD,
            _field_rows(KeyTable),
        ]
    )


def _variable(name: str) -> str:
    return "none" if name in FILE_ONLY else f"`{ENVIRONMENT_PREFIX}{name.upper()}`"


def fields_page() -> str:
    """Return the page on the fields of a request, in the order of their table."""
    rows = (
        f"| `{field.name}` | {field.type} | {field.default} "
        f"| {', '.join(field.dialects)} | {field.kind} "
        f"| {f'`{field.needs}`' if field.needs else ''} | {field.effect} |\n"
        for field in FIELDS
    )
    chat = CHAT_HEAD + "".join(
        f"| `{field.name}` | {field.default} | {', '.join(field.dialects)} | {field.kind} "
        f"| {f'`{field.needs}`' if field.needs else ''} | {field.effect} |\n"
        for field in CHAT_FIELDS
    )
    asr = OTHER_HEAD.format("/asr", "whisper-asr-webservice") + _server_rows(ASR_WEBSERVICE)
    cpp = OTHER_HEAD.format("/inference", "whisper.cpp's server") + _server_rows(WHISPER_CPP)
    return FIELDS_HEAD + "".join(rows) + chat + asr + cpp


def schema_file() -> str:
    """Return the JSON schema of the configuration."""
    return json.dumps(configuration_schema(), ensure_ascii=False, indent=2) + "\n"


def _field_rows(table: type[Table]) -> str:
    return "".join(
        f"| `{name}` | {'yes' if field.is_required() else ''} | {field.description} |\n"
        for name, field in table.model_fields.items()
    )


def _server_rows(fields: tuple[Field, ...]) -> str:
    """Return the rows of a path of another server."""
    return "".join(
        f"| `{field.name}` | {field.kind} | {f'`{field.needs}`' if field.needs else ''} "
        f"| {field.effect} |\n"
        for field in fields
    )


def _with_subcommands(context: typer.Context) -> list[typer.Context]:
    """Return a command, then the commands below it if it is a group."""
    commands = getattr(context.command, "commands", {}).items()
    below = [typer.Context(command, info_name=name, parent=context) for name, command in commands]
    return [context, *(each for group in below for each in _with_subcommands(group))]


def _command_section(context: typer.Context) -> str:
    return f"\n## {context.command_path}\n\n```text\n{context.get_help()}\n```\n"


WORDS: tuple[tuple[tuple[object, ...], str], ...] = (
    ((UNLIMITED,), "no limit"),
    (((), "", NO_PRICES, NO_ENDPOINTS), "none"),
)


def _format_default(name: str, value: object) -> str:
    if name in MACHINE_DEFAULTS:
        return MACHINE_DEFAULTS[name]
    for defaults, text in WORDS:
        if value in defaults:
            return text
    if isinstance(value, bool):
        return f"`{value:d}`"
    if isinstance(value, float):
        return f"`{value:g}`"
    if isinstance(value, int) and name.endswith("_bytes"):
        return f"`{value}` ({format_bytes(value)})"
    return f"`{value}`"


if __name__ == "__main__":
    CLI_PAGE.write_text(cli_page(), encoding="utf-8")
    SETTINGS_PAGE.write_text(settings_page(), encoding="utf-8")
    FIELDS_PAGE.write_text(fields_page(), encoding="utf-8")
    SCHEMA_FILE.write_text(schema_file(), encoding="utf-8")
