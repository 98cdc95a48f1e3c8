"""Add histograms of latencies and real-time factors, and the sums of older generations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


SUM_GENERATIONS = """
    INSERT INTO usage_days (day, key_hash, model, provider, app, requests, failures, audio_samples,
        tokens, nanodollars, latency_ms, generation_time_ms)
    SELECT {day}, coalesce(key_hash, ''), model, coalesce(provider, ''),
        coalesce(nullif(app_title, ''), substr(http_referer, 1, 256), ''),
        count(*), sum(CASE WHEN status >= 400 THEN 1 ELSE 0 END),
        coalesce(sum(CAST(round(audio_seconds * 16000) AS BIGINT)), 0), coalesce(sum(tokens), 0),
        sum(cost_nanodollars), coalesce(sum(latency_ms), 0), coalesce(sum(generation_time_ms), 0)
    FROM generations
    WHERE finished_at IS NOT NULL AND NOT EXISTS (SELECT 1 FROM usage_days)
    GROUP BY 1, 2, 3, 4, 5
"""
"""For a ledger that comes from before the sums: since 0005 each generation is added as it ends."""

DAYS = {"sqlite": "date(finished_at)", "postgresql": "CAST(finished_at AT TIME ZONE 'UTC' AS DATE)"}


def upgrade() -> None:
    """Add a table that an older server, which goes on running, need not know."""
    connection = op.get_bind()
    connection.exec_driver_sql(SUM_GENERATIONS.format(day=DAYS[connection.dialect.name]))
    op.create_table(
        "usage_histograms",
        sa.Column("scope", sa.String(16), nullable=False),
        sa.Column("start", sa.Date, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("app", sa.String(256), nullable=False),
        sa.Column("counts", sa.JSON().with_variant(JSONB, "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint(
            *("scope", "start", "key_hash", "model", "provider", "app"),
            name="usage_histograms_pkey",
        ),
    )
    op.create_index(
        "usage_histograms_key_hash_scope_start_index",
        "usage_histograms",
        ["key_hash", "scope", "start"],
    )
