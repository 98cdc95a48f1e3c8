"""Add limits of keys, budgets, prices of generations with their leases, and usage by day."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"

KEY_COLUMNS = (
    sa.Column("management", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("disabled", sa.Boolean, nullable=False, server_default=sa.false()),
    sa.Column("updated_at", sa.DateTime(timezone=True)),
    sa.Column("expires_at", sa.DateTime(timezone=True)),
    sa.Column("allowed_models", sa.JSON),
    sa.Column("requests_per_minute", sa.Integer),
    sa.Column("max_recordings", sa.Integer),
    sa.Column("creator", sa.String(256)),
    sa.Column("external_user", sa.String(256)),
)
GENERATION_COLUMNS = (
    sa.Column("requested_model", sa.String(256)),
    sa.Column("dialect", sa.String(256)),
    sa.Column("app_categories", sa.String(2048)),
    sa.Column("audio_samples", sa.BigInteger),
    sa.Column("tokens", sa.Integer),
    sa.Column("first_text_ms", sa.Integer),
    sa.Column("price", sa.JSON),
    sa.Column("reserved_nanodollars", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("reserved_samples", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("delivered_samples", sa.BigInteger, nullable=False, server_default="0"),
    sa.Column("lease_until", sa.DateTime(timezone=True)),
)


def upgrade() -> None:
    """Add columns that an older server, which goes on running, need not know."""
    for column in KEY_COLUMNS:
        op.add_column("keys", column)
    for column in GENERATION_COLUMNS:
        op.add_column("generations", column)
    op.create_index(
        "generations_leased_index",
        "generations",
        ["lease_until"],
        sqlite_where=sa.text("lease_until IS NOT NULL"),
        postgresql_where=sa.text("lease_until IS NOT NULL"),
    )
    op.create_table(
        "budgets",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("reset", sa.String(256)),
        sa.Column("limit_nanodollars", sa.BigInteger),
        sa.Column("limit_samples", sa.BigInteger),
        sa.Column("period_start", sa.DateTime(timezone=True)),
        sa.Column("spent_nanodollars", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("spent_samples", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("reserved_nanodollars", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("reserved_samples", sa.BigInteger, nullable=False, server_default="0"),
        sa.PrimaryKeyConstraint("key_hash", name="budgets_pkey"),
        sa.ForeignKeyConstraint(["key_hash"], ["keys.hash"], name="budgets_key_hash_fkey"),
    )
    op.create_table(
        "usage_days",
        sa.Column("day", sa.Date, nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("provider", sa.String(256), nullable=False),
        sa.Column("app", sa.String(256), nullable=False),
        sa.Column("requests", sa.BigInteger, nullable=False),
        sa.Column("failures", sa.BigInteger, nullable=False),
        sa.Column("audio_samples", sa.BigInteger, nullable=False),
        sa.Column("tokens", sa.BigInteger, nullable=False),
        sa.Column("nanodollars", sa.BigInteger, nullable=False),
        sa.Column("latency_ms", sa.BigInteger, nullable=False),
        sa.Column("generation_time_ms", sa.BigInteger, nullable=False),
        sa.PrimaryKeyConstraint(
            "day", "key_hash", "model", "provider", "app", name="usage_days_pkey"
        ),
    )
    op.create_index("usage_days_key_hash_day_index", "usage_days", ["key_hash", "day"])
