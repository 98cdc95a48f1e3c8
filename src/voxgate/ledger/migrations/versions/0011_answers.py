"""Add what is recorded of answers: their kind, the tokens of their questions, why they ended."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"


def upgrade() -> None:
    """Add the columns, which are null for transcripts and for what older servers record."""
    op.add_column("generations", sa.Column("api_type", sa.String(256)))
    op.add_column("generations", sa.Column("prompt_tokens", sa.Integer()))
    op.add_column("generations", sa.Column("finish_reason", sa.String(256)))
