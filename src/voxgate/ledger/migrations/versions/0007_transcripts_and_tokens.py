"""Add transcripts that are kept, days and labels of keys, and tokens of streams."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"


def upgrade() -> None:
    """Add what an older server, which goes on running, need not know.

    The generations that it deletes take their transcripts with them.
    """
    op.add_column("keys", sa.Column("keep_transcripts_days", sa.Integer))
    op.add_column("keys", sa.Column("labels", sa.JSON))
    op.add_column(
        "generations",
        sa.Column("delivered_tokens", sa.BigInteger, nullable=False, server_default="0"),
    )
    op.create_table(
        "transcripts",
        sa.Column("generation", sa.String(256), nullable=False),
        sa.Column("key_hash", sa.String(64), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("sealed", sa.LargeBinary),
        sa.PrimaryKeyConstraint("generation", name="transcripts_pkey"),
        sa.ForeignKeyConstraint(
            ["generation"],
            ["generations.id"],
            name="transcripts_generation_fkey",
            ondelete="CASCADE",
        ),
        sa.ForeignKeyConstraint(["key_hash"], ["keys.hash"], name="transcripts_key_hash_fkey"),
    )
    op.create_index("transcripts_key_hash_index", "transcripts", ["key_hash"])
    op.create_index(
        "transcripts_kept_index",
        "transcripts",
        ["expires_at"],
        sqlite_where=sa.text("sealed IS NOT NULL"),
        postgresql_where=sa.text("sealed IS NOT NULL"),
    )
