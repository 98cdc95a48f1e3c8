"""`Keys`: the API keys of the server. Only their hashes are stored.

A key is 256 random bits, so its plain SHA-256 can be stored: nobody can try them all. Slow hashes
are for passwords, which can be guessed. Nothing is cached: a key that another process revokes or
limits is revoked or limited from the next request on. A check costs one indexed read, which has the
key's budget too.
"""

from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from time import monotonic
from typing import TYPE_CHECKING, Any, Unpack, cast

from sqlalchemy import bindparam, exists, insert, select, update
from sqlalchemy.exc import IntegrityError

from voxgate.errors import UsageError, VoxgateError
from voxgate.ledger.budget import Budget
from voxgate.ledger.budgets import BUDGET_COLUMNS, period_starts, set_limits
from voxgate.ledger.columns import utc_now
from voxgate.ledger.key import (
    FILE_MARK,
    Key,
    KeyChanges,
    Limits,
    NewKeyFields,
    check_fields,
    check_name,
    hash_of,
    how_to_change,
    label_of,
    new_secret,
)
from voxgate.ledger.key_search import find_key, find_valid_key
from voxgate.ledger.key_usage import usage_by_key
from voxgate.ledger.schema import budgets_table, keys_table
from voxgate.ledger.transcripts import shorten_transcripts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from sqlalchemy import Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.key_usage import KeyUsage

LAST_USE_INTERVAL_S = 60.0
"""The shortest time between two writes of a key's last use."""

_BUDGET = "budget_"  # before the names of a budget's columns
_LIMITS = Limits.__annotations__.keys()
_SELECT = select(
    keys_table, *(column.label(_BUDGET + name) for name, column in BUDGET_COLUMNS.items())
).outerjoin(budgets_table, budgets_table.c.key_hash == keys_table.c.hash)
_SELECT_ONE = _SELECT.where(
    keys_table.c.hash == bindparam("hash"), keys_table.c.revoked_at.is_(None)
)
_UPDATE_LAST_USE = (
    update(keys_table)
    .where(keys_table.c.hash == bindparam("key_hash"))
    .values(last_used_at=bindparam("used_at"))
)


