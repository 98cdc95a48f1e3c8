"""`FigureChoice`: which of its figures a model's page shows, by its address."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, TypeAlias, TypeVar, get_args

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Mapping

Period: TypeAlias = Literal["48h", "30d", "1y"]
Percentile: TypeAlias = Literal["p50", "p75", "p90", "p99"]

T = TypeVar("T", bound=str)


@dataclass(frozen=True, slots=True)
class FigureChoice:
    """The period of a model's activity, and the percentile of its speed."""

    period: Period = "30d"
    percentile: Percentile = "p50"

    @classmethod
    def of(cls, query: Mapping[str, str]) -> FigureChoice:
        """Return what the query of an address chooses. Raises `UsageError` for what is not there.

        Other names in it are not read.
        """
        return cls(
            _one_of("period", query.get("period", cls().period), get_args(Period)),
            _one_of("percentile", query.get("percentile", cls().percentile), get_args(Percentile)),
        )


def _one_of(name: str, given: str, known: tuple[T, ...]) -> T:
    for each in known:
        if given == each:
            return each
    raise UsageError(f"'{name}' must be one of {', '.join(known)}, not '{given[:100]}'.")
