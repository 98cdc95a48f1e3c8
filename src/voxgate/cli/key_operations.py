"""What `voxgate keys` does in the ledger. Each raises what the method of `Keys` raises."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.cli.settings import apply_settings
from voxgate.cli.streams import print_message, write_output

if TYPE_CHECKING:
    from voxgate.ledger.key import Key, KeyChanges, KeyFields, NewKeyFields
    from voxgate.ledger.key_usage import KeyUsage
    from voxgate.ledger.ledger import Ledger


async def create(name: str, fields: NewKeyFields) -> None:
    """Create a key, and write it to standard output. It is revoked where that fails."""
    async with await _open_ledger(fields) as ledger:
        key, secret = await ledger.keys.create(name, **fields)
        try:
            write_output(f"{secret}\n")
        except BaseException:  # nobody received it, so nobody must be able to use it
            await ledger.keys.revoke(key.hash)
            raise
    print_message(f"created the key '{name}'. It is shown only now: only its hash is stored.")


async def list_all() -> list[tuple[Key, KeyUsage]]:
    """Return every key, the oldest first, with what it has used."""
    from voxgate.ledger.key_usage import KeyUsage

    async with await _open_ledger() as ledger:
        usage = await ledger.keys.usage()
        return [(key, usage.get(key.hash, KeyUsage())) for key in await ledger.keys.all()]


async def find(what: str) -> tuple[Key, KeyUsage]:
    """Return a key with what it has used."""
    from voxgate.ledger.key_usage import KeyUsage

    async with await _open_ledger() as ledger:
        key = await ledger.keys.find(what)
        usage = await ledger.keys.usage([key.hash])
        return key, usage.get(key.hash, KeyUsage())


async def edit(what: str, changes: KeyChanges) -> Key:
    """Change a key, and return it as it is then."""
    async with await _open_ledger(changes) as ledger:
        return await ledger.keys.edit(what, **changes)


async def revoke(what: str) -> Key:
    """Revoke a key, and return it."""
    async with await _open_ledger() as ledger:
        return await ledger.keys.revoke(what)


async def _open_ledger(fields: KeyFields | None = None) -> Ledger:
    """Open the ledger, where these fields of a key can be stored. Raises `UsageError` else."""
    from voxgate.ledger.address import Address
    from voxgate.ledger.ledger import Ledger
    from voxgate.ledger.transcript_cipher import check_secret

    settings = apply_settings()
    check_secret((fields or {}).get("keep_transcripts_days"), settings.transcript_key)
    return await Ledger.open(Address.of(settings))
