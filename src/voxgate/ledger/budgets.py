"""`Budgets`: what a key may spend in a period, and how it is never exceeded.

Before a recording is recognised, its price is reserved by one conditional statement: it changes
nothing where what is spent, reserved and wanted is more than the limit. The end of a generation
turns its reservation into spending, in the transaction that records it (`generations.py`). What is
reserved belongs to no period; what is spent belongs to the one in which the generation ended. A
period never goes back: a clock that is set back gives nobody a second budget.
"""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Unpack

from sqlalchemy import BigInteger, and_, bindparam, case, literal, or_, select, update

from voxgate.errors import VoxgateError
from voxgate.ledger.budget import Amount, Budget
from voxgate.ledger.columns import UtcColumn, utc_now
from voxgate.ledger.periods import RESETS, period_start
from voxgate.ledger.schema import budgets_table, generations_table
from voxgate.ledger.upsert import upsert

if TYPE_CHECKING:
    from collections.abc import Sequence
    from datetime import datetime
    from typing import Any

    from sqlalchemy import ColumnElement, Connection

    from voxgate.ledger.database import Database
    from voxgate.ledger.key import Limits


_BUDGET = budgets_table.c
_START: ColumnElement[datetime] = case(
    *((_BUDGET.reset == reset, bindparam(reset, type_=UtcColumn)) for reset in RESETS),
    else_=_BUDGET.period_start,
)
_IS_NEW: ColumnElement[bool] = or_(
    _BUDGET.period_start < _START, and_(_BUDGET.period_start.is_(None), _START.is_not(None))
)
_NOTHING = literal(0, BigInteger)
_NANODOLLARS = bindparam("nanodollars", type_=BigInteger)
_SAMPLES = bindparam("samples", type_=BigInteger)
_SPENT_NANODOLLARS = case((_IS_NEW, _NOTHING), else_=_BUDGET.spent_nanodollars)
_SPENT_SAMPLES = case((_IS_NEW, _NOTHING), else_=_BUDGET.spent_samples)
_PERIOD_START = case((_IS_NEW, _START), else_=_BUDGET.period_start)
_OF_KEY = _BUDGET.key_hash == bindparam("of_key")

_RESERVE = (
    update(budgets_table)
    .where(
        _OF_KEY,
        or_(
            _BUDGET.limit_nanodollars.is_(None),
            _SPENT_NANODOLLARS + _BUDGET.reserved_nanodollars + _NANODOLLARS
            <= _BUDGET.limit_nanodollars,
        ),
        or_(
            _BUDGET.limit_samples.is_(None),
            _SPENT_SAMPLES + _BUDGET.reserved_samples + _SAMPLES <= _BUDGET.limit_samples,
        ),
    )
    .values(
        period_start=_PERIOD_START,
        spent_nanodollars=_SPENT_NANODOLLARS,
        spent_samples=_SPENT_SAMPLES,
        reserved_nanodollars=_BUDGET.reserved_nanodollars + _NANODOLLARS,
        reserved_samples=_BUDGET.reserved_samples + _SAMPLES,
    )
)
_RECORD_RESERVATION = (
    update(generations_table)
    .where(
        generations_table.c.id == bindparam("generation"),
        generations_table.c.finished_at.is_(None),
    )
    .values(
        reserved_nanodollars=generations_table.c.reserved_nanodollars + _NANODOLLARS,
        reserved_samples=generations_table.c.reserved_samples + _SAMPLES,
    )
)
_SETTLE = (
    update(budgets_table)
    .where(_OF_KEY)
    .values(
        period_start=_PERIOD_START,
        spent_nanodollars=_SPENT_NANODOLLARS + _NANODOLLARS,
        spent_samples=_SPENT_SAMPLES + _SAMPLES,
        reserved_nanodollars=_BUDGET.reserved_nanodollars
        - bindparam("freed_nanodollars", type_=BigInteger),
        reserved_samples=_BUDGET.reserved_samples - bindparam("freed_samples", type_=BigInteger),
    )
)
_BEGIN_PERIOD = (
    update(budgets_table)
    .where(_OF_KEY)
    .values(
        period_start=_PERIOD_START,
        spent_nanodollars=_SPENT_NANODOLLARS,
        spent_samples=_SPENT_SAMPLES,
    )
)

