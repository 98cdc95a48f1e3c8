"""`Selection`: which generations a list has; `select_newest`: one page of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal, TypeAlias, get_args

from sqlalchemy import and_, or_, select

from voxgate.errors import UsageError
from voxgate.ledger.lifecycle import generation_of
from voxgate.ledger.schema import generations_table
from voxgate.ledger.usage import FIRST_FAILURE

if TYPE_CHECKING:
    from datetime import date

    from sqlalchemy import ColumnElement, Connection

    from voxgate.ledger.generation import Generation

Ending: TypeAlias = Literal["succeeded", "failed", "running"]

ENDINGS: tuple[Ending, ...] = get_args(Ending)

_c = generations_table.c


@dataclass(frozen=True, slots=True)
class Selection:
    """Which generations a list has. None takes all; the key "" those without one."""

    key_hash: str | None = None
    model: str | None = None
    ending: Ending | None = None
    day: date | None = None  # of UTC, on which they began
    before: str | None = None  # the id of the last one that was shown


def select_newest(connection: Connection, selection: Selection, most: int) -> list[Generation]:
    """Return the newest generations of a selection, in the caller's transaction.

    Raises `UsageError` where nothing is known of the one that was shown last.
    """
    conditions = _conditions(selection)
    if selection.before is not None:
        conditions.append(_began_before(connection, selection))
    query = select(generations_table).where(*conditions)
    newest_first = query.order_by(_c.created_at.desc(), _c.id.desc()).limit(most)
    return [generation_of(row) for row in connection.execute(newest_first).mappings()]


def _conditions(selection: Selection) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = _of_key(selection.key_hash)
    if selection.model is not None:
        found.append(_c.model == selection.model)
    if selection.ending == "running":
        found.append(_c.status.is_(None))
    elif selection.ending == "failed":
        found.append(_c.status >= FIRST_FAILURE)
    elif selection.ending == "succeeded":
        found.append(_c.status < FIRST_FAILURE)
    if selection.day is not None:
        begin = datetime(selection.day.year, selection.day.month, selection.day.day, tzinfo=UTC)
        found += [_c.created_at >= begin, _c.created_at < begin + timedelta(days=1)]
    return found


def _of_key(key_hash: str | None) -> list[ColumnElement[bool]]:
    if key_hash is None:
        return []
    return [_c.key_hash == key_hash if key_hash else _c.key_hash.is_(None)]


def _began_before(connection: Connection, selection: Selection) -> ColumnElement[bool]:
    """Return the condition that a generation is older than the one that was shown last."""
    last = select(_c.id, _c.created_at).where(
        _c.id == selection.before, *_of_key(selection.key_hash)
    )
    row = connection.execute(last).one_or_none()
    if row is None or row.id != selection.before:
        raise UsageError(
            "The list cannot go on from there: that generation is not kept any more. Begin with "
            "the newest ones."
        )
    return or_(
        _c.created_at < row.created_at, and_(_c.created_at == row.created_at, _c.id < row.id)
    )
