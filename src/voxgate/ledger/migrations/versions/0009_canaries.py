"""Add what endpoints made of canaries."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"


def upgrade() -> None:
    """Create the table, of which an older server need not know."""
    op.create_table(
        "canaries",
        sa.Column("endpoint", sa.String(256), nullable=False),
        sa.Column("measured_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("revision", sa.String(256)),
        sa.Column("profile", sa.String(256)),
        sa.Column("digest", sa.String(64), nullable=False),
        sa.Column("recordings", sa.Integer(), nullable=False),
        sa.Column("failed", sa.Integer(), nullable=False),
        sa.Column("spoken", sa.Integer(), nullable=False),
        sa.Column("without_text", sa.Integer(), nullable=False),
        sa.Column("errors", sa.Integer(), nullable=False),
        sa.Column("reference", sa.Integer(), nullable=False),
        sa.Column("audio_seconds", sa.Double(), nullable=False),
        sa.Column("processing_seconds", sa.Double(), nullable=False),
        sa.Column("cost_nanodollars", sa.BigInteger()),
        sa.PrimaryKeyConstraint("endpoint", "measured_at", name="canaries_pkey"),
    )
