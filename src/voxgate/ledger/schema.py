"""The tables: one schema for SQLite and PostgreSQL.

Every change needs a migration; a test compares the schema with the migrations.

No column stores speech, and only `transcripts` its text, encrypted, for keys that keep it. Only
`files` has the name of a recording: of one that its caller asked the server to keep. Code that
fills `error_message` must leave them out.
"""

from __future__ import annotations

from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    Column,
    Date,
    Double,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    Table,
    false,
)
from sqlalchemy.dialects.postgresql import JSONB

from voxgate.ledger.columns import JsonColumn, TextColumn, UtcColumn

HASH_LENGTH = 64  # hexadecimal digits of SHA-256
NAME_LENGTH = 256  # characters; for names of models and providers, and for ids
SCOPE_LENGTH = 16  # characters
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
    Column("management", Boolean, nullable=False, server_default=false()),
    Column("disabled", Boolean, nullable=False, server_default=false()),
    Column("updated_at", UtcColumn),
    Column("expires_at", UtcColumn),
    Column("allowed_models", JsonColumn(NAME_LENGTH, none_as_null=True)),  # null: all of them
    Column("requests_per_minute", Integer),
    Column("max_recordings", Integer),  # at once
    Column("creator", TextColumn(NAME_LENGTH)),
    Column("external_user", TextColumn(NAME_LENGTH)),
    Column("keep_transcripts_days", Integer),  # null: none is kept
    Column("labels", JsonColumn(NAME_LENGTH, none_as_null=True)),  # null: it has none
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
    Column("requested_model", TextColumn(NAME_LENGTH)),  # as the caller named it
    Column("dialect", TextColumn(NAME_LENGTH)),
    Column("app_categories", TextColumn(MESSAGE_LENGTH)),
    Column("audio_samples", BigInteger),  # of the decoded sound, at 16 kHz
    Column("tokens", Integer),
    Column("first_text_ms", Integer),
    Column("price", JsonColumn(NAME_LENGTH, none_as_null=True)),  # as it was when it began
    Column("reserved_nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("reserved_samples", BigInteger, nullable=False, server_default="0"),
    Column("delivered_samples", BigInteger, nullable=False, server_default="0"),
    Column("lease_until", UtcColumn),  # null: finished; else its server is dead after that time
    Column("delivered_tokens", BigInteger, nullable=False, server_default="0"),
    Column("api_type", TextColumn(NAME_LENGTH)),  # null: for a transcript
    Column("prompt_tokens", Integer),  # of a question
    Column("finish_reason", TextColumn(NAME_LENGTH)),  # of an answer
)

Index(
    None, generations_table.c.key_hash, generations_table.c.created_at
)  # for the latest generations of one key
Index(None, generations_table.c.created_at)

Index(
    "generations_leased_index",
    generations_table.c.lease_until,
    sqlite_where=generations_table.c.lease_until.is_not(None),
    postgresql_where=generations_table.c.lease_until.is_not(None),
)

