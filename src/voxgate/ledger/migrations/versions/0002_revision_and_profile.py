"""Add the revision and the profile of the model to the generations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"


def upgrade() -> None:
    """Add two columns. They are null in older generations, where they are not known."""
    op.add_column("generations", sa.Column("revision", sa.String(256)))
    op.add_column("generations", sa.Column("profile", sa.String(256)))
