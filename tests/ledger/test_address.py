"""Where the ledger is, and what is said of a server that cannot be used."""

import socket
from pathlib import Path

import pytest

from tests.ledger import postgres
from voxgate.errors import LedgerError, SettingsError
from voxgate.ledger.address import Address
from voxgate.ledger.generation import Generation
from voxgate.ledger.ledger import Ledger
from voxgate.settings import Settings


def test_the_default_is_a_file_of_the_home(tmp_path: Path) -> None:
    address = Address.of(Settings(home=tmp_path))
    assert address.path == tmp_path / "ledger.sqlite3"
    assert str(address) == str(tmp_path / "ledger.sqlite3")


@pytest.mark.parametrize("scheme", ["postgresql", "postgres", "postgresql+asyncpg"])
def test_a_server_is_named_without_its_password(scheme: str) -> None:
    address = Address.of(Settings(database_url=f"{scheme}://me:secret@db.example.org:5433/books"))
    assert address.path is None
    assert str(address) == "postgresql://me:***@db.example.org:5433/books"
    assert address.url.password == "secret"  # noqa: S105 (a test's)


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("me:sec/ret@host/books", "me:***@host/books"),
        ("me:sec:ret@host/books", "me:***@host/books"),
        ("me:sec%40ret@host/books", "me:***@host/books"),
        ("me@host/books?sslmode=require&password=secret", "me:***@host/books?sslmode=require"),
        ("me:secret@host/books?pass%77ord=secret&sslpassword=secret", "me:***@host/books"),
        ("/books?host=%2Frun&password=secret&password=secret", "/books?host=%2Frun"),
        ("me@host/books?sslmode=require", "me@host/books?sslmode=require"),
    ],
)
def test_no_password_is_shown_wherever_it_is(text: str, shown: str) -> None:
    address = Address.of_server(f"postgresql://{text}")
    assert str(address) == f"postgresql://{shown}"
    assert str(address.without_passwords) == f"postgresql://{shown.replace(':***', '')}"


@pytest.mark.parametrize(
    "text",
    [
        "mysql://me:secret@host/books",
        "sqlite:///secret.db",
        "postgresql://me:secret@host",
        "postgresql://me:secret@host:port/books",
        "secret",
        "://secret",
    ],
)
def test_a_malformed_address_is_refused_without_its_password(text: str) -> None:
    with pytest.raises(SettingsError, match=r"postgresql://user:password@host:5432/") as caught:
        Address.of_server(text)
    assert "secret" not in caught.value.sentence


async def test_nobody_listens_there() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and does not listen
        port = taken.getsockname()[1]
        address = Address.of_server(f"postgresql://me:secret@127.0.0.1:{port}/books")
        with pytest.raises(LedgerError, match="Check that the server runs") as caught:
            await Ledger.open(address)
    assert f"postgresql://me:***@127.0.0.1:{port}/books" in caught.value.sentence


async def test_a_database_that_does_not_exist(server: postgres.Server) -> None:
    with pytest.raises(LedgerError, match=r'"nobodys" does not exist\. Create the database'):
        await Ledger.open(server.address("nobodys"))


async def test_a_user_without_rights(server: postgres.Server) -> None:
    address = server.create()
    server.execute(address, "CREATE ROLE guest LOGIN")
    guest = Address(address.url.set(username="guest"))
    with pytest.raises(LedgerError, match=r"permission denied.*Give the user of VOXGATE_DATABASE"):
        await Ledger.open(guest)


async def test_an_error_does_not_contain_values(server: postgres.Server) -> None:
    generation = Generation("secret", None, "model")
    async with await Ledger.open(server.create()) as ledger:
        await ledger.generations.begin(generation)
        with pytest.raises(LedgerError, match="duplicate key") as caught:
            await ledger.generations.begin(generation)
    assert "secret" not in caught.value.sentence
