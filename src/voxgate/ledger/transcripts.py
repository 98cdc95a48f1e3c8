"""`Transcripts`: the encrypted texts of generations whose keys keep them, for so many days.

A text is stored in the transaction that ends its generation. When its time is over it is removed,
and its row says so until the generation is deleted. The rows of a key go with the key.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import timedelta
from typing import TYPE_CHECKING

from sqlalchemy import delete, insert, or_, select, update

from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import keys_table, transcripts_table

if TYPE_CHECKING:
    from datetime import datetime

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.generation import Generation

_c = transcripts_table.c


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
        query = select(transcripts_table).where(
            _c.generation == generation, _c.key_hash == key_hash
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
        """Remove texts whose time is over, `most` at most, and all rows of keys that keep none.

        Such a key has rows where a generation of it ended while it was revoked or changed, or where
        a server of an older version revoked it. Return how many rows were changed.
        """
        expired = select(_c.generation).where(_c.sealed.is_not(None), _c.expires_at <= utc_now())
        remove = update(transcripts_table).where(_c.generation.in_(expired.limit(most)))
        keeps_none = or_(
            keys_table.c.revoked_at.is_not(None), keys_table.c.keep_transcripts_days.is_(None)
        )
        those = select(keys_table.c.hash).where(keeps_none)
        forget = delete(transcripts_table).where(_c.key_hash.in_(those))

        def remove_both(connection: Connection) -> int:
            removed = connection.execute(remove.values(sealed=None)).rowcount
            return removed + connection.execute(forget).rowcount

        return await self._database.write(remove_both)


def keep_transcript(connection: Connection, generation: Generation, sealed: bytes | None) -> None:
    """Store the text of a generation that ends, in the caller's transaction.

    Nothing is stored where there is no text, or where its key keeps none any more.
    """
    if sealed is None or generation.finished_at is None:
        return
    query = select(keys_table.c.keep_transcripts_days).where(
        keys_table.c.hash == generation.key_hash, keys_table.c.revoked_at.is_(None)
    )
    days = connection.scalar(query)
    if days is not None:
        row = {
            "generation": generation.id,
            "key_hash": generation.key_hash,
            "expires_at": generation.finished_at + timedelta(days=days),
            "sealed": sealed,
        }
        connection.execute(insert(transcripts_table), row)


def shorten_transcripts(connection: Connection, key_hash: str, days: int | None) -> None:
    """Keep those of a key for so many days from now at most, in the caller's transaction.

    None forgets all of them.
    """
    if days is None:
        connection.execute(delete(transcripts_table).where(_c.key_hash == key_hash))
        return
    latest = utc_now() + timedelta(days=days)
    connection.execute(
        update(transcripts_table)
        .where(_c.key_hash == key_hash, _c.expires_at > latest)
        .values(expires_at=latest)
    )
