"""The tables: one schema for SQLite and PostgreSQL.

Every change needs a migration; a test compares the schema with the migrations.

No column stores speech or its text, and only `files` the name of a recording: of one that its
caller asked the server to keep. Code that fills `error_message` must leave them out.
"""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Double,
    ForeignKey,
    Index,
    Integer,
    MetaData,
    Table,
    false,
)

from voxgate.ledger.columns import JsonColumn, TextColumn, UtcColumn

HASH_LENGTH = 64  # hexadecimal digits of SHA-256
NAME_LENGTH = 256  # characters; for names of models and providers, and for ids
MESSAGE_LENGTH = 2048  # characters; for sentences and URLs

metadata = MetaData(
    naming_convention={  # a migration can only drop a constraint that has a name
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
    }
)

keys_table = Table(
    "keys",
    metadata,
    Column("hash", TextColumn(HASH_LENGTH), primary_key=True),
    Column("name", TextColumn(NAME_LENGTH), nullable=False),
    Column("label", TextColumn(NAME_LENGTH), nullable=False),
    Column("created_at", UtcColumn, nullable=False),
    Column("last_used_at", UtcColumn),
    Column("revoked_at", UtcColumn),
)

Index(  # a name can be used again after its key is revoked
    "keys_valid_name_index",
    keys_table.c.name,
    unique=True,
    sqlite_where=keys_table.c.revoked_at.is_(None),
    postgresql_where=keys_table.c.revoked_at.is_(None),
)

generations_table = Table(
    "generations",
    metadata,
    Column("id", TextColumn(NAME_LENGTH), primary_key=True),
    Column(
        "key_hash", TextColumn(HASH_LENGTH), ForeignKey("keys.hash")
    ),  # null: the server required no keys
    Column("model", TextColumn(NAME_LENGTH), nullable=False),
    Column("provider", TextColumn(NAME_LENGTH)),
    Column("created_at", UtcColumn, nullable=False),
    Column("finished_at", UtcColumn),
    Column("status", Integer),  # of HTTP; null until the generation finishes
    Column("error_code", TextColumn(NAME_LENGTH)),
    Column("error_message", TextColumn(MESSAGE_LENGTH)),
    Column("audio_seconds", Double),  # of the decoded sound
    Column("cost_nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("latency_ms", Integer),
    Column("generation_time_ms", Integer),
    Column("cancelled", Boolean, nullable=False),
    Column("attempts", JsonColumn(MESSAGE_LENGTH), nullable=False),
    Column("user_agent", TextColumn(MESSAGE_LENGTH)),
    Column("http_referer", TextColumn(MESSAGE_LENGTH)),
    Column("app_title", TextColumn(NAME_LENGTH)),
    Column("session_id", TextColumn(NAME_LENGTH)),
    Column("external_user", TextColumn(NAME_LENGTH)),
    Column("revision", TextColumn(NAME_LENGTH)),  # of the model's checkpoint
    Column("profile", TextColumn(NAME_LENGTH)),  # how the weights are quantised
    Column("streamed", Boolean, nullable=False, server_default=false()),
)

Index(
    None, generations_table.c.key_hash, generations_table.c.created_at
)  # for the latest generations of one key
Index(None, generations_table.c.created_at)

files_table = Table(
    "files",
    metadata,
    Column("id", TextColumn(36), primary_key=True),  # a UUID, and the name of the file on disk
    Column(
        "key_hash", TextColumn(HASH_LENGTH), ForeignKey("keys.hash")
    ),  # null: the server required no keys
    Column("name", TextColumn(NAME_LENGTH), nullable=False),  # as the caller gave it
    Column("media_type", TextColumn(NAME_LENGTH)),
    Column("size", BigInteger, nullable=False),  # bytes
    Column("sha256", TextColumn(HASH_LENGTH), nullable=False),
    Column("created_at", UtcColumn, nullable=False),
    Column("expires_at", UtcColumn, nullable=False),
)

Index(None, files_table.c.key_hash, files_table.c.created_at)  # for the list of one key
Index(None, files_table.c.expires_at)
