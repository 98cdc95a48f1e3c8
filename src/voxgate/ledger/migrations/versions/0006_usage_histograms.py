"""Add histograms of latencies and real-time factors, for percentiles of any days."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0006"
down_revision = "0005"


def upgrade() -> None:
    """Add a table that an older server, which goes on running, need not know."""
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
