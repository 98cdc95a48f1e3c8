"""The tables: one schema for SQLite and PostgreSQL.

Whoever changes it writes a migration beside it; a test compares the two.

No table has a place for speech, its text or the name of its file. Whoever fills `error_message`
leaves them out.
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
)

from voxgate.ledger.columns import Instant, Json, Text

HASH = 64  # hexadecimal digits of SHA-256
NAME = 256  # characters; of models, providers, sessions and the like
MESSAGE = 2048  # characters; of what may be a sentence or an address

metadata = MetaData(
    naming_convention={  # migrations must be able to name what they drop
        "pk": "%(table_name)s_pkey",
        "fk": "%(table_name)s_%(column_0_name)s_fkey",
        "ix": "%(table_name)s_%(column_0_N_name)s_index",
    }
)

keys = Table(
    "keys",
    metadata,
    Column("hash", Text(HASH), primary_key=True),
    Column("name", Text(NAME), nullable=False),
    Column("label", Text(NAME), nullable=False),
    Column("created_at", Instant, nullable=False),
    Column("last_used_at", Instant),
    Column("revoked_at", Instant),
)

Index(  # a name may be given again once its key is revoked
    "keys_valid_name_index",
    keys.c.name,
    unique=True,
    sqlite_where=keys.c.revoked_at.is_(None),
    postgresql_where=keys.c.revoked_at.is_(None),
)

generations = Table(
    "generations",
    metadata,
    Column("id", Text(NAME), primary_key=True),
    Column("key_hash", Text(HASH), ForeignKey("keys.hash")),  # null: the server asked for no keys
    Column("model", Text(NAME), nullable=False),
    Column("provider", Text(NAME)),
    Column("created_at", Instant, nullable=False),
    Column("finished_at", Instant),
    Column("status", Integer),  # of HTTP; null while under way
    Column("error_code", Text(NAME)),
    Column("error_message", Text(MESSAGE)),
    Column("audio_seconds", Double),  # of decoded sound
    Column("cost_nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("latency_ms", Integer),
    Column("generation_time_ms", Integer),
    Column("cancelled", Boolean, nullable=False),
    Column("attempts", Json(MESSAGE), nullable=False),
    Column("user_agent", Text(MESSAGE)),
    Column("http_referer", Text(MESSAGE)),
    Column("app_title", Text(NAME)),
    Column("session_id", Text(NAME)),
    Column("external_user", Text(NAME)),
    Column("revision", Text(NAME)),  # of the model's checkpoint
    Column("profile", Text(NAME)),  # how its weights were held
)

Index(None, generations.c.key_hash, generations.c.created_at)  # what one key has done lately
Index(None, generations.c.created_at)
