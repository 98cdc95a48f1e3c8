"""`Files`: which recordings callers keep on the server, for whom and until when.

The bytes are in a folder of `voxgate.api.files`; a file is there for a caller when its row is here.
An expired file counts as gone before anything has removed it.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from sqlalchemy import delete, exists, func, insert, select

from voxgate.errors import VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import files_table, keys_table

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from datetime import datetime

    from sqlalchemy import ColumnElement, Connection, Select

    from voxgate.ledger.database import Database

MOST_FILES = 10_000
"""Files of one key: a thousand times as many as somebody looks at, and no load for a list."""

_c = files_table.c


@dataclass(frozen=True, slots=True)
class KeptFile:
    """One file. Times are UTC, `size` is in bytes, `sha256` is hexadecimal."""

    id: str
    """A UUID."""

    key_hash: str | None
    """The hash of the key that owns it; None where the server required no keys."""

    name: str
    """The file's name, without a path."""

    media_type: str | None
    size: int
    sha256: str
    expires_at: datetime
    created_at: datetime = field(default_factory=utc_now)


class FilePage(NamedTuple):
    """A part of a list, and how many files the whole list has."""

    files: list[KeptFile]
    total: int


class Files:
    """The kept files in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def add(self, file: KeptFile, too_many: Callable[[int], VoxgateError | None]) -> None:
        """Insert a file, unless `too_many` returns an error for the bytes that its key then keeps.

        Raises that error, and `VoxgateError` (`payload_too_large`) beyond `MOST_FILES`.
        """
        owned = _owned(file.key_hash)

        def insert_file(connection: Connection) -> None:
            count, size = connection.execute(
                select(func.count(), func.coalesce(func.sum(_c.size), 0)).where(*owned)
            ).one()
            if count >= MOST_FILES:
                raise VoxgateError(
                    f"This key keeps {count} files, as many as it may. Delete some.",
                    code="payload_too_large",
                )
            if error := too_many(size + file.size):
                raise error
            connection.execute(insert(files_table), asdict(file))

        await self._database.write(insert_file)

    async def size(self, key_hash: str | None) -> int:
        """Return the bytes that a key keeps."""
        query = select(func.coalesce(func.sum(_c.size), 0)).where(*_owned(key_hash))
        return int(await self._database.read(lambda connection: connection.scalar(query)) or 0)

    async def find(self, id: str, key_hash: str | None) -> KeptFile | None:  # noqa: A002
        """Return the file with this id and key, or None. Another key's is not returned."""
        return await self._one(id, select(files_table).where(*_owned(key_hash)))

    async def find_shared(self, id: str) -> KeptFile | None:  # noqa: A002
        """Return the file with this id, or None; not that of a key that was revoked."""
        revoked = exists().where(
            keys_table.c.hash == _c.key_hash, keys_table.c.revoked_at.is_not(None)
        )
        return await self._one(id, select(files_table).where(_valid(), ~revoked))

    async def page(
        self,
        key_hash: str | None,
        start: int,
        count: int,
        *,
        search: str = "",
        media_types: Sequence[str] | None = None,
    ) -> FilePage:
        """Return `count` files of a key from the place `start` on, the newest first.

        `search` is a part of the name, in any case.
        """
        wanted = _owned(key_hash)
        if search:
            wanted.append(_c.name.icontains(search, autoescape=True))
        if media_types is not None:
            wanted.append(_c.media_type.in_(media_types))
        rows = select(files_table).where(*wanted).order_by(_c.created_at.desc(), _c.id)
        total = select(func.count()).select_from(files_table).where(*wanted)
        return FilePage(
            await self._database.read(
                lambda connection: [
                    KeptFile(**row)
                    for row in connection.execute(rows.offset(start).limit(count)).mappings()
                ]
            ),
            await self._database.read(lambda connection: connection.execute(total).scalar_one()),
        )

    async def remove(self, id: str, key_hash: str | None) -> bool:  # noqa: A002
        """Delete the file with this id and key. Return whether there was one."""
        statement = delete(files_table).where(_c.id == id, *_owned(key_hash))
        return await self._database.write(
            lambda connection: bool(connection.execute(statement).rowcount)
        )

    async def remove_expired(self) -> list[str]:
        """Delete the files whose time is over, and return their ids."""
        statement = delete(files_table).where(~_valid()).returning(_c.id)
        return await self._database.write(
            lambda connection: list(connection.scalars(statement).all())
        )

    async def exists(self, id: str) -> bool:  # noqa: A002
        """Return whether a file of any key has this id, an expired one included."""
        query = select(exists().where(_c.id == id))
        return bool(await self._database.read(lambda connection: connection.scalar(query)))

    async def _one(self, id: str, query: Select[Any]) -> KeptFile | None:  # noqa: A002
        def select_one(connection: Connection) -> KeptFile | None:
            row = connection.execute(query.where(_c.id == id)).mappings().one_or_none()
            # The query clips a long id, and the clipped id may be that of another file.
            return KeptFile(**row) if row is not None and row["id"] == id else None

        return await self._database.read(select_one)


def _valid() -> ColumnElement[bool]:
    return _c.expires_at > utc_now()


def _owned(key_hash: str | None) -> list[ColumnElement[bool]]:
    return [_c.key_hash.is_not_distinct_from(key_hash), _valid()]
