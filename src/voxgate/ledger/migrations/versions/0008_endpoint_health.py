"""Add the health of endpoints, which outlives a server's process."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op
from sqlalchemy.dialects.postgresql import JSONB

revision = "0008"
down_revision = "0007"


def upgrade() -> None:
    """Create the table, of which an older server need not know."""
    op.create_table(
        "endpoint_health",
        sa.Column("endpoint", sa.String(256), nullable=False),
        sa.Column("saved_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("health", sa.JSON().with_variant(JSONB, "postgresql"), nullable=False),
        sa.PrimaryKeyConstraint("endpoint", name="endpoint_health_pkey"),
    )
