"""`Limit`: one limit of a key, or of all of them, and what is used of it, as a bar shows it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.ledger.amounts import dollars_text, minutes_text

if TYPE_CHECKING:
    from datetime import datetime

    from voxgate.ledger.budget import Budget


@dataclass(frozen=True, slots=True)
class Limit:
    """One limit. Texts have their units."""

    what: str
    used: str
    limit: str
    left: str
    share: float  # of the limit that is used, at most 1; 1 for a limit of nothing
    over: bool  # nothing is left
    every: str = ""  # `daily`, `weekly`, `monthly`; empty: it never resets
    resets_at: datetime | None = None


def limits_of(budget: Budget | None) -> list[Limit]:
    """Return the limits of a key: what is reserved for recordings under way counts as used."""
    if budget is None:
        return []
    left, found = budget.left, []
    if (limit := budget.limit_nanodollars) is not None:
        used = budget.spent_nanodollars + budget.reserved_nanodollars
        texts = dollars_text(used), dollars_text(limit), dollars_text(left.nanodollars)
        found.append(_limit("Money", used, limit, texts, budget))
    if (limit := budget.limit_samples) is not None:
        used = budget.spent_samples + budget.reserved_samples
        texts = minutes_text(used, round_up=True), minutes_text(limit), minutes_text(left.samples)
        found.append(_limit("Sound", used, limit, texts, budget))
    return found


def credit_limit(paid_nanodollars: int, used_nanodollars: int) -> Limit:
    """Return what was paid in as a limit, which refuses nothing."""
    left = dollars_text(max(0, paid_nanodollars - used_nanodollars))
    texts = dollars_text(used_nanodollars), dollars_text(paid_nanodollars), left
    return _limit("Credits", used_nanodollars, paid_nanodollars, texts)


def _limit(
    what: str, used: int, limit: int, texts: tuple[str, str, str], budget: Budget | None = None
) -> Limit:
    return Limit(
        what,
        *texts,
        share=min(1.0, used / limit) if limit else 1.0,
        over=used >= limit,
        every=(budget.reset or "") if budget else "",
        resets_at=budget.resets_at if budget else None,
    )
