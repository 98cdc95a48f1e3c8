"""`ModelRow`: a model among others, with the best figures of its endpoints."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.models.catalogue import UNKNOWN_DATE, why_unavailable
from voxgate.web.models.model_address import model_path
from voxgate.web.models.price_text import FREE, hour_dollars, price_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from datetime import date
    from decimal import Decimal

    from voxgate.models.catalogue import ModelSpec
    from voxgate.web.models.endpoint_rows import EndpointBooks, EndpointRow

MOST_CODES = 8  # languages whose codes a row lists


@dataclass(frozen=True, slots=True)
class ModelRow:
    """One model. A figure is None where none of its endpoints has it yet."""

    spec: ModelSpec
    endpoints: tuple[EndpointRow, ...]
    missing: str | None  # a sentence: what it lacks to run here

    @classmethod
    def of(cls, spec: ModelSpec, books: EndpointBooks) -> ModelRow:
        """Return the row of a model."""
        missing = why_unavailable(spec) if spec.loader is not None else None
        return cls(spec, books.rows(spec), missing)

    @property
    def path(self) -> str:
        """The address of its page."""
        return model_path(self.spec.name)

    @property
    def is_here(self) -> bool:
        """Whether this server runs it."""
        return any(each.is_local for each in self.endpoints)

    @property
    def is_installed(self) -> bool:
        """Whether its weights are on this server's disk."""
        return self.spec.checkpoint is not None

    @property
    def providers(self) -> list[str]:
        """The names of those elsewhere."""
        return [each.provider for each in self.endpoints if not each.is_local]

    @property
    def released(self) -> date | None:
        """When its weights were published, where that is known."""
        return None if self.spec.released == UNKNOWN_DATE else self.spec.released

    @property
    def cheapest(self) -> EndpointRow | None:
        """The endpoint with the lowest price, by an hour of fluent speech."""
        return min(self.endpoints, key=lambda each: hour_dollars(each.price), default=None)

    @property
    def price_text(self) -> str:
        """The lowest price with its unit; nothing for a model that nobody runs."""
        if self.cheapest is None:
            return ""
        text = price_text(self.cheapest.price)
        if len({each.price for each in self.endpoints}) == 1:
            return text
        where = "here" if self.cheapest.is_local else f"at {self.cheapest.provider}"
        return f"free {where}" if text == FREE else f"from {text}"

    @property
    def hour_dollars(self) -> Decimal | None:
        """What an hour of fluent speech costs at that price; None where nobody runs it."""
        return hour_dollars(self.cheapest.price) if self.cheapest else None

    @property
    def word_error_rate(self) -> float | None:
        """The lowest of its endpoints."""
        return _best(min, (each.word_error_rate for each in self.endpoints))

    @property
    def speed(self) -> float | None:
        """The highest of its endpoints, in seconds of sound in a second."""
        return _best(max, (each.speed for each in self.endpoints))

    @property
    def latency_s(self) -> float | None:
        """The lowest of its endpoints."""
        return _best(min, (each.latency_s for each in self.endpoints))

    @property
    def uptime(self) -> float | None:
        """The highest of its endpoints, in percent: the others stand in for it."""
        return _best(max, (each.uptime for each in self.endpoints))

    @property
    def languages_text(self) -> str:
        """Its languages by their codes, or how many they are."""
        codes = self.spec.capabilities.languages
        if not codes:
            return "unknown"
        return " ".join(codes) if len(codes) <= MOST_CODES else f"{len(codes)} languages"

    @property
    def text(self) -> str:
        """What is searched, in lower case."""
        return " ".join((self.spec.name, self.spec.title, *self.spec.aliases)).lower()


def _best(
    choose: Callable[[Iterable[float]], float], figures: Iterable[float | None]
) -> float | None:
    known = [figure for figure in figures if figure is not None]
    return choose(known) if known else None
