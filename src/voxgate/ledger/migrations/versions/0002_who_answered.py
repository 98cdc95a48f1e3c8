"""Generations name the revision and the profile of the model that answered."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns; nobody knows them of older generations."""
    op.add_column("generations", sa.Column("revision", sa.String(256)))
    op.add_column("generations", sa.Column("profile", sa.String(256)))
