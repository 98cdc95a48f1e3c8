"""`compare`: models side by side, one row for each thing that may tell them apart."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from voxgate.web.figures import NOTHING, percent, seconds
from voxgate.web.models.endpoint_details import TIMES, language_list

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from voxgate.web.models.endpoint_details import EndpointDetails
    from voxgate.web.models.model_rows import ModelRow

MOST = 4
MOST_NAMED = 12  # languages whose names are listed


@dataclass(frozen=True, slots=True)
class ComparedModel:
    """One column."""

    row: ModelRow
    endpoints: Sequence[EndpointDetails]
    size: str
    effective_price: str  # of the last days; "" where no sound was delivered


@dataclass(frozen=True, slots=True)
class ComparedRow:
    """One row: what each model has, in the order of the columns."""

    title: str
    values: tuple[str, ...]

    @property
    def cells(self) -> list[tuple[str, bool]]:
        """The values, and whether each differs from that of the first model."""
        return [(value, value != self.values[0]) for value in self.values]


def compare(models: Sequence[ComparedModel]) -> list[ComparedRow]:
    """Return the rows. Of a model's endpoints each figure is the best, each limit is listed."""
    return [ComparedRow(title, tuple(map(told, models))) for title, told in _ROWS]


def _joined(values: Iterable[str]) -> str:
    return "; ".join(dict.fromkeys(values)) or NOTHING


def _of_endpoints(told: Callable[[EndpointDetails], str]) -> Callable[[ComparedModel], str]:
    return lambda model: _joined(map(told, model.endpoints))


def _rate(model: ComparedModel) -> str:
    rate = model.row.word_error_rate
    return percent(None if rate is None else rate * 100)


def _speed(model: ComparedModel) -> str:
    speed = model.row.speed
    return NOTHING if speed is None else f"{speed:.3g} s of sound/s"


def _languages(model: ComparedModel) -> str:
    codes = model.row.spec.capabilities.languages
    return language_list(codes) if len(codes) <= MOST_NAMED else f"{len(codes)} languages"


def _licence(model: ComparedModel) -> str:
    licence = model.row.spec.licence
    return "not stated" if licence == "NOASSERTION" else licence


_ROWS: tuple[tuple[str, Callable[[ComparedModel], str]], ...] = (
    ("Where it runs", _of_endpoints(lambda each: each.name)),
    ("Price", lambda model: model.row.price_text or NOTHING),
    ("Effective price, 7 days", lambda model: model.effective_price or NOTHING),
    ("Charged", _of_endpoints(lambda each: each.charged_text)),
    ("Word error rate, canaries", _rate),
    ("Speed, p50", _speed),
    ("Latency, p50", lambda model: seconds(model.row.latency_s)),
    ("Uptime, 1 day", lambda model: percent(model.row.uptime, 2)),
    ("Window", lambda model: seconds(model.row.spec.capabilities.window_s)),
    ("Formats", _of_endpoints(lambda each: each.formats)),
    ("Times", lambda model: TIMES[model.row.spec.capabilities.times]),
    ("Speakers", _of_endpoints(lambda each: each.speakers_text)),
    ("Streaming", _of_endpoints(lambda each: each.streaming_text)),
    ("Languages", _languages),
    ("Data policy", _of_endpoints(lambda each: each.policy)),
    ("Quantisation", _of_endpoints(lambda each: each.quantization)),
    ("Size", lambda model: model.size),
    ("Licence", _licence),
)
