"""Connections to PostgreSQL that are lost: at rest, in the middle of a write, and at its end."""

import asyncio

import pytest
from sqlalchemy import Connection, func, insert, select

from tests.ledger import postgres
from voxgate.errors import LedgerError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.database import Database
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.migration import migrate
from voxgate.ledger.schema import keys_table
from voxgate.ledger.server_connections import MOST_CONNECTIONS

TERMINATE = """
    SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'voxgate'
"""
COUNT = select(func.count()).select_from(keys_table)


def key_row(hash_: str, name: str) -> dict[str, object]:
    return {"hash": hash_, "name": name, "label": "", "created_at": utc_now()}


async def test_connections_of_a_restarted_server_are_made_anew(server: postgres.Server) -> None:
    address = server.create()
    async with await Ledger.open(address) as ledger:
        _, secret = await ledger.keys.create("laptop")
        for number in range(2):
            server.execute(server.address("postgres"), TERMINATE)
            assert len(await ledger.keys.all()) == 1 + number
            server.execute(server.address("postgres"), TERMINATE)
            await ledger.keys.create(f"phone {number}")
        finding = [ledger.keys.authenticate(secret) for _ in range(2 * MOST_CONNECTIONS)]
        await asyncio.gather(*finding)
        server.execute(server.address("postgres"), TERMINATE)
        finding = [ledger.keys.authenticate(secret) for _ in range(2 * MOST_CONNECTIONS)]
        assert None not in await asyncio.gather(*finding)


@pytest.mark.parametrize(
    ("losses", "names"), [(1, ["before", "after"]), (2, None)], ids=["once", "each time"]
)
async def test_a_write_that_loses_its_connection_is_done_once_more(
    server: postgres.Server, losses: int, names: list[str] | None
) -> None:
    address = server.create()
    await migrate(address)
    database, calls = Database(address), 0

    def operation(connection: Connection) -> list[str]:
        nonlocal calls
        calls += 1
        connection.execute(insert(keys_table), key_row(f"hash {calls}", "before"))
        if calls <= losses:
            server.execute(server.address("postgres"), TERMINATE)
        connection.execute(insert(keys_table), key_row(f"other hash {calls}", "after"))
        return list(connection.scalars(select(keys_table.c.name).order_by(keys_table.c.hash)))

    if names:
        assert await database.write(operation) == names
    else:
        with pytest.raises(LedgerError, match="connection"):
            await database.write(operation)
        assert await database.read(lambda connection: connection.scalar(COUNT)) == 0
    assert calls == 2
    await database.aclose()


async def test_a_commit_that_loses_its_connection_is_not_repeated(server: postgres.Server) -> None:
    address = server.create()
    await migrate(address)
    database, calls = Database(address), 0

    def operation(connection: Connection) -> None:
        nonlocal calls
        calls += 1
        connection.execute(insert(keys_table), key_row("hash", "laptop"))
        server.execute(server.address("postgres"), TERMINATE)

    with pytest.raises(LedgerError, match="connection"):
        await database.write(operation)
    assert calls == 1
    await database.aclose()
