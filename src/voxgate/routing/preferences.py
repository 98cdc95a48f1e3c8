"""`Preferences`: what a caller wants of the endpoints that may serve a request."""

from __future__ import annotations

from dataclasses import dataclass, field
from decimal import Decimal
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from voxgate.errors import UsageError
from voxgate.prices import NANO_PER_DOLLAR, SAMPLES_PER_S

if TYPE_CHECKING:
    from voxgate.histograms import Percentiles
    from voxgate.prices import Price

SortKey: TypeAlias = Literal["price", "throughput", "latency"]
Partition: TypeAlias = Literal["model", "none"]
DataCollection: TypeAlias = Literal["allow", "deny"]

SUFFIXES: Final[dict[str, SortKey]] = {":floor": "price", ":nitro": "throughput"}
"""What may follow a model's name, and the `sort` that it stands for (openrouter-api.md 6.1)."""

MINUTE_SAMPLES = 60 * SAMPLES_PER_S


@dataclass(frozen=True, slots=True)
class MaxPrice:
    """The most dollars that an endpoint may cost; None: as much as it likes.

    Each is compared with the prices of its own unit alone, as OpenRouter does: a price by the
    request has no price of a minute.
    """

    minute: Decimal | None = None  # of sound, by time or tokens: `audio`
    request: Decimal | None = None
    million_tokens: Decimal | None = None  # `completion`

    def why_dearer(self, price: Price | None) -> str | None:
        """Return why a price is above the most, as a clause; None for one that is not."""
        if price is None:
            return None
        if price.unit == "request":
            return _why_above("request", "request", price.amount, self.request)
        if price.by_token:
            tokens = Decimal(1 if price.unit == "million tokens" else 10**6)
            dearer = _why_above(
                "completion", "million tokens", price.amount * tokens, self.million_tokens
            )
            if dearer:
                return dearer
        minute = Decimal(price.most_nanodollars(MINUTE_SAMPLES)) / NANO_PER_DOLLAR
        return _why_above("audio", "minute of sound", minute, self.minute)


@dataclass(frozen=True, slots=True)
class Thresholds:
    """A bound for each percentile of a figure; None: no bound."""

    p50: float | None = None
    p75: float | None = None
    p90: float | None = None
    p99: float | None = None

    def exceeded_by(self, figure: Percentiles) -> bool:
        """Return whether a percentile is above its bound."""
        return any(value > bound for value, bound in self._pairs(figure))

    def undercut_by(self, figure: Percentiles) -> bool:
        """Return whether a percentile is below its bound."""
        return any(value < bound for value, bound in self._pairs(figure))

    def _pairs(self, figure: Percentiles) -> list[tuple[float, float]]:
        names = ("p50", "p75", "p90", "p99")
        pairs = ((getattr(figure, name), getattr(self, name)) for name in names)
        return [(value, bound) for value, bound in pairs if bound is not None]


@dataclass(frozen=True, slots=True)
class Preferences:
    """The fields of `provider`, and `models`, of one request. Without any, nothing is excluded.

    A slug names all endpoints of a provider (`groq`) or exactly one (`groq/whisper-large-v3`), in
    any case of letters.
    """

    order: tuple[str, ...] = ()  # slugs that come first
    only: tuple[str, ...] = ()  # slugs of all that may serve; none: every one may
    ignore: tuple[str, ...] = ()
    allow_fallbacks: bool = True  # False: one endpoint is asked, and no other
    sort: SortKey | None = None  # None: by chance, the cheaper the more often
    partition: Partition = "model"  # `none`: the endpoints of all models are ranked together
    max_price: MaxPrice = field(default_factory=MaxPrice)
    require_parameters: bool = False  # hints become promises
    data_collection: DataCollection = "allow"
    zdr: bool = False  # zero data retention: nothing may be kept of the request
    quantizations: tuple[str, ...] = ()  # none: every one may serve
    preferred_min_throughput: Thresholds | None = None  # seconds of sound in a second
    preferred_max_latency: Thresholds | None = None  # seconds
    models: tuple[str, ...] = ()  # that are tried after the request's own, in order
    hedge: bool = False  # ask a second endpoint where the first is slow


def split_suffix(model: str) -> tuple[str, SortKey | None]:
    """Return a model's name without `:floor` or `:nitro`, and what the suffix sorts by."""
    for suffix, key in SUFFIXES.items():
        if model.lower().endswith(suffix) and len(model) > len(suffix):
            return model[: -len(suffix)], key
    return model, None


def agreed_sort(model: str, suffix: SortKey | None, sort: SortKey | None) -> SortKey | None:
    """Return what the suffix of a model's name and `sort` both say. Raises `UsageError`."""
    if suffix and sort and suffix != sort:
        raise UsageError(
            f"The model's name, '{model[:100]}', sorts endpoints by {suffix}, and 'provider.sort' "
            f"by {sort}. Leave one of them out."
        )
    return sort or suffix


def _why_above(name: str, unit: str, amount: Decimal, most: Decimal | None) -> str | None:
    if most is None or amount <= most:
        return None
    dollars, limit = f"{amount.normalize():f}", f"{most.normalize():f}"
    return f"it costs ${dollars} a {unit}, and 'provider.max_price.{name}' is ${limit}"
