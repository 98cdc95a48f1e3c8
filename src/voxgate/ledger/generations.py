"""`Generations`: every request for a transcription, with its key, its outcome and its cost.

A generation contains neither the speech, nor its text, nor the name of the file.
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
    """One attempt of a provider."""

    provider: str
    status: int
    """The HTTP status that a response with this outcome has."""

    latency_ms: int
    error: str | None = None
    """The code of the error; None for a success."""


@dataclass(frozen=True, slots=True)
class Generation:
    """One request for a transcription. Times are UTC. Text that is too long is clipped."""

    id: str
    key_hash: str | None
    """The hash of the request's key; None where the server required no keys."""

    model: str
    provider: str | None = None
    created_at: datetime = field(default_factory=utc_now)
    finished_at: datetime | None = None
    status: int | None = None
    """The HTTP status; None until the generation finishes, and if the server is killed before."""

    error_code: str | None = None
    error_message: str | None = None
    audio_seconds: float | None = None
    """The length of the decoded sound."""

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
    """The revision of the model's checkpoint; None where it has none."""

    profile: str | None = None
    """The profile of the engine, such as `balanced`."""

    streamed: bool = False
    """Whether the first of its callers read it while it was made."""


class Generations:
    """The generations in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def begin(self, generation: Generation) -> None:
        """Insert a generation.

        Raises `LedgerError` unless its id is new and its key is in this ledger.
        """
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
        """Store the outcome of a generation, once. Without `provider`, its provider is kept.

        Raises `VoxgateError` (`not_found`) unless an unfinished generation has this id.
        """
        outcome: dict[str, object] = {
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
            outcome["provider"] = provider
        statement = (
            update(generations_table)
            .values(outcome)
            .where(generations_table.c.id == id, generations_table.c.finished_at.is_(None))
        )

        def update_unfinished(connection: Connection) -> None:
            if not connection.execute(statement).rowcount:
                raise VoxgateError(
                    f"No generation '{id[:NAME_LENGTH]}' is in progress.", code="not_found"
                )

        await self._database.write(update_unfinished)

    async def find(self, id: str, key_hash: str | None) -> Generation | None:  # noqa: A002
        """Return the generation with this id and key, or None. Another key's is not returned."""
        query = select(generations_table).where(
            generations_table.c.id == id,
            generations_table.c.key_hash.is_not_distinct_from(key_hash),
        )

        def select_one(connection: Connection) -> Generation | None:
            row = connection.execute(query).mappings().one_or_none()
            # The query clips a long id, and the clipped id may be that of another generation.
            return _from_row(row) if row is not None and row["id"] == id else None

        return await self._database.read(select_one)


def _from_row(row: Mapping[Any, Any]) -> Generation:
    attempts = tuple(RecordedAttempt(**attempt) for attempt in row["attempts"])
    return Generation(**{**row, "attempts": attempts})