budgets_table = Table(  # of the keys that have a limit
    "budgets",
    metadata,
    Column("key_hash", TextColumn(HASH_LENGTH), ForeignKey("keys.hash"), primary_key=True),
    Column("reset", TextColumn(NAME_LENGTH)),  # daily, weekly, monthly; null: never
    Column("limit_nanodollars", BigInteger),
    Column("limit_samples", BigInteger),
    Column("period_start", UtcColumn),  # of what is spent; what is reserved has no period
    Column("spent_nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("spent_samples", BigInteger, nullable=False, server_default="0"),
    Column("reserved_nanodollars", BigInteger, nullable=False, server_default="0"),
    Column("reserved_samples", BigInteger, nullable=False, server_default="0"),
)

usage_days_table = Table(  # the sums of finished generations, which stay when those are deleted
    "usage_days",
    metadata,
    Column("day", Date, primary_key=True),  # of UTC, on which they finished
    Column("key_hash", TextColumn(HASH_LENGTH), primary_key=True),  # "": the server had no keys
    Column("model", TextColumn(NAME_LENGTH), primary_key=True),
    Column("provider", TextColumn(NAME_LENGTH), primary_key=True),  # "": none was asked
    Column("app", TextColumn(NAME_LENGTH), primary_key=True),  # "": the caller named none
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("audio_samples", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nanodollars", BigInteger, nullable=False),
    # Sums of failures, too. No answer has them: they are for an operator's own queries of means.
    Column("latency_ms", BigInteger, nullable=False),
    Column("generation_time_ms", BigInteger, nullable=False),
)

Index(None, usage_days_table.c.key_hash, usage_days_table.c.day)

usage_histograms_table = Table(  # how long successes took; see `usage.py` for the scopes
    "usage_histograms",
    metadata,
    Column("scope", TextColumn(SCOPE_LENGTH), primary_key=True),
    Column("start", Date, primary_key=True),  # a day of UTC, or the first of a month
    Column("key_hash", TextColumn(HASH_LENGTH), primary_key=True),
    Column("model", TextColumn(NAME_LENGTH), primary_key=True),
    Column("provider", TextColumn(NAME_LENGTH), primary_key=True),
    Column("app", TextColumn(NAME_LENGTH), primary_key=True),
    Column("counts", JSON().with_variant(JSONB, "postgresql"), nullable=False),  # by bucket
)

Index(
    None,
    usage_histograms_table.c.key_hash,
    usage_histograms_table.c.scope,
    usage_histograms_table.c.start,
)

usage_hours_table = Table(  # the same by the hour, for some weeks: see `usage_hours.py`
    "usage_hours",
    metadata,
    Column("model", TextColumn(NAME_LENGTH), primary_key=True),
    Column("hour", UtcColumn, primary_key=True),  # its beginning
    Column("key_hash", TextColumn(HASH_LENGTH), primary_key=True),  # "": the server had no keys
    Column("requests", BigInteger, nullable=False),
    Column("failures", BigInteger, nullable=False),
    Column("audio_samples", BigInteger, nullable=False),
    Column("tokens", BigInteger, nullable=False),
    Column("nanodollars", BigInteger, nullable=False),
    # How callers met the model, where it was asked first.
    Column("answered", BigInteger, nullable=False),
    Column("saved", BigInteger, nullable=False),  # of these, by another endpoint than the first
    Column("unavailable", BigInteger, nullable=False),
)

Index(None, usage_hours_table.c.hour)

endpoint_hours_table = Table(  # attempts, for some weeks
    "endpoint_hours",
    metadata,
    Column("endpoint", TextColumn(NAME_LENGTH), primary_key=True),  # its slug
    Column("hour", UtcColumn, primary_key=True),  # its beginning
    Column("succeeded", BigInteger, nullable=False),
    Column("failed", BigInteger, nullable=False),
)

apps_table = Table(  # what callers said of their apps last
    "apps",
    metadata,
    Column("key_hash", TextColumn(HASH_LENGTH), primary_key=True),  # "": the server had no keys
    Column("app", TextColumn(NAME_LENGTH), primary_key=True),  # as in `usage_days`
    Column("address", TextColumn(MESSAGE_LENGTH)),
    Column("categories", TextColumn(MESSAGE_LENGTH)),
)

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

transcripts_table = Table(  # of the keys that keep them
    "transcripts",
    metadata,
    Column(
        "generation",
        TextColumn(NAME_LENGTH),
        ForeignKey("generations.id", ondelete="CASCADE"),
        primary_key=True,
    ),
    Column("key_hash", TextColumn(HASH_LENGTH), ForeignKey("keys.hash"), nullable=False),
    Column("expires_at", UtcColumn, nullable=False),
    Column("sealed", LargeBinary),  # see `transcript_cipher.py`; null: it is no longer kept
)

Index(None, transcripts_table.c.key_hash)
Index(
    "transcripts_kept_index",
    transcripts_table.c.expires_at,
    sqlite_where=transcripts_table.c.sealed.is_not(None),
    postgresql_where=transcripts_table.c.sealed.is_not(None),
)

endpoint_health_table = Table(  # see `voxgate.routing.health`
    "endpoint_health",
    metadata,
    Column("endpoint", TextColumn(NAME_LENGTH), primary_key=True),  # its slug
    Column("saved_at", UtcColumn, nullable=False),
    Column("health", JSON().with_variant(JSONB, "postgresql"), nullable=False),
)

canaries_table = Table(  # what endpoints made of recordings with known words
    "canaries",
    metadata,
    Column("endpoint", TextColumn(NAME_LENGTH), primary_key=True),  # its slug
    Column("measured_at", UtcColumn, primary_key=True),
    Column("model", TextColumn(NAME_LENGTH), nullable=False),
    Column("revision", TextColumn(NAME_LENGTH)),  # of its checkpoint, where that is known
    Column("profile", TextColumn(NAME_LENGTH)),
    Column("digest", TextColumn(HASH_LENGTH), nullable=False),  # of recordings and references
    Column("recordings", Integer, nullable=False),  # with a text, which may be empty
    Column("failed", Integer, nullable=False),
    Column("spoken", Integer, nullable=False),  # of the recordings, those in which words are said
    Column("without_text", Integer, nullable=False),  # of these
    Column("errors", Integer, nullable=False),
    Column("reference", Integer, nullable=False),  # words, or characters of scripts without spaces
    Column("audio_seconds", Double, nullable=False),
    Column("processing_seconds", Double, nullable=False),
    Column("cost_nanodollars", BigInteger),  # null: the endpoint has no price
)
