import asyncio
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest

from tests.ledger import postgres
from voxgate.ledger.address import LEDGER_FILE, Address
from voxgate.ledger.ledger import Ledger
from voxgate.ledger.migration import migrate

BOTH = ["sqlite", "postgresql"]


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a ledger that does not exist yet, nor does its folder."""
    return tmp_path / "home" / LEDGER_FILE


@pytest.fixture(scope="session")
def server() -> Iterator[postgres.Server]:
    """A PostgreSQL server."""
    folder = postgres.binaries()
    if folder is None:
        pytest.skip("no PostgreSQL server is installed here")
    with postgres.running(folder) as running:
        yield running


@pytest.fixture(scope="session")
def migrated(server: postgres.Server) -> str:
    """The name of a database that has the tables."""
    address = server.create()
    asyncio.run(migrate(address))
    assert address.url.database
    return address.url.database


@pytest.fixture(params=BOTH)
def address(request: pytest.FixtureRequest, path: Path) -> Address:
    """A place for a ledger, in each of the databases."""
    if request.param == "sqlite":
        return Address.of_file(path)
    server: postgres.Server = request.getfixturevalue("server")
    return server.create(template=request.getfixturevalue("migrated"))


@pytest.fixture(params=BOTH)
def empty_address(request: pytest.FixtureRequest, path: Path) -> Address:
    """A place for a ledger without any table, in each of the databases."""
    path.parent.mkdir()
    if request.param == "sqlite":
        return Address.of_file(path)
    server: postgres.Server = request.getfixturevalue("server")
    return server.create()


@pytest.fixture
async def ledger(address: Address) -> AsyncIterator[Ledger]:
    """A ledger, in each of the databases."""
    async with await Ledger.open(address) as opened:
        yield opened


@pytest.fixture
async def sqlite_ledger(path: Path) -> AsyncIterator[Ledger]:
    """A ledger in the SQLite file at `path`."""
    async with await Ledger.open(path) as opened:
        yield opened
