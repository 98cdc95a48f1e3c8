"""Alembic's environment: run the migrations on the given connection, in its transaction."""

from __future__ import annotations

from alembic import context

from voxgate.ledger.schema import metadata

context.configure(connection=context.config.attributes["connection"], target_metadata=metadata)
context.run_migrations()
