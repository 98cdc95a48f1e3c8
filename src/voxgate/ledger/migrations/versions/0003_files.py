"""Add the files that callers keep on the server."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"


def upgrade() -> None:
    """Create the table and its indexes."""
    op.create_table(
        "files",
        sa.Column("id", sa.String(36), nullable=False),
        sa.Column("key_hash", sa.String(64)),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("media_type", sa.String(256)),
        sa.Column("size", sa.BigInteger, nullable=False),
        sa.Column("sha256", sa.String(64), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="files_pkey"),
        sa.ForeignKeyConstraint(["key_hash"], ["keys.hash"], name="files_key_hash_fkey"),
    )
    op.create_index("files_key_hash_created_at_index", "files", ["key_hash", "created_at"])
    op.create_index("files_expires_at_index", "files", ["expires_at"])
