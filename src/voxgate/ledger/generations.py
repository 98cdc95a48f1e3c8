"""`Generations`: what was asked for, by which key, how it ended and what it cost.

Never what was said, nor the name of a file.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING

from sqlalchemy import insert, select, update

from voxgate.errors import VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import NAME_LENGTH, generations_table

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database


@dataclass(frozen=True, slots=True)
class RecordedAttempt:
    """One provider's try. `status` is what HTTP would say of it; `error` a code, or None."""

    provider: str
    status: int
    latency_ms: int
    error: str | None = None


@dataclass(frozen=True, slots=True)
class Generation:
    """One request for a transcription. Times are UTC. Texts longer than their columns are cut."""

    id: str
    key_hash: str | None
    """Whose it is; None where the server asked for no keys."""

    model: str
    provider: str | None = None
    created_at: datetime = field(default_factory=utc_now)
    finished_at: datetime | None = None
    status: int | None = None
    """Of HTTP; None while it is under way, and for ever when the server was killed then."""

    error_code: str | None = None
    error_message: str | None = None
    audio_seconds: float | None = None
    """Of decoded sound."""

    cost_nanodollars: int = 0
    latency_ms: int | None = None
    generation_time_ms: int | None = None
    cancelled: bool = False
    attempts: tuple[RecordedAttempt, ...] = ()
    user_agent: str | None = None
    http_referer: str | None = None
    app_title: str | None = None
    session_id: str | None = None
    external_user: str | None = None
    revision: str | None = None
    """Of the model's checkpoint, where it has one."""

    profile: str | None = None


class Generations:
    """The generations in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, generation: Generation) -> None:
        """Write it down. Its id must be new, and its key one of this ledger's."""
        await self._database.write(
            lambda connection: connection.execute(insert(generations_table), asdict(generation))
        )

    async def finish(
        self,
        id: str,  # noqa: A002 (the column's name)
        *,
        status: int,
        latency_ms: int,
        generation_time_ms: int | None,
        error_code: str | None = None,
        error_message: str | None = None,
        audio_seconds: float | None = None,
        cost_nanodollars: int = 0,
        cancelled: bool = False,
        provider: str | None = None,
        attempts: Sequence[RecordedAttempt] = (),
    ) -> None:
        """Write down how it ended, once: the first end counts. Without a provider, it keeps its.

        Raises `VoxgateError` (`not_found`) when none of that id is under way.
        """
        ending: dict[str, object] = {
            "finished_at": utc_now(),
            "status": status,
            "latency_ms": latency_ms,
            "generation_time_ms": generation_time_ms,
            "error_code": error_code,
            "error_message": error_message,
            "audio_seconds": audio_seconds,
            "cost_nanodollars": cost_nanodollars,
            "cancelled": cancelled,
            "attempts": [asdict(attempt) for attempt in attempts],
        }
        if provider is not None:
            ending["provider"] = provider
        change = update(generations_table).values(ending)
        under_way = change.where(
            generations_table.c.id == id, generations_table.c.finished_at.is_(None)
        )

        def put(connection: Connection) -> None:
            if not connection.execute(under_way).rowcount:
                raise VoxgateError(
                    f"No generation '{id[:NAME_LENGTH]}' is under way.", code="not_found"
                )

        await self._database.write(put)

    async def find(self, id: str, key_hash: str | None) -> Generation | None:  # noqa: A002
        """The generation of that id, if it is this key's; None also where it is another's."""
        query = select(generations_table).where(
            generations_table.c.id == id,
            generations_table.c.key_hash.is_not_distinct_from(key_hash),
        )

        def got(connection: Connection) -> Generation | None:
            row = connection.execute(query).mappings().one_or_none()
            # What was asked for may have been clipped to another's id.
            return _generation(row) if row is not None and row["id"] == id else None

        return await self._database.read(got)


def _generation(row: Mapping[Any, Any]) -> Generation:
    attempts = tuple(RecordedAttempt(**attempt) for attempt in row["attempts"])
    return Generation(**{**row, "attempts": attempts})
