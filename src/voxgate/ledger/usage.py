"""The sums of finished generations by day, key, model, provider and app.

They are written in the transaction that ends a generation, so that they are exact, and stay when
old generations are deleted.
"""

from __future__ import annotations

from datetime import UTC
from typing import TYPE_CHECKING

from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import usage_days_table
from voxgate.ledger.upsert import upsert

if TYPE_CHECKING:
    from sqlalchemy import Connection

    from voxgate.ledger.generations import Generation

FIRST_FAILURE = 400  # the lowest status of HTTP that is a failure


def add_usage(connection: Connection, generation: Generation) -> None:
    """Add a finished generation to the sums of its day, in the caller's transaction."""
    day = (generation.finished_at or utc_now()).astimezone(UTC).date()
    group = {
        "day": day,
        "key_hash": generation.key_hash or "",
        "model": generation.model,
        "provider": generation.provider or "",
        "app": generation.app_title or generation.http_referer or "",
    }
    sums = {
        "requests": 1,
        "failures": int((generation.status or 0) >= FIRST_FAILURE),
        "audio_samples": generation.audio_samples or 0,
        "tokens": generation.tokens or 0,
        "nanodollars": generation.cost_nanodollars,
        "latency_ms": generation.latency_ms or 0,
        "generation_time_ms": generation.generation_time_ms or 0,
    }
    columns = usage_days_table.c
    changes = {name: columns[name] + value for name, value in sums.items()}
    upsert(connection, usage_days_table, group | sums, changes)
