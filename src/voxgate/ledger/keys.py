"""`Keys`: who may use the server. Only hashes are kept.

A key is 256 random bits, so that its plain SHA-256 can be stored: nobody can try them all, and slow
hashes are for passwords, which can be guessed. Nothing is cached: a key that another process
revokes stops working with the next request. Asking costs one indexed read.
"""

from __future__ import annotations

import re
import secrets
from dataclasses import asdict, dataclass, replace
from datetime import datetime, timedelta
from hashlib import sha256
from time import monotonic
from typing import TYPE_CHECKING

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.columns import utc_now
from voxgate.ledger.schema import keys_table

if TYPE_CHECKING:
    from collections.abc import Sequence

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database

KEY_PREFIX = "sk-vg-"
NAME_CHARACTERS = 100
TOUCH_S = 60.0
"""How often the last use of a key is written, at most."""

_HASH = re.compile(r"[0-9a-f]{6,64}")
_VALID = select(keys_table).where(
    keys_table.c.hash == bindparam("hash"), keys_table.c.revoked_at.is_(None)
)
_USE = (
    update(keys_table)
    .where(keys_table.c.hash == bindparam("of"))
    .values(last_used_at=bindparam("at"))
)


@dataclass(frozen=True, slots=True)
class Key:
    """A key, as far as it is known once it was made. Times are UTC."""

    hash: str
    """Of the key itself: SHA-256, 64 lower-case hexadecimal digits."""

    name: str
    label: str
    """Its beginning and end, to be told by: `sk-vg-0e6...1c96`."""

    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None


class Keys:
    """The keys in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._touches: dict[str, float] = {}  # hash: when its last use was last sent to be written

    async def create(self, name: str) -> tuple[Key, str]:
        """Make a key: what is known of it, and the key itself, which is nowhere kept.

        Raises `UsageError` for a name that is malformed, or that a valid key has.
        """
        _check(name)
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        key = Key(_hashed(secret), name, _label(secret), utc_now())

        def put(connection: Connection) -> None:
            try:
                connection.execute(insert(keys_table), asdict(key))
            except IntegrityError as error:
                raise UsageError(
                    f"A key is called '{name}' already. Choose another name, or revoke that key "
                    f"first."
                ) from error

        await self._database.write(put)
        return key, secret

    async def all(self) -> list[Key]:
        """Every key that was ever made, the oldest first."""
        return await self._database.read(_all)

    async def any(self) -> bool:
        """Whether any key was ever made."""
        found = await self._database.read(
            lambda connection: connection.scalar(select(exists().select_from(keys_table)))
        )
        return bool(found)

    async def holder(self, secret: str) -> Key | None:
        """The valid key that this is; None for an unknown or a revoked one.

        Its last use is written afterwards, within the minute and without the caller.
        """
        hashed = {"hash": _hashed(secret)}
        row = await self._database.read(
            lambda connection: connection.execute(_VALID, hashed).mappings().one_or_none()
        )
        if row is None:
            return None
        key = Key(**row)
        self._touch(key)
        return key

    async def revoke(self, what: str) -> Key:
        """Revoke the key of that name, label, hash, beginning of a hash, or the key itself.

        Raises `VoxgateError` (`not_found`) when there is none, `UsageError` when several are meant
        or the key is revoked already.
        """

        def put(connection: Connection) -> Key:
            key = replace(_meant(what, _all(connection)), revoked_at=utc_now())
            connection.execute(
                update(keys_table)
                .where(keys_table.c.hash == key.hash)
                .values(revoked_at=key.revoked_at)
            )
            return key

        return await self._database.write(put)

    def _touch(self, key: Key) -> None:
        used_at = utc_now()
        # A clock that was set back must not stop the writing: hence the distance, either way.
        if key.last_used_at and abs(used_at - key.last_used_at) < timedelta(seconds=TOUCH_S):
            return
        if monotonic() - self._touches.get(key.hash, float("-inf")) < TOUCH_S:
            return  # it is being written, or could not be
        self._touches[key.hash] = monotonic()
        use = {"of": key.hash, "at": used_at}
        self._database.write_later(lambda connection: connection.execute(_USE, use))


def _check(name: str) -> None:
    if not 1 <= len(name) <= NAME_CHARACTERS or not name.isprintable() or name != name.strip():
        raise UsageError(
            f"A key's name has 1 to {NAME_CHARACTERS} printable characters, and no space at its "
            f"ends. Choose one that says who will use it."
        )
    if name.startswith(KEY_PREFIX):
        raise UsageError(
            f"A name that begins with '{KEY_PREFIX}' looks like a key. Choose another."
        )


def _hashed(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _label(secret: str) -> str:
    return f"{secret[: len(KEY_PREFIX) + 3]}...{secret[-4:]}"


def _meant(what: str, known: Sequence[Key]) -> Key:
    """The one valid key that is meant. A revoked one is mentioned where there is no other."""
    secret = what.startswith(KEY_PREFIX)
    shown = _label(what) if secret and len(what) > len(_label(what)) else what[:NAME_CHARACTERS]
    found = [key for key in known if _means(what, key)]
    valid = [key for key in found if key.revoked_at is None]
    if len(valid) == 1:
        return valid[0]
    if valid:
        several = ", ".join(f"'{key.name}' ({key.label}, hash {key.hash[:16]})" for key in valid)
        raise UsageError(f"'{shown}' may mean {several}. Give more of one's hash.")
    if found:
        raise UsageError(
            f"The key '{found[-1].name}' ({found[-1].label}) is revoked already, since "
            f"{found[-1].revoked_at:%Y-%m-%d %H:%M} UTC. Nothing was changed."
        )
    raise VoxgateError(
        f"No key is called '{shown}'. `voxgate keys list` lists them all.", code="not_found"
    )


def _means(what: str, key: Key) -> bool:
    if what.startswith(KEY_PREFIX):
        return key.label == what or key.hash == _hashed(what)
    beginning = what.lower()
    is_hash = _HASH.fullmatch(beginning) is not None
    return key.name == what or (is_hash and key.hash.startswith(beginning))


def _all(connection: Connection) -> list[Key]:
    rows = connection.execute(
        select(keys_table).order_by(keys_table.c.created_at, keys_table.c.hash)
    )
    return [Key(**row) for row in rows.mappings()]