class Keys:
    """The keys in a ledger."""

    def __init__(self, database: Database) -> None:
        self._database = database
        self._last_use_writes: dict[str, float] = {}  # hash: monotonic time of the latest write

    async def create(self, name: str, **fields: Unpack[NewKeyFields]) -> tuple[Key, str]:
        """Create a key. Return what is stored of it and the secret, which is not stored.

        Raises `UsageError` for a malformed name, for the name of a valid key, and for fields that
        are out of range or contradict each other.
        """
        check_name(name)
        limits, own = _divided(fields)
        if (fields.get("creator") or "").startswith(FILE_MARK):
            raise UsageError(
                f"A creator that begins with '{FILE_MARK}' is a file that lists keys. Name another."
            )
        check_fields(
            fields, management=fields.get("management", False), limited=_is_limited(limits, None)
        )
        secret = new_secret()
        hash_ = hash_of(secret)
        row = {"hash": hash_, "name": name, "label": label_of(secret), "created_at": utc_now()}

        def insert_key(connection: Connection) -> Key:
            with _unique_name(name):
                connection.execute(insert(keys_table), row | own)
            set_limits(connection, hash_, **limits)
            return _read_back(connection, hash_)

        return await self._database.write(insert_key), secret

    async def all(self) -> list[Key]:
        """Return every key, revoked ones included, the oldest first."""
        return await self._database.read(select_keys)

    async def any(self) -> bool:
        """Return whether there is any key, revoked ones included."""
        found = await self._database.read(
            lambda connection: connection.scalar(select(exists().select_from(keys_table)))
        )
        return bool(found)

    async def authenticate(self, secret: str) -> Key | None:
        """Return the valid key with this secret; None for an unknown or a revoked one.

        Its last use is written afterwards, at most once a minute, and the caller does not wait.
        Raises `VoxgateError` (`authentication`) for a disabled or an expired key.
        """
        return await self.valid(hash_of(secret))

    async def valid(self, hash_: str) -> Key | None:
        """Return what `authenticate` returns for the key with this whole hash. Raises as it."""
        key = await self._database.find(lambda connection: _select_one(connection, hash_))
        if key is None:
            return None
        _check_state(key)
        self._write_last_use(key)
        return key

    async def with_hash(self, hash_: str) -> Key | None:
        """Return the key with this whole hash; None for an unknown or a revoked one."""
        key = await self._database.find(lambda connection: _select_one(connection, hash_))
        # The query clips a long text, and what is left may be the hash of a key.
        return key if key is not None and key.hash == hash_ else None

    async def find(self, identifier: str) -> Key:
        """Return the key with this name, label, hash, beginning of a hash, or secret.

        A revoked one is found where no other has it. Raises `VoxgateError` (`not_found`) where no
        key matches, and `UsageError` where several do.
        """
        return find_key(identifier, await self.all())

    async def usage(self, hashes: Sequence[str] | None = None) -> dict[str, KeyUsage]:
        """Return what these keys, or all, have used: see `usage_by_key`."""
        return await self._database.read(lambda connection: usage_by_key(connection, hashes))

    async def edit(self, identifier: str, **changes: Unpack[KeyChanges]) -> Key:
        """Change a key that `identifier` matches, as `find` says. Return it as it is then.

        None removes a limit, or the transcripts that are kept. Raises what `find` and `create`
        raise, and `UsageError` for a revoked key and for one that a file lists.
        """
        limits, own = _divided(changes)
        if "name" in changes:
            check_name(changes["name"])

        def update_key(connection: Connection) -> Key:
            key = find_valid_key(identifier, select_keys(connection))
            if key.file:
                raise UsageError(
                    f"The key '{key.name}' ({key.label}) is listed in {key.file}, and changed "
                    f"there: `voxgate keys apply`, or the next start of the server, applies it."
                )
            limited = _is_limited(limits, key.budget)
            check_fields(changes, management=key.management, limited=limited)
            if not limited:
                limits["reset"] = None  # a limit that is set later has a period of its own
            with _unique_name(changes.get("name", "")):
                connection.execute(
                    update(keys_table)
                    .where(keys_table.c.hash == key.hash)
                    .values(**own, updated_at=utc_now())
                )
            if limits:
                set_limits(connection, key.hash, **limits)
            if days := changes.get("keep_transcripts_days"):
                shorten_transcripts(connection, key.hash, days)
            return _read_back(connection, key.hash)

        return await self._database.write(update_key)

    async def revoke(self, identifier: str) -> Key:
        """Revoke the key that `identifier` matches, as `find` says. Nobody gets its transcripts.

        It is revoked for good: a file that lists it no longer owns it. Raises what `find` raises,
        and `UsageError` for a key that is already revoked.
        """

        def update_key(connection: Connection) -> Key:
            key = find_valid_key(identifier, select_keys(connection))
            creator = None if key.file else key.creator
            key = replace(key, revoked_at=utc_now(), creator=creator)
            connection.execute(
                update(keys_table)
                .where(keys_table.c.hash == key.hash)
                .values(revoked_at=key.revoked_at, creator=creator)
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


def _check_state(key: Key) -> None:
    """Raise `VoxgateError` (`authentication`) for a key that does not work now."""
    if key.state == "disabled":
        remedy = how_to_change(key.hash, "--enable", "makes it work again", in_file=key.in_file)
        raise VoxgateError(f"The key '{key.name}' is disabled. {remedy}", code="authentication")
    if key.state == "expired":
        remedy = how_to_change(key.hash, "--expires DATE", "renews it", in_file=key.in_file)
        raise VoxgateError(
            f"The key '{key.name}' expired at {key.expires_at:%Y-%m-%d %H:%M:%S} UTC. {remedy}",
            code="authentication",
        )


def _divided(fields: NewKeyFields | KeyChanges) -> tuple[Limits, dict[str, Any]]:
    """Return the fields of the key's budget, and those of the key itself."""
    given = dict(fields)
    limits = {name: given.pop(name) for name in _LIMITS if name in given}
    if given.get("allowed_models") is not None:
        given["allowed_models"] = tuple(cast("Sequence[str]", given["allowed_models"]))
    if "labels" in given:
        given["labels"] = tuple(cast("Sequence[str]", given["labels"])) or None
    return cast("Limits", limits), given


def _is_limited(limits: Limits, budget: Budget | None) -> bool:
    """Return whether a key has a limit of dollars or minutes with these changes."""
    old = (budget.limit_nanodollars, budget.limit_samples) if budget else (None, None)
    new = (
        limits.get("limit_nanodollars", old[0]),
        limits.get("limit_samples", old[1]),
    )
    return any(limit is not None for limit in new)


@contextmanager
def _unique_name(name: str) -> Iterator[None]:
    try:
        yield
    except IntegrityError as error:
        raise UsageError(
            f"A key named '{name}' already exists. Choose another name, or revoke that key first."
        ) from error


def _select_one(connection: Connection, hash_: str) -> Key | None:
    found = connection.execute(_SELECT_ONE, {"hash": hash_, **period_starts()}).mappings()
    row = found.one_or_none()
    return _from_row(row) if row is not None else None


def _read_back(connection: Connection, hash_: str) -> Key:
    """Return a key that this transaction has written."""
    row = connection.execute(_SELECT_ONE, {"hash": hash_, **period_starts()}).mappings().one()
    return _from_row(row)


def select_keys(connection: Connection) -> list[Key]:
    """Return every key, the oldest first, in the caller's transaction."""
    query = _SELECT.order_by(keys_table.c.created_at, keys_table.c.hash)
    return [_from_row(row) for row in connection.execute(query, period_starts()).mappings()]


def _from_row(row: Mapping[Any, Any]) -> Key:
    own = {name: value for name, value in row.items() if not name.startswith(_BUDGET)}
    models, labels = own["allowed_models"], own["labels"]
    spending = {name: row[_BUDGET + name] for name in BUDGET_COLUMNS}
    limited = (spending["limit_nanodollars"], spending["limit_samples"]) != (None, None)
    return Key(
        **{
            **own,
            "allowed_models": None if models is None else tuple(models),
            "labels": tuple(labels or ()),
        },
        budget=Budget(**spending) if limited else None,
    )
