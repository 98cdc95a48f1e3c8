"""Add sums by the hour, of models and of attempts at endpoints, and what apps say of themselves."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"


def upgrade() -> None:
    """Create the tables, of which an older server need not know: it adds nothing to them."""
    op.create_table(
        "usage_hours",
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        *(
            sa.Column(name, sa.BigInteger(), nullable=False)
            for name in (
                *("requests", "failures", "audio_samples", "tokens", "nanodollars"),
                *("answered", "saved", "unavailable"),
            )
        ),
        sa.PrimaryKeyConstraint("model", "hour", "key_hash", name="usage_hours_pkey"),
    )
    op.create_index("usage_hours_hour_index", "usage_hours", ["hour"])
    op.create_table(
        "endpoint_hours",
        sa.Column("endpoint", sa.String(256), nullable=False),
        sa.Column("hour", sa.DateTime(timezone=True), nullable=False),
        sa.Column("succeeded", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", "hour", name="endpoint_hours_pkey"),
    )
    op.create_table(
        "apps",
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("app", sa.String(256), nullable=False),
        sa.Column("address", sa.String(2048)),
        sa.Column("categories", sa.String(2048)),
        sa.PrimaryKeyConstraint("key_hash", "app", name="apps_pkey"),
    )