BUDGET_COLUMNS: dict[str, ColumnElement[Any]] = {
    "key_hash": _BUDGET.key_hash,
    "reset": _BUDGET.reset,
    "limit_nanodollars": _BUDGET.limit_nanodollars,
    "limit_samples": _BUDGET.limit_samples,
    "period_start": _PERIOD_START,
    "spent_nanodollars": _SPENT_NANODOLLARS,
    "spent_samples": _SPENT_SAMPLES,
    "reserved_nanodollars": _BUDGET.reserved_nanodollars,
    "reserved_samples": _BUDGET.reserved_samples,
}
"""What a `Budget` has, as of the time whose `period_starts` are the statement's parameters."""

_SELECT = select(*(column.label(name) for name, column in BUDGET_COLUMNS.items()))


class Budgets:
    """The budgets in a ledger. A key without limits has none."""

    def __init__(self, database: Database) -> None:
        self._database = database

    async def find(self, key_hash: str) -> Budget | None:
        """Return the budget of a key, as of now."""
        statement, parameters = _SELECT.where(_OF_KEY), {"of_key": key_hash, **period_starts()}
        row = await self._database.read(
            lambda connection: connection.execute(statement, parameters).mappings().one_or_none()
        )
        return Budget(**row) if row is not None else None

    async def reserve(self, generation: str, key_hash: str, wanted: Amount) -> bool:
        """Reserve more of a key's budget for a generation. Return False where it is not left.

        Raises `VoxgateError` (`interrupted`) for a generation that has ended. As everywhere, its
        row is changed before the budget's, so that no deadlock is possible.
        """
        row = {"generation": generation, **asdict(wanted)}

        def reserve(connection: Connection) -> None:
            if not connection.execute(_RECORD_RESERVATION, row).rowcount:
                raise VoxgateError(
                    f"{generation} was ended when its lease expired. Send the recording again.",
                    code="interrupted",
                )
            if not _reserve(connection, key_hash, wanted):
                raise _TooLittleLeftError  # what was recorded is rolled back

        try:
            await self._database.write(reserve)
        except _TooLittleLeftError:
            return False
        return True


class _TooLittleLeftError(Exception):
    """The budget does not allow a reservation."""


def reserve_each(connection: Connection, key_hash: str, wanted: Sequence[Amount]) -> list[bool]:
    """Reserve amounts of a key's budget in the caller's transaction. Return which were left."""
    if _reserve(connection, key_hash, sum(wanted, Amount())):
        return [True] * len(wanted)
    return [len(wanted) > 1 and _reserve(connection, key_hash, amount) for amount in wanted]


def _reserve(connection: Connection, key_hash: str, wanted: Amount) -> bool:
    parameters = {"of_key": key_hash, **asdict(wanted), **period_starts()}
    return connection.execute(_RESERVE, parameters).rowcount > 0


def settle(connection: Connection, key_hash: str, *, cost: Amount, reserved: Amount) -> None:
    """Turn a reservation of a key into what it really cost, in the caller's transaction."""
    parameters: dict[str, Any] = {
        **{f"freed_{name}": value for name, value in asdict(reserved).items()},
        **asdict(cost),
        "of_key": key_hash,
    }
    connection.execute(_SETTLE, {**parameters, **period_starts()})


def set_limits(connection: Connection, key_hash: str, **limits: Unpack[Limits]) -> None:
    """Set those limits of a key that are given, in the caller's transaction.

    What it spent in the running period stays spent, also while it has no limit.
    """
    begun = connection.execute(_BEGIN_PERIOD, {"of_key": key_hash, **period_starts()})
    if not begun.rowcount and all(limit is None for limit in limits.values()):
        return
    reset = limits.get("reset")
    period = {"period_start": period_start(reset, utc_now()) if reset else None}
    changes = {**limits, **(period if "reset" in limits else {})}
    upsert(connection, budgets_table, {"key_hash": key_hash, **limits, **period}, changes)


def period_starts() -> dict[str, datetime]:
    """Return when the periods of each kind began, for statements with `BUDGET_COLUMNS`."""
    now = utc_now()
    return {reset: period_start(reset, now) for reset in RESETS}
