"""`Amount`: money and sound; `Budget`: the limits of a key, and what is spent of them."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.ledger.columns import utc_now
from voxgate.ledger.periods import next_period_start

if TYPE_CHECKING:
    from datetime import datetime

    from voxgate.ledger.periods import Reset


@dataclass(frozen=True, slots=True)
class Amount:
    """What a generation costs, or may cost: money, and sound in samples at 16 kHz."""

    nanodollars: int = 0
    samples: int = 0

    def __bool__(self) -> bool:
        return bool(self.nanodollars or self.samples)

    def __add__(self, other: Amount) -> Amount:
        return Amount(self.nanodollars + other.nanodollars, self.samples + other.samples)


@dataclass(frozen=True, slots=True)
class Budget:
    """The limits of a key, and what is spent of them in the period that `period_start` begins."""

    key_hash: str
    reset: Reset | None = None
    """When spending begins at zero again; None: never."""

    limit_nanodollars: int | None = None
    limit_samples: int | None = None
    period_start: datetime | None = None
    spent_nanodollars: int = 0
    spent_samples: int = 0
    reserved_nanodollars: int = 0
    reserved_samples: int = 0

    @property
    def limited(self) -> bool:
        """Whether there is a limit: those of a key may have been removed."""
        return self.limit_nanodollars is not None or self.limit_samples is not None

    @property
    def reserved(self) -> Amount:
        """For generations under way."""
        return Amount(self.reserved_nanodollars, self.reserved_samples)

    @property
    def left(self) -> Amount:
        """What may still be reserved, of each limit that there is; at least 0."""
        return Amount(
            _left(self.limit_nanodollars, self.spent_nanodollars + self.reserved_nanodollars),
            _left(self.limit_samples, self.spent_samples + self.reserved_samples),
        )

    @property
    def resets_at(self) -> datetime | None:
        """When spending begins at zero again."""
        return next_period_start(self.reset, utc_now()) if self.reset else None


def _left(limit: int | None, used: int) -> int:
    return 0 if limit is None else max(0, limit - used)
