"""`voxgate keys`: create, list and revoke the keys of the server."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from voxgate.cli import signals, tables
from voxgate.cli.group import CommandGroup
from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, standard_output, write_output

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime

    from voxgate.ledger.key import Key
    from voxgate.ledger.ledger import Ledger

KEY_HEADINGS = ("name", "label", "created", "last used", "state")

keys_app = typer.Typer(name="keys", cls=CommandGroup, no_args_is_help=True, rich_markup_mode=None)


@keys_app.callback()
def keys_command() -> None:
    """Create, list and revoke the keys of the server.

    They are stored in the ledger, in VOXGATE_HOME. A running server applies every change at once.
    """


@keys_app.command()
def create(
    name: Annotated[str, typer.Option(help="Who will use it: 1 to 100 characters.")],
) -> None:
    """Create a key, and write it to standard output.

    It is shown only now: only its hash is stored.
    """
    standard_output()  # raises if it is closed, before a key is created that nobody would see
    signals.run_until_signal(_create(name))


@keys_app.command("list")
def list_keys(
    as_json: Annotated[bool, typer.Option("--json", help="Write JSON.")] = False,
) -> None:
    """List the keys, the oldest first.

    A table on a terminal; elsewhere the same columns, divided by tabs. Times are UTC. The
    last use is recorded once a minute: a key in use shows a time of up to a minute ago.
    """
    keys = signals.run_until_signal(_list_all())
    if as_json:
        write_output(json.dumps([_facts(key) for key in keys], ensure_ascii=False, indent=2) + "\n")
        return
    tables.print_table(KEY_HEADINGS, [_row(key) for key in keys])
    if not keys:
        print_message("there is no key yet: `voxgate keys create --name NAME` creates one.")


@keys_app.command()
def revoke(
    what: Annotated[
        str,
        typer.Argument(
            metavar="WHAT",
            help="Its name, its label, its hash or the hash's first 6 digits, or the key itself.",
        ),
    ],
) -> None:
    """Revoke a key. It stops working at once and permanently."""
    key = signals.run_until_signal(_revoke(what))
    print_message(f"revoked the key '{key.name}' ({key.label}).")


async def _create(name: str) -> None:
    async with await _open_ledger() as ledger:
        key, secret = await ledger.keys.create(name)
        try:
            write_output(f"{secret}\n")
        except BaseException:  # nobody received it, so nobody must be able to use it
            await ledger.keys.revoke(key.hash)
            raise
    print_message(f"created the key '{name}'. It is shown only now: only its hash is stored.")


async def _list_all() -> Sequence[Key]:
    async with await _open_ledger() as ledger:
        return await ledger.keys.all()


async def _revoke(what: str) -> Key:
    async with await _open_ledger() as ledger:
        return await ledger.keys.revoke(what)


async def _open_ledger() -> Ledger:
    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger

    return await Ledger.open(Address.of(apply_settings()))


def _facts(key: Key) -> dict[str, str | None]:
    return {
        "name": key.name,
        "label": key.label,
        "hash": key.hash,
        "created_at": _format_time(key.created_at),
        "last_used_at": _format_time(key.last_used_at),
        "revoked_at": _format_time(key.revoked_at),
    }


def _row(key: Key) -> tuple[str, ...]:
    return (
        key.name,
        key.label,
        _format_time(key.created_at) or "",
        _format_time(key.last_used_at) or "never",
        "revoked" if key.revoked_at else "valid",
    )


def _format_time(moment: datetime | None) -> str | None:
    return f"{moment:%Y-%m-%dT%H:%M:%SZ}" if moment else None
