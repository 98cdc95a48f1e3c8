"""`voxgate db`: check, upgrade and back up the ledger."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from pathlib import Path  # noqa: TC003 (typer evaluates it)
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import signals
from voxgate.cli.exit_codes import FAILED
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_output

if TYPE_CHECKING:
    from voxgate.ledger.address import Address

db_app = typer.Typer(name="db", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None)


@db_app.callback()
def db_command() -> None:
    """Check, upgrade and back up the ledger: keys, budgets, generations.

    It is a file in VOXGATE_HOME, or the database that VOXGATE_DATABASE_URL names.
    """


@db_app.command()
def check() -> None:
    """Check that the ledger can be read and is whole. Servers may go on.

    Reads the whole of a file; a PostgreSQL server is asked whether it is there.

    Exits with 0 if nothing is wrong, with 1 otherwise.
    """
    from voxgate.ledger.inspection import inspect_ledger
    from voxgate.ledger.migration import newest_schema

    address = _address()
    found = signals.run_until_signal(inspect_ledger(address))
    newest = newest_schema()
    schema = found.schema or "none: it has no tables"
    if found.schema != newest:
        schema += f"; `voxgate db upgrade`, or the next start of a server, makes it {newest}"
    write_output(f"ledger    {address}\ndatabase  {found.database}\nschema    {schema}\n")
    write_output("".join(f"fault     {fault}\n" for fault in found.faults))
    if found.faults:
        print_message(
            "the ledger is damaged. Stop its servers, keep a copy of the file and of those beside "
            "it, and restore a backup; `sqlite3 FILE .recover` saves what can be read."
        )
        raise typer.Exit(FAILED)
    write_output("Nothing is wrong.\n")


@db_app.command()
def upgrade() -> None:
    """Create the ledger's tables, or bring them to this version's schema.

    Every start of a server does so, too. Servers of an older version may go on, but what they end
    is missing from the sums and budgets that they do not know: restart them soon.
    """
    from voxgate.ledger.migration import migrate

    address = _address()
    done = signals.run_until_signal(migrate(address))
    if done.before == done.after:
        print_message(f"the ledger {address} has schema {done.after} already.")
    elif done.before is None:
        print_message(f"created the ledger {address} with schema {done.after}.")
    else:
        print_message(f"upgraded the ledger {address} from schema {done.before} to {done.after}.")


@db_app.command()
def backup(
    file: Annotated[Path, typer.Argument(metavar="FILE", help="The copy, which must not exist.")],
) -> None:
    """Copy the ledger into a file, as it is now, while servers go on.

    To restore it, stop the servers, delete the ledger and the files beside it that begin with its
    name, and put the copy in its place. For PostgreSQL it says which command makes a backup.
    """
    from voxgate.hardware.memory import format_bytes
    from voxgate.ledger.backup import back_up

    address = _address()
    with signals.unwind_on_signal("no backup was made."):
        size = back_up(address, file)
    print_message(f"copied the ledger {address} to {file} ({format_bytes(size)}).")


def _address() -> Address:
    from voxgate.ledger.address import Address

    return Address.of(apply_settings())
