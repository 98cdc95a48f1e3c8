"""`Transcripts`: the encrypted texts of generations whose keys keep them, for so many days.

A text is stored in the transaction that ends its generation. When its time is over it is removed,
and its row says so until the generation is deleted. Nobody gets those of a key that was revoked or
keeps none any more: a sweep removes them, in small batches.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import and_, delete, insert, not_, or_, select, update

from voxgate.ledger.columns import utc_now
from voxgate.ledger.key import FILE_MARK
from voxgate.ledger.schema import keys_table, transcripts_table

if TYPE_CHECKING:
    from collections.abc import Iterable
    from datetime import datetime

    from sqlalchemy import Connection, Select

    from voxgate.ledger.database import Database
    from voxgate.ledger.generation import Generation

GRACE = timedelta(days=1)
"""How long the transcripts of a key stay that a file lists no more: it may be half written."""

_c, _keys = transcripts_table.c, keys_table.c
_KEEPS = and_(_keys.revoked_at.is_(None), _keys.keep_transcripts_days.is_not(None))


@dataclass(frozen=True, slots=True)
class KeptTranscript:
    """The text of one generation. `expires_at` is UTC."""

    expires_at: datetime
    sealed: bytes | None
    """As `TranscriptCipher.seal` gives it; None: it is no longer kept."""


class Transcripts:
    """The transcripts in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, generation: str, key_hash: str) -> KeptTranscript | None:
        """Return that of a generation of this key; None where it was never kept.

        An expired one has no text any more, whether it has been removed or not.
        """
        query = (
            select(transcripts_table)
            .join(keys_table, keys_table.c.hash == _c.key_hash)
            .where(_c.generation == generation, _c.key_hash == key_hash, _KEEPS)
        )
        row = await self._database.read(
            lambda connection: connection.execute(query).mappings().one_or_none()
        )
        # The query clips a long id, and the clipped id may be that of another generation.
        if row is None or row["generation"] != generation:
            return None
        expires_at: datetime = row["expires_at"]
        return KeptTranscript(expires_at, row["sealed"] if expires_at > utc_now() else None)

    async def remove_expired(self, most: int) -> int:
        """Remove texts whose time is over, and rows of keys that keep none, `most` at most of each.

        A key that a file lists no more has a day in which the file may list it again. Return how
        many rows were changed.
        """
        now = utc_now()
        expired = select(_c.generation).where(_c.sealed.is_not(None), _c.expires_at <= now)
        remove = update(transcripts_table).where(_c.generation.in_(_batch(expired, most)))
        by_name = or_(_keys.creator.is_(None), not_(_keys.creator.startswith(FILE_MARK)))
        keeps_none = or_(
            _keys.keep_transcripts_days.is_(None),
            and_(_keys.revoked_at.is_not(None), by_name),
            _keys.revoked_at < now - GRACE,
        )
        those = select(_c.generation).join(keys_table, _keys.hash == _c.key_hash).where(keeps_none)
        forget = delete(transcripts_table).where(_c.generation.in_(_batch(those, most)))

        def remove_both(connection: Connection) -> int:
            removed = connection.execute(remove.values(sealed=None)).rowcount
            return removed + connection.execute(forget).rowcount

        return await self._database.write(remove_both)


def _batch(rows: Select[tuple[str]], most: int) -> Select[tuple[str]]:
    """Return `most` rows at most, in everybody's order. PostgreSQL skips those that are locked."""
    return (
        rows.order_by(_c.generation)
        .limit(most)
        .with_for_update(of=transcripts_table, skip_locked=True)
    )


def keep_transcripts(
    connection: Connection, endings: Iterable[tuple[Generation, bytes | None]]
) -> None:
    """Store the texts of generations that end, in the caller's transaction.

    Nothing is stored where there is no text, or where its key keeps none any more.
    """
    texts = [(generation, sealed) for generation, sealed in endings if sealed is not None]
    if not texts:
        return
    hashes = {generation.key_hash for generation, _ in texts}
    query = select(_keys.hash, _keys.keep_transcripts_days).where(_keys.hash.in_(hashes), _KEEPS)
    days = {
        row.hash: timedelta(days=row.keep_transcripts_days) for row in connection.execute(query)
    }
    rows = [
        {
            "generation": generation.id,
            "key_hash": generation.key_hash,
            "expires_at": generation.finished_at + days[generation.key_hash],
            "sealed": sealed,
        }
        for generation, sealed in texts
        if generation.key_hash in days and generation.finished_at is not None
    ]
    if rows:
        connection.execute(insert(transcripts_table), rows)


def shorten_transcripts(connection: Connection, key_hash: str, days: int) -> None:
    """Keep those of a key for so many days from now at most, in the caller's transaction."""
    latest = utc_now() + timedelta(days=days)
    connection.execute(
        update(transcripts_table)
        .where(_c.key_hash == key_hash, _c.expires_at > latest)
        .values(expires_at=latest)
    )
