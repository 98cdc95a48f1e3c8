"""`KeyReconciliation`: the keys of a file are applied to the ledger.

The file owns the keys that it lists: the ledger names it as their creator, nothing else changes
them, and one that it lists no more is revoked, except where it has no `keys` at all: it may be half
written. What keys have spent stays. A key that somebody revoked by name stays revoked, whatever the
file says.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, cast

from sqlalchemy import insert, text, update

from voxgate.errors import UsageError
from voxgate.ledger.budgets import set_limits
from voxgate.ledger.columns import utc_now
from voxgate.ledger.key import Limits
from voxgate.ledger.keys import select_keys
from voxgate.ledger.schema import keys_table
from voxgate.ledger.transcripts import shorten_transcripts

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.key import Key
    from voxgate.ledger.key_tables import KeyList, ListedKey

_LOCK = text("LOCK TABLE keys IN SHARE ROW EXCLUSIVE MODE")


@dataclass(slots=True)
class AppliedKeys:
    """What a file has changed in the ledger: the names of keys."""

    added: list[str] = field(default_factory=list)
    changed: list[str] = field(default_factory=list)
    revoked: list[str] = field(default_factory=list)
    go_on: list[str] = field(default_factory=list)
    """Keys that the file listed, and that work because it has no `keys` at all now."""

    stay_revoked: list[ListedKey] = field(default_factory=list)
    """Keys in the file that somebody revoked by name, so that they do not work."""


class KeyReconciliation:
    """Makes the keys of a ledger those that a file lists."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def apply(self, listed: KeyList) -> AppliedKeys:
        """Make the ledger's keys those of a file. Without a file, change nothing.

        Where nothing differs, nothing is written. Several servers may do so at once. Raises
        `UsageError` for a name that a valid key has which the file does not list, and
        `SettingsError` for a file that could not be read.
        """
        if listed.file.faults:  # what cannot be read lists nothing, which would revoke all
            raise listed.file.faults[0]
        if not listed.file.exists:
            return AppliedKeys()
        return await self._database.write(lambda connection: _apply(connection, listed))


def _apply(connection: Connection, listed: KeyList) -> AppliedKeys:
    if connection.dialect.name == "postgresql":  # SQLite has one writer at a time
        connection.execute(_LOCK)
    known = {key.hash: key for key in select_keys(connection)}
    applied = AppliedKeys()
    _revoke_absent(connection, listed, known, applied)
    applied.stay_revoked += [
        each for each in listed.keys if _is_revoked_by_name(known.get(each.table.hash))
    ]
    wanted = [each for each in listed.keys if each not in applied.stay_revoked]
    _check_names(wanted, listed, known)
    renamed = [
        each.table.hash
        for each in wanted
        if each.table.hash in known and known[each.table.hash].name != each.table.name
    ]
    _revoke(connection, renamed)  # for a moment: two keys may exchange their names
    limits = {
        each.table.hash: changed
        for each in wanted
        if (changed := _store(connection, each, known.get(each.table.hash), listed.mark, applied))
    }
    for key_hash, changed in sorted(limits.items()):  # budgets are locked in this order everywhere
        set_limits(connection, key_hash, **changed)
    return applied


def _revoke_absent(
    connection: Connection, listed: KeyList, known: dict[str, Key], applied: AppliedKeys
) -> None:
    hashes = {each.table.hash for each in listed.keys}
    absent = [
        key
        for key in known.values()
        if key.creator == listed.mark and not key.revoked_at and key.hash not in hashes
    ]
    if "keys" not in listed.file.table:
        applied.go_on += [key.name for key in absent]
        return
    _revoke(connection, [key.hash for key in absent])
    applied.revoked += [key.name for key in absent]


def _revoke(connection: Connection, hashes: list[str]) -> None:
    if hashes:
        connection.execute(
            update(keys_table).where(keys_table.c.hash.in_(hashes)).values(revoked_at=utc_now())
        )


def _check_names(wanted: list[ListedKey], listed: KeyList, known: dict[str, Key]) -> None:
    """Raise `UsageError` for a name of a valid key that is not of this file."""
    hashes = {each.table.hash for each in listed.keys}
    others = {
        key.name: key
        for key in known.values()
        if not key.revoked_at and key.creator != listed.mark and key.hash not in hashes
    }
    for each in wanted:
        if other := others.get(each.table.name):
            raise UsageError(
                f"{each.place}: the ledger has another key '{other.name}' ({other.label}), which "
                f"is not of this file. Rename this one, or revoke the other: `voxgate keys revoke "
                f"{other.hash[:12]}`."
            )


def _is_revoked_by_name(key: Key | None) -> bool:
    """Return whether somebody revoked a key, and not a file that listed it no more."""
    return key is not None and key.revoked_at is not None and key.file is None


def _store(
    connection: Connection, each: ListedKey, key: Key | None, mark: str, applied: AppliedKeys
) -> Limits | None:
    """Insert a key, or write what differs from it. Return the limits that are to be set."""
    table, now = each.table, utc_now()
    row: dict[str, Any] = {**table.columns, "creator": mark}
    if key is None:
        label = table.label or f"hash {table.hash[:12]}"
        row |= {"hash": table.hash, "label": label, "created_at": now}
        connection.execute(insert(keys_table), row)
        applied.added.append(table.name)
        return table.limits
    row |= {"revoked_at": None, "label": table.label or key.label}
    changes = {name: value for name, value in row.items() if getattr(key, name) != value}
    limits = _changed_limits(table.limits, key)
    if not changes and not limits:
        return None
    connection.execute(
        update(keys_table)
        .where(keys_table.c.hash == key.hash)
        .values({**changes, "revoked_at": None, "updated_at": now})
    )
    if "keep_transcripts_days" in changes and table.keep_transcripts_days:
        shorten_transcripts(connection, key.hash, table.keep_transcripts_days)
    applied.changed.append(table.name)
    return limits


def _changed_limits(wanted: Limits, key: Key) -> Limits:
    budget = key.budget
    old = {name: getattr(budget, name) if budget else None for name in Limits.__annotations__}
    return cast("Limits", {name: value for name, value in wanted.items() if old[name] != value})
