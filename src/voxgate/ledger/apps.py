"""`Apps`: the address and the categories that callers gave of their apps last.

How much an app asked for is in the sums of days, under the same key and name. An app that says
nothing but its name has no row, nor has one that those sums do not count by itself.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import select

from voxgate.ledger.schema import apps_table
from voxgate.ledger.upsert import upsert_statement
from voxgate.ledger.usage import OTHER_APPS

if TYPE_CHECKING:
    from collections.abc import Collection, Sequence

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.generation import Generation

_NOTED = "voxgate noted apps"
"""The name in `Connection.info` of what was written by it."""

_REMEMBERED = 1000
"""How many apps a connection remembers, so that it writes each once."""

_c = apps_table.c


@dataclass(frozen=True, slots=True)
class AppFacts:
    """What a caller said of an app."""

    address: str | None  # of its site, as in `HTTP-Referer`
    categories: tuple[str, ...]


def note_apps(connection: Connection, ended: Sequence[tuple[Generation, str]]) -> None:
    """Store what callers said of their apps, where it is new, in the caller's transaction.

    Each generation comes with the app that it counts under.
    """
    noted: dict[tuple[str, str], tuple[str | None, str | None]]
    noted = connection.info.setdefault(_NOTED, {})
    new = dict[tuple[str, str], tuple[str | None, str | None]]()
    for each, name in ended:
        said, whose = (each.http_referer, each.app_categories), (each.key_hash or "", name)
        if name not in {"", OTHER_APPS} and any(said) and noted.get(whose) != said:
            new[whose] = said
    if not new:
        return
    rows = [
        {"key_hash": key_hash, "app": name, "address": address, "categories": categories}
        for (key_hash, name), (address, categories) in sorted(new.items())
    ]
    statement = upsert_statement(
        connection.dialect.name,
        apps_table,
        lambda given: {name: given[name] for name in ("address", "categories")},
    )
    connection.execute(statement, rows)
    if len(noted) > _REMEMBERED:
        noted.clear()
    noted.update(new)  # also where this transaction is undone: the next connection writes it


class Apps:
    """The apps in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(
        self, names: Collection[str], key_hash: str | None = None
    ) -> dict[str, AppFacts]:
        """Return what is known of apps, by their names; None is of all keys, any of them."""
        query = select(_c.app, _c.address, _c.categories).where(_c.app.in_(names))
        if key_hash is not None:
            query = query.where(_c.key_hash == key_hash)
        rows = await self._database.read(lambda connection: connection.execute(query).all())
        return {
            name: AppFacts(address, tuple(filter(None, map(str.strip, (given or "").split(",")))))
            for name, address, given in rows
        }
