"""`Keys`: the API keys of the server. Only their hashes are stored.

A key is 256 random bits, so its plain SHA-256 can be stored: nobody can try them all. Slow hashes
are for passwords, which can be guessed. Nothing is cached: a key that another process revokes stops
working with the next request. A check costs one indexed read.
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
MAX_KEY_NAME_CHARACTERS = 100
LAST_USE_INTERVAL_S = 60.0
"""The shortest time between two writes of a key's last use."""

_HASH = re.compile(r"[0-9a-f]{6,64}")
_SELECT_VALID = select(keys_table).where(
    keys_table.c.hash == bindparam("hash"), keys_table.c.revoked_at.is_(None)
)
_UPDATE_LAST_USE = (
    update(keys_table)
    .where(keys_table.c.hash == bindparam("key_hash"))
    .values(last_used_at=bindparam("used_at"))
)


@dataclass(frozen=True, slots=True)
class Key:
    """What is stored of a key. Times are UTC."""

    hash: str
    """The SHA-256 of the secret: 64 lower-case hexadecimal digits."""

    name: str
    label: str
    """The beginning and end of the secret, to recognise it by: `sk-vg-0e6...1c96`."""

    created_at: datetime
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    management: bool = False
    """Whether it manages keys and reads everybody's activity, instead of transcribing."""

    disabled: bool = False
    updated_at: datetime | None = None
    expires_at: datetime | None = None
    allowed_models: Sequence[str] | None = None
    """The models that it may ask for; None: all."""

    requests_per_minute: int | None = None
    max_recordings: int | None = None
    """How many recordings it may have under way at once."""

    creator: str | None = None
    external_user: str | None = None


class Keys:
    """The keys in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_use_writes: dict[str, float] = {}  # hash: monotonic time of the latest write

    async def create(self, name: str) -> tuple[Key, str]:
        """Create a key. Return what is stored of it and the secret, which is not stored.

        Raises `UsageError` for a malformed name and for the name of a valid key.
        """
        _check_name(name)
        secret = KEY_PREFIX + secrets.token_urlsafe(32)
        key = Key(_hash(secret), name, _label(secret), utc_now())

        def insert_key(connection: Connection) -> None:
            try:
                connection.execute(insert(keys_table), asdict(key))
            except IntegrityError as error:
                raise UsageError(
                    f"A key named '{name}' already exists. Choose another name, or revoke that key "
                    f"first."
                ) from error

        await self._database.write(insert_key)
        return key, secret

    async def all(self) -> list[Key]:
        """Return every key, revoked ones included, the oldest first."""
        return await self._database.read(_select_all)

    async def any(self) -> bool:
        """Return whether there is any key, revoked ones included."""
        found = await self._database.read(
            lambda connection: connection.scalar(select(exists().select_from(keys_table)))
        )
        return bool(found)

    async def authenticate(self, secret: str) -> Key | None:
        """Return the valid key with this secret; None for an unknown or a revoked one.

        Its last use is written afterwards, at most once a minute, and the caller does not wait.
        """
        parameters = {"hash": _hash(secret)}
        row = await self._database.read(
            lambda connection: (
                connection.execute(_SELECT_VALID, parameters).mappings().one_or_none()
            )
        )
        if row is None:
            return None
        key = Key(**row)
        self._write_last_use(key)
        return key

    async def revoke(self, identifier: str) -> Key:
        """Revoke the key with this name, label, hash, beginning of a hash, or secret.

        Raises `VoxgateError` (`not_found`) where no key matches, and `UsageError` where several
        match or the key is already revoked.
        """

        def update_key(connection: Connection) -> Key:
            key = replace(_find_valid(identifier, _select_all(connection)), revoked_at=utc_now())
            connection.execute(
                update(keys_table)
                .where(keys_table.c.hash == key.hash)
                .values(revoked_at=key.revoked_at)
            )
            return key

        return await self._database.write(update_key)

    def _write_last_use(self, key: Key) -> None:
        used_at = utc_now()
        # The distance in either direction: a clock that was set back must not stop the writes.
        if key.last_used_at and abs(used_at - key.last_used_at) < timedelta(
            seconds=LAST_USE_INTERVAL_S
        ):
            return
        if monotonic() - self._last_use_writes.get(key.hash, float("-inf")) < LAST_USE_INTERVAL_S:
            return  # that write is still running, or failed
        self._last_use_writes[key.hash] = monotonic()
        parameters = {"key_hash": key.hash, "used_at": used_at}
        self._database.write_later(
            lambda connection: connection.execute(_UPDATE_LAST_USE, parameters)
        )


def _check_name(name: str) -> None:
    if (
        not 1 <= len(name) <= MAX_KEY_NAME_CHARACTERS
        or not name.isprintable()
        or name != name.strip()
    ):
        raise UsageError(
            f"A key's name has 1 to {MAX_KEY_NAME_CHARACTERS} printable characters and no space at "
            f"either end. Choose a name that tells who will use the key."
        )
    if name.startswith(KEY_PREFIX):
        raise UsageError(
            f"A name that begins with '{KEY_PREFIX}' looks like a key. Choose another."
        )


def _hash(secret: str) -> str:
    return sha256(secret.encode("utf-8", "surrogatepass")).hexdigest()


def _label(secret: str) -> str:
    return f"{secret[: len(KEY_PREFIX) + 3]}...{secret[-4:]}"


def _find_valid(identifier: str, keys: Sequence[Key]) -> Key:
    """Return the one valid key that matches. Raise as `Keys.revoke` does where there is none."""
    matching = [key for key in keys if _matches(identifier, key)]
    valid = [key for key in matching if key.revoked_at is None]
    if len(valid) == 1:
        return valid[0]
    if valid:
        several = ", ".join(f"'{key.name}' ({key.label}, hash {key.hash[:16]})" for key in valid)
        raise UsageError(
            f"'{_without_secret(identifier)}' matches several keys: {several}. Give more digits of "
            f"one hash."
        )
    if matching:
        latest = matching[-1]
        raise UsageError(
            f"The key '{latest.name}' ({latest.label}) is already revoked, since "
            f"{latest.revoked_at:%Y-%m-%d %H:%M} UTC. Nothing was changed."
        )
    raise VoxgateError(
        f"No key is called '{_without_secret(identifier)}'. `voxgate keys list` lists them all.",
        code="not_found",
    )


def _matches(identifier: str, key: Key) -> bool:
    if identifier.startswith(KEY_PREFIX):
        return key.label == identifier or key.hash == _hash(identifier)
    digits = identifier.lower()
    is_hash = _HASH.fullmatch(digits) is not None
    return key.name == identifier or (is_hash and key.hash.startswith(digits))


def _without_secret(identifier: str) -> str:
    """Return the identifier for a message: clipped, and a secret as its label."""
    if identifier.startswith(KEY_PREFIX) and len(identifier) > len(_label(identifier)):
        return _label(identifier)
    return identifier[:MAX_KEY_NAME_CHARACTERS]


def _select_all(connection: Connection) -> list[Key]:
    rows = connection.execute(
        select(keys_table).order_by(keys_table.c.created_at, keys_table.c.hash)
    )
    return [Key(**row) for row in rows.mappings()]
