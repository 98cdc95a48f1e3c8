"""The keys in `voxgate.toml`: applied to the ledger, and written as a table to paste there."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

import logging
import os
from decimal import Decimal
from typing import TYPE_CHECKING, Any

from voxgate.cli.streams import print_error, print_message

if TYPE_CHECKING:
    from collections.abc import Collection

    from voxgate.ledger.key import NewKeyFields
    from voxgate.ledger.key_reconciliation import AppliedKeys
    from voxgate.ledger.key_tables import KeyList
    from voxgate.settings import Settings


async def apply_keys(settings: Settings, keys: KeyList) -> bool:
    """Apply the keys in the file to the ledger, and say what that changed. Return whether it did.

    Raises `LedgerError`, and `UsageError` for a name that another key has.
    """
    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger

    if not keys.file.exists:
        return False
    async with await Ledger.open(Address.of(settings)) as ledger:
        applied = await ledger.listed_keys.apply(keys)
    changes = _changes(applied)
    if changes:
        print_message(f"keys of {keys.file.path}: {'; '.join(changes)}.")
    if applied.go_on:
        print_message(
            f"warning: {keys.file.path} has no keys any more. Those that it had go on working: "
            f"{', '.join(applied.go_on)}. Write `keys = []` there to revoke them.",
            logging.WARNING,
        )
    for each in applied.stay_revoked:
        print_message(
            f"warning: {each.place}: the key '{each.table.name}' was revoked by name, and does not "
            f"work any more. Remove its table.",
            logging.WARNING,
        )
    return bool(changes)


def print_waiting(hashes: Collection[str]) -> bool:
    """Say which keys in the file have none of these hashes. Return whether there are any.

    Faults of its keys are printed: a server would not start.
    """
    from voxgate.configuration.file import ConfigFile
    from voxgate.ledger.key_tables import KeyList

    keys, faults = KeyList.read(ConfigFile.find(os.environ))
    for fault in faults:
        print_error(fault)
    waiting = [each.table.name for each in keys.keys if each.table.hash not in hashes]
    if waiting:
        print_message(
            f"{keys.file.path} also lists {', '.join(waiting)}: `voxgate keys apply`, or the next "
            f"start of the server, makes them work."
        )
    return bool(waiting)


def new_table(name: str, fields: NewKeyFields) -> tuple[str, str]:
    """Return a new key, and the table `[[keys]]` of its hash. Nothing is stored.

    Raises `UsageError` as `Keys.create` does.
    """
    from voxgate.cli.config_text import table_toml
    from voxgate.ledger.key import check_fields, check_name, hash_of, label_of, new_secret

    check_name(name)
    limits = (fields.get("limit_nanodollars"), fields.get("limit_samples"))
    check_fields(fields, management=fields.get("management", False), limited=limits != (None, None))
    secret = new_secret()
    pairs = {"name": name, "hash": hash_of(secret), "label": label_of(secret), **_pairs(fields)}
    return secret, table_toml("keys", pairs)


def _pairs(fields: NewKeyFields) -> dict[str, Any]:
    """Return the fields of a key as its table has them."""
    from voxgate.ledger.amounts import SAMPLES_PER_MINUTE, dollars_of

    dollars, samples = fields.get("limit_nanodollars"), fields.get("limit_samples")
    models = fields.get("allowed_models")
    given = {
        "limit": None if dollars is None else dollars_of(dollars),
        "limit_minutes": None if samples is None else Decimal(samples) / SAMPLES_PER_MINUTE,
        "limit_reset": fields.get("reset"),
        "expires_at": fields.get("expires_at"),
        "allowed_models": list(models) if models else None,
        "requests_per_minute": fields.get("requests_per_minute"),
        "max_recordings": fields.get("max_recordings"),
        "keep_transcripts_days": fields.get("keep_transcripts_days"),
        "labels": list(fields.get("labels", ())) or None,
        "management": fields.get("management") or None,
        "external_user": fields.get("external_user"),
    }
    return {name: value for name, value in given.items() if value is not None}


def _changes(applied: AppliedKeys) -> list[str]:
    kinds = {"added": applied.added, "changed": applied.changed, "revoked": applied.revoked}
    return [f"{kind} {', '.join(names)}" for kind, names in kinds.items() if names]
