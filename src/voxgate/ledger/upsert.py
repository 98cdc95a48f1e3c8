"""Insert a row, or update the one with the same primary key: one statement in both databases."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sqlalchemy.dialects import postgresql, sqlite

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from sqlalchemy import Connection, Insert, Table


def upsert(
    connection: Connection, table: Table, row: Mapping[str, Any], changes: Mapping[str, Any]
) -> None:
    """Insert `row`; where its primary key exists, apply `changes` (values or expressions)."""
    connection.execute(upsert_statement(connection.dialect.name, table, lambda _: changes), row)


def upsert_statement(
    dialect: str, table: Table, changes: Callable[[Mapping[str, Any]], Mapping[str, Any]]
) -> Insert:
    """Return the statement. `changes` gets the columns of the row that was to be inserted.

    A caller who keeps it saves building and compiling it anew, which takes longer than to run it.
    """
    insert = (postgresql if dialect == "postgresql" else sqlite).insert(table)
    changed = dict(changes(insert.excluded))
    statement: Insert = insert.on_conflict_do_update(
        index_elements=list(table.primary_key.columns), set_=changed
    )
    return statement
