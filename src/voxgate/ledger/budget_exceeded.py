"""The error for a budget of which too little is left: the only place that words it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from voxgate.errors import VoxgateError
from voxgate.ledger.amounts import dollars_text, minutes_text
from voxgate.ledger.budget import Amount
from voxgate.ledger.key import how_to_change

if TYPE_CHECKING:
    from collections.abc import Callable

    from voxgate.ledger.budget import Budget

_PERIODS = {"daily": "a day", "weekly": "a week", "monthly": "a month", None: "in all"}


@dataclass(frozen=True, slots=True)
class _Unit:
    """What a limit counts: money or sound."""

    column: str
    text: Callable[[int], str]
    """Of what is left: rounded down where it is rounded."""

    needed: Callable[[int], str]
    """Of what is needed: rounded up."""

    needs: str
    nothing: str
    option: str


_MONEY = _Unit(
    "nanodollars",
    dollars_text,
    dollars_text,
    "may cost",
    "No money is left",
    "--limit DOLLARS",
)
_SOUND = _Unit(
    "samples",
    minutes_text,
    partial(minutes_text, round_up=True),
    "may have",
    "No minutes are left",
    "--limit-minutes MINUTES",
)


def is_used_up(budget: Budget) -> bool:
    """Return whether nothing is left of a limit, so that no recording can be charged."""
    return bool(_short(budget, Amount()))


def budget_exceeded(
    budget: Budget, wanted: Amount | None = None, *, rest: bool = False, in_file: bool = False
) -> VoxgateError:
    """Return the error for a recording that may cost `wanted`; None: whatever it costs.

    With `rest`, it is what the recording costs beyond what is reserved for it. `in_file` says that
    a file lists the key.

    It names the limit that is short, what is left of it, and when it resets. A budget whose
    limits were removed meanwhile has none to name.
    """
    wanted = wanted or Amount()
    # Where another recording has freed what was short, there still is a limit to name.
    units = _short(budget, wanted) or _limited(budget)
    if not units:
        return VoxgateError(
            "A limit of this key refused the recording, and was removed meanwhile. Send the "
            "recording again.",
            code="budget_exceeded",
        )
    unit = units[0]
    needs, left = getattr(wanted, unit.column), getattr(budget.left, unit.column)
    limit, spent, reserved = (
        getattr(budget, f"{name}_{unit.column}") or 0 for name in ("limit", "spent", "reserved")
    )
    subject = "The rest of the recording" if rest else "The recording"
    cause = f"{subject} {unit.needs} {unit.needed(needs)}" if needs else unit.nothing
    used = f"{unit.text(spent)} used"
    if reserved:
        used += f" and {unit.text(reserved)} reserved for recordings under way"
    remedy = how_to_change(budget.key_hash, unit.option, "raises the limit", in_file=in_file)
    return VoxgateError(
        f"{cause}: {unit.text(left)} of this key's limit of {unit.text(limit)} "
        f"{_PERIODS[budget.reset]} is left, with {used}. {_reset(budget)} {remedy}",
        code="budget_exceeded",
    )


def _reset(budget: Budget) -> str:
    resets_at = budget.resets_at
    if resets_at is None:
        return "The limit never resets."
    return f"The limit resets at {resets_at:%Y-%m-%d %H:%M} UTC."


def _limited(budget: Budget) -> list[_Unit]:
    return [
        unit for unit in (_MONEY, _SOUND) if getattr(budget, f"limit_{unit.column}") is not None
    ]


def _short(budget: Budget, wanted: Amount) -> list[_Unit]:
    """Return the limits of which less than `wanted`, or nothing, is left."""
    return [
        unit
        for unit in _limited(budget)
        if getattr(budget.left, unit.column) < max(1, getattr(wanted, unit.column))
    ]
