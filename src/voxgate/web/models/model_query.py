"""`ModelQuery`: which models a list shows, in which order. An address holds all of it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from decimal import Decimal, InvalidOperation
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from voxgate.web.models.model_rows import ModelRow

PAGE_SIZE = 100
MOST_PAGE = 10_000
LONGEST = 200  # characters of what is searched
PLACES = {
    "": "Anywhere",
    "here": "On this server",
    "installed": "Installed on this server",
    "elsewhere": "At a provider",
}
AT = "at:"  # before the name of a provider

LAST = float("inf")
ORDERS: dict[str, tuple[str, Callable[[ModelRow], Any]]] = {
    "newest": ("Newest", lambda row: -row.released.toordinal() if row.released else 0),
    "price": ("Lowest price", lambda row: LAST if row.hour_dollars is None else row.hour_dollars),
    "speed": ("Fastest", lambda row: LAST if row.speed is None else -row.speed),
    "wer": ("Fewest word errors", lambda row: _or_last(row.word_error_rate)),
    "name": ("Name", lambda _: 0),
}
"""The orders by their names in an address: for people, and the key; equals are in that of names."""


def _or_last(figure: float | None) -> float:
    return LAST if figure is None else figure


@dataclass(frozen=True, slots=True)
class ModelQuery:
    """What somebody looks for. The fields are those of the form, in its address."""

    q: str = ""
    language: str = ""  # ISO 639-1
    where: str = ""  # a key of `PLACES`, or `AT` and a provider
    most: Decimal | None = None  # dollars for an hour of fluent speech
    sort: str = "newest"
    page: int = 1

    @classmethod
    def parse(cls, fields: Mapping[str, str]) -> ModelQuery:
        """Return the query of an address. Raises `UsageError` for a value that it cannot have."""
        where, sort = fields.get("where", ""), fields.get("sort", "") or "newest"
        if where not in PLACES and not where.startswith(AT):
            raise UsageError(
                f"'where' must be one of {', '.join(filter(None, PLACES))}, or '{AT}' and the name "
                f"of a provider, not '{where[:100]}'."
            )
        if sort not in ORDERS:
            raise UsageError(f"'sort' must be one of {', '.join(ORDERS)}, not '{sort[:100]}'.")
        q = fields.get("q", "").strip()
        if len(q) > LONGEST:
            raise UsageError(f"'q' must have at most {LONGEST} characters, not {len(q)}.")
        return cls(
            q=q,
            language=fields.get("language", "").strip().lower(),
            where=where,
            most=_dollars(fields.get("most", "").strip()),
            sort=sort,
            page=_page(fields.get("page", "").strip() or "1"),
        )

    def select(self, rows: Sequence[ModelRow]) -> Selection:
        """Return the rows that fit, in order, of which one page is shown."""
        words = self.q.lower().split()
        found = [row for row in rows if self._fits(row) and all(word in row.text for word in words)]
        found.sort(key=lambda row: row.spec.name.lower())
        found.sort(key=ORDERS[self.sort][1])
        pages = max(1, -(-len(found) // PAGE_SIZE))
        start = (self.page - 1) * PAGE_SIZE
        return Selection(tuple(found[start : start + PAGE_SIZE]), len(found), pages)

    def on_page(self, page: int) -> str:
        """Return the address of another page of this list."""
        return "/" + (f"?{query}" if (query := replace(self, page=page).text) else "")

    @property
    def most_text(self) -> str:
        """The most dollars as the form has them: `1e2` is 100."""
        return "" if self.most is None else f"{self.most:f}"

    @property
    def text(self) -> str:
        """The query as an address has it: what differs from the default."""
        given = {
            "q": self.q,
            "language": self.language,
            "where": self.where,
            "most": self.most_text,
            "sort": "" if self.sort == "newest" else self.sort,
            "page": "" if self.page == 1 else str(self.page),
        }
        return urlencode({name: value for name, value in given.items() if value})

    def _fits(self, row: ModelRow) -> bool:
        return (
            self._is_there(row)
            and (not self.language or self.language in row.spec.capabilities.languages)
            and (self.most is None or self._is_cheap(row, self.most))
        )

    @staticmethod
    def _is_cheap(row: ModelRow, most: Decimal) -> bool:
        return row.hour_dollars is not None and row.hour_dollars <= most

    def _is_there(self, row: ModelRow) -> bool:
        if self.where.startswith(AT):
            return self.where.removeprefix(AT) in row.providers
        match self.where:
            case "here":
                return row.is_here
            case "installed":
                return row.is_installed
            case "elsewhere":
                return bool(row.providers)
            case _:
                return True


@dataclass(frozen=True, slots=True)
class Selection:
    """One page of the models that fit."""

    rows: tuple[ModelRow, ...]
    total: int  # on all pages
    pages: int


def _dollars(text: str) -> Decimal | None:
    if not text:
        return None
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal("NaN")
    # Of few digits, also where it is written with an exponent: as the form shows it, 1e-9999999 has
    # ten million.
    short = amount.is_finite() and amount.adjusted() >= -9 and len(amount.as_tuple().digits) <= 20
    if amount.is_zero():
        return Decimal(0)
    if not (short and 0 <= amount <= 1_000_000):
        raise UsageError(
            f"'most' must be dollars for an hour of sound, as 0.36, not '{text[:100]}'."
        )
    return amount


def _page(text: str) -> int:
    number = text.isascii() and text.isdigit() and len(text) <= len(str(MOST_PAGE))
    if not (number and 1 <= int(text) <= MOST_PAGE):
        raise UsageError(f"'page' must be a number from 1 to {MOST_PAGE}, not '{text[:100]}'.")
    return int(text)
