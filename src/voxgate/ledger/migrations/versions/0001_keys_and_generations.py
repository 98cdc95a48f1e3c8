"""Create the tables of keys and generations."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None


def upgrade() -> None:
    """Create both tables and their indexes."""
    op.create_table(
        "keys",
        sa.Column("hash", sa.String(64), nullable=False),
        sa.Column("name", sa.String(256), nullable=False),
        sa.Column("label", sa.String(256), nullable=False),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("last_used_at", sa.DateTime(timezone=True)),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("hash", name="keys_pkey"),
    )
    op.create_index(
        "keys_valid_name_index",
        "keys",
        ["name"],
        unique=True,
        sqlite_where=sa.text("revoked_at IS NULL"),
        postgresql_where=sa.text("revoked_at IS NULL"),
    )
    op.create_table(
        "generations",
        sa.Column("id", sa.String(256), nullable=False),
        sa.Column("key_hash", sa.String(64)),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("provider", sa.String(256)),
        sa.Column("created_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("finished_at", sa.DateTime(timezone=True)),
        sa.Column("status", sa.Integer),
        sa.Column("error_code", sa.String(256)),
        sa.Column("error_message", sa.String(2048)),
        sa.Column("audio_seconds", sa.Double),
        sa.Column("cost_nanodollars", sa.BigInteger, nullable=False, server_default="0"),
        sa.Column("latency_ms", sa.Integer),
        sa.Column("generation_time_ms", sa.Integer),
        sa.Column("cancelled", sa.Boolean, nullable=False),
        sa.Column("attempts", sa.JSON, nullable=False),
        sa.Column("user_agent", sa.String(2048)),
        sa.Column("http_referer", sa.String(2048)),
        sa.Column("app_title", sa.String(256)),
        sa.Column("session_id", sa.String(256)),
        sa.Column("external_user", sa.String(256)),
        sa.PrimaryKeyConstraint("id", name="generations_pkey"),
        sa.ForeignKeyConstraint(["key_hash"], ["keys.hash"], name="generations_key_hash_fkey"),
    )
    op.create_index(
        "generations_key_hash_created_at_index", "generations", ["key_hash", "created_at"]
    )
    op.create_index("generations_created_at_index", "generations", ["created_at"])
