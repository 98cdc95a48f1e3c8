"""`voxgate keys`: create, list, show, edit and revoke the keys of the server."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, cast

import typer

from voxgate.cli import key_operations, signals, tables
from voxgate.cli.group import CommandGroup
from voxgate.cli.key_options import (
    ExpiresOption,
    KeepOption,
    LabelsOption,
    LimitMinutesOption,
    LimitOption,
    ModelsOption,
    RateOption,
    RecordingsOption,
    ResetOption,
    key_fields,
)
from voxgate.cli.settings import apply_settings_and_keys
from voxgate.cli.streams import print_message, standard_output, write_json, write_output
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from voxgate.ledger.key import KeyChanges, NewKeyFields

What = Annotated[
    str,
    typer.Argument(
        metavar="WHAT",
        help="Its name, its label, its hash or the hash's first 6 digits, or the key itself.",
    ),
]
JsonOption = Annotated[bool, typer.Option("--json", help="Write JSON.")]

keys_app = typer.Typer(name="keys", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None)


@keys_app.callback()
def keys_command() -> None:
    """Create, list, show, edit and revoke the keys of the server.

    They are stored in the ledger, in VOXGATE_HOME or at VOXGATE_DATABASE_URL. A running server
    applies every change at once.
    """


@keys_app.command()
def create(  # noqa: PLR0917 (typer calls it, by names)
    name: Annotated[str, typer.Option(help="Who will use it: 1 to 100 characters.")],
    limit: LimitOption = None,
    limit_minutes: LimitMinutesOption = None,
    reset: ResetOption = None,
    expires: ExpiresOption = None,
    models: ModelsOption = None,
    rate: RateOption = None,
    recordings: RecordingsOption = None,
    keep_transcripts: KeepOption = None,
    label: LabelsOption = None,
    management: Annotated[
        bool,
        typer.Option("--management", help="It manages keys by the API, and does not transcribe."),
    ] = False,
    creator: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Who made it, for your own records.")
    ] = None,
    external_user: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Whom it is for, at your own service.")
    ] = None,
    for_file: Annotated[
        bool,
        typer.Option(
            "--config", help="Store nothing: write the key's table for voxgate.toml instead."
        ),
    ] = False,
) -> None:
    """Create a key, and write it to standard output.

    It is shown only now: only its hash is stored. Without options it has no limits.

    With --config, the table for voxgate.toml is written to standard output, and the key to standard
    error. It works once the table is in the file and the server is started, or `voxgate keys apply`
    is called.
    """
    standard_output()  # raises if it is closed, before a key is created that nobody would see
    fields: NewKeyFields = {
        **key_fields(
            limit=limit,
            limit_minutes=limit_minutes,
            reset=reset,
            expires=expires,
            models=models,
            rate=rate,
            recordings=recordings,
            keep_transcripts=keep_transcripts,
            labels=label,
        ),
        "management": management,
        "creator": creator,
        "external_user": external_user,
    }
    if for_file:
        _write_table(name, fields)
        return
    signals.run_until_signal(key_operations.create(name, fields))


@keys_app.command("list")
def list_keys(
    label: Annotated[
        str | None, typer.Option(metavar="TEXT", help="Only those with this label.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """List the keys, the oldest first, with what they have used and what is left of their limits.

    A table on a terminal; elsewhere the same columns, divided by tabs. Times are UTC. The
    last use is recorded once a minute: a key in use shows a time of up to a minute ago.
    """
    every = signals.run_until_signal(key_operations.list_all())
    keys = [each for each in every if label is None or label in each[0].labels]
    from voxgate.cli import key_facts

    if as_json:
        write_json([key_facts.facts(*each) for each in keys])
        return
    tables.print_table(key_facts.HEADINGS, [key_facts.row(*each) for each in keys])
    from voxgate.cli.listed_keys import print_waiting

    if not keys and label is not None:
        print_message(f"no key has the label '{label}': `voxgate usage --by label` lists them.")
    elif not (print_waiting({key.hash for key, _ in every}) or keys):
        print_message("there is no key yet: `voxgate keys create --name NAME` creates one.")


@keys_app.command()
def show(what: What, as_json: JsonOption = False) -> None:
    """Show a key: its limits, what is left of them, and what it has used. Times are UTC."""
    key, usage = signals.run_until_signal(key_operations.find(what))
    from voxgate.cli import key_facts

    if as_json:
        write_json(key_facts.facts(key, usage))
        return
    tables.print_table(("of the key", "value"), key_facts.lines(key, usage))


@keys_app.command()
def edit(  # noqa: PLR0917 (as above)
    what: What,
    name: Annotated[str | None, typer.Option(help="Another name.")] = None,
    limit: LimitOption = None,
    limit_minutes: LimitMinutesOption = None,
    reset: ResetOption = None,
    expires: ExpiresOption = None,
    models: ModelsOption = None,
    rate: RateOption = None,
    recordings: RecordingsOption = None,
    keep_transcripts: KeepOption = None,
    label: LabelsOption = None,
    disable: Annotated[
        bool | None, typer.Option("--disable/--enable", help="Stop it, or let it go on.")
    ] = None,
) -> None:
    """Change what is given of a key, and nothing else; 'none' removes a limit.

    What it has spent of a limit stays spent when the limit is changed. With fewer days, transcripts
    that are kept already stay no longer than that from now on; with 'none' nobody gets them.
    """
    fields = key_fields(
        limit=limit,
        limit_minutes=limit_minutes,
        reset=reset,
        expires=expires,
        models=models,
        rate=rate,
        recordings=recordings,
        keep_transcripts=keep_transcripts,
        labels=label,
    )
    if disable is not None:
        fields["disabled"] = disable
    renamed = {} if name is None else {"name": name}
    changes = cast("KeyChanges", {**fields, **renamed})
    if not changes:
        raise UsageError(
            "No option says what should change. `voxgate keys edit --help` lists them."
        )
    key = signals.run_until_signal(key_operations.edit(what, changes))
    print_message(f"changed the key '{key.name}' ({key.label}).")


@keys_app.command()
def revoke(what: What) -> None:
    """Revoke a key. It stops working at once and permanently; what it used stays counted."""
    key = signals.run_until_signal(key_operations.revoke(what))
    print_message(f"revoked the key '{key.name}' ({key.label}).")


@keys_app.command()
def apply() -> None:
    """Apply the keys in voxgate.toml to the ledger, as `voxgate serve` does when it starts.

    A running server takes the changes at once. A key that the file lists no more is revoked.
    """
    settings, keys = apply_settings_and_keys()
    if not keys.file.exists:
        raise UsageError(
            f"{keys.file.path} is not there, so it lists no keys. Create it, or name a file by "
            f"VOXGATE_CONFIG."
        )
    from voxgate.cli.listed_keys import apply_keys

    if not signals.run_until_signal(apply_keys(settings, keys)):
        print_message(f"keys of {keys.file.path}: nothing to change.")


def _write_table(name: str, fields: NewKeyFields) -> None:
    """Make a key that is stored nowhere, and write its table and the key itself."""
    from voxgate.cli.listed_keys import new_table

    if fields.get("creator"):
        raise UsageError("The creator of a key in a file is the file. Leave out --creator.")
    secret, table = new_table(name, fields)
    write_output(f"\n{table}")  # may be appended to a file whose last line has no end
    print_message(f"the key '{name}', shown only now: {secret}")
