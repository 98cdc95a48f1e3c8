"""Add to the generations whether their text was streamed."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"


def upgrade() -> None:
    """Add the column. Older generations were not streamed."""
    column = sa.Column("streamed", sa.Boolean, nullable=False, server_default=sa.false())
    op.add_column("generations", column)
