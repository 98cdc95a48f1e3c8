"""`Address`: where a ledger is: a SQLite file, or a database of a PostgreSQL server."""

from __future__ import annotations

import importlib.util
from dataclasses import dataclass
from typing import TYPE_CHECKING

from sqlalchemy import URL, make_url
from sqlalchemy.exc import ArgumentError

from voxgate.errors import SettingsError

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.settings import Settings

LEDGER_FILE = "ledger.sqlite3"
"""The name of the file in `Settings.home`."""

POSTGRESQL_NAMES = {"postgresql", "postgres", "postgresql+asyncpg"}


@dataclass(frozen=True, slots=True)
class Address:
    """A SQLite file where `path` is given, else a database of a PostgreSQL server."""

    url: URL
    """With the driver; it may contain a password."""

    path: Path | None = None

    @classmethod
    def of_file(cls, path: Path) -> Address:
        """Return the address of the SQLite file at `path`, which may contain any characters."""
        return cls(URL.create("sqlite", database=str(path.absolute())), path)

    @classmethod
    def of_server(cls, text: str) -> Address:
        """Return the address `postgresql://user:password@host/database`.

        Raises `SettingsError`, which names no password, also where the driver is missing.
        """
        url = server_url(text)
        if importlib.util.find_spec("asyncpg") is None:
            raise SettingsError(
                "'database_url' names a PostgreSQL server, and its driver asyncpg is not "
                "installed here: install the extra `postgres` of voxgate."
            )
        return cls(url.set(drivername="postgresql+asyncpg"))

    @classmethod
    def of(cls, settings: Settings) -> Address:
        """Return the address that the settings name. Raises `SettingsError`."""
        if settings.database_url:
            return cls.of_server(settings.database_url)
        return cls.of_file(settings.home / LEDGER_FILE)

    @property
    def without_passwords(self) -> URL:
        """The server's URL as libpq takes it, without passwords: its query may have some, too."""
        url = self.url
        query = {name: url.query[name] for name in url.query if "password" not in name.lower()}
        return URL.create(
            "postgresql",
            username=url.username,
            host=url.host,
            port=url.port,
            database=url.database,
            query=query,
        )

    def __str__(self) -> str:
        """The file's path, or the server's address with `***` in the place of any password."""
        if self.path:
            return str(self.path)
        url = self.without_passwords
        if self.url.password or url.query != self.url.query:
            url = url.set(password="***")  # noqa: S106 (SQLAlchemy shows any as such)
        return url.render_as_string(hide_password=True)


def server_url(text: str) -> URL:
    """Return the URL in a text, also where no driver for it is installed.

    Raises `SettingsError`, which names no password, for one of no PostgreSQL database.
    """
    try:
        url = make_url(text)
    except (ArgumentError, ValueError):  # their messages may contain the password
        url = URL.create("")
    if url.drivername not in POSTGRESQL_NAMES or not url.database:
        raise SettingsError(
            "'database_url' must be the address of a database, as "
            "postgresql://user:password@host:5432/voxgate. Without it, a file in VOXGATE_HOME "
            "is the database."
        )
    return url
