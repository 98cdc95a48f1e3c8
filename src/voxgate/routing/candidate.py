"""`Candidate`: an endpoint that could serve a request, and what excludes it."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from math import ceil
from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.prices import SAMPLES_PER_S
from voxgate.routing.summary import UNKNOWN_HEALTH, HealthSummary
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.prices import Price
    from voxgate.routing.preferences import Preferences

Exclusion: TypeAlias = Literal[
    "allowed_providers", "data_policy:zdr", "data_policy:training", "max_price", "quantization",
    "require_parameters", "unsupported_option", "allow_fallbacks", "rate_limited", "failing",
]  # fmt: skip
"""Why an endpoint is excluded: the first six are OpenRouter's words (openrouter-api.md 3.3)."""

PRIVACY: frozenset[Exclusion] = frozenset({"data_policy:zdr", "data_policy:training"})
PASSING: frozenset[Exclusion] = frozenset({"rate_limited", "failing"})
"""What excludes an endpoint for a while."""

COMPARED_S = 60
TOKENS_PER_S = 4
"""Prices are compared by what a minute of fluent speech costs, which has so many tokens a second:
see `voxgate.prices`."""


@dataclass(frozen=True, slots=True)
class Reason:
    """One reason why an endpoint is excluded."""

    exclusion: Exclusion
    field: str  # of the request; empty where none is the cause
    clause: str  # for people, about `it`


@dataclass(frozen=True, slots=True)
class Candidate:
    """An endpoint that could serve a request."""

    slug: str  # `groq/whisper-large-v3`
    provider: str  # `groq`, or `local`
    model: str  # as it is named here
    price: Price | None = None  # that callers pay; None: it is free
    quantization: str | None = None  # as OpenRouter names it, `fp16`; None: unknown
    collects_data: bool = False  # its provider may keep what it is sent
    zero_retention: bool = True  # its provider keeps nothing at all
    unmet: tuple[str, ...] = ()  # the hints of the request that it would not use
    refusal: str | None = None  # a sentence: the promise of the request that it cannot keep
    health: HealthSummary = UNKNOWN_HEALTH

    @property
    def nanodollars(self) -> int:
        """What `COMPARED_S` seconds of sound cost, or a request, in nano-dollars."""
        return _compared(self.price) if self.price else 0

    def is_named(self, slugs: Sequence[str]) -> bool:
        """Return whether one of these slugs stands for this endpoint."""
        return self.place(slugs) < len(slugs)

    def place(self, slugs: Sequence[str]) -> int:
        """Return the number of the first of these slugs that stands for it; without any, how many.

        Slugs are in lower case.
        """
        names = self.provider.lower(), self.slug.lower()
        return next((at for at, slug in enumerate(slugs) if slug in names), len(slugs))


@dataclass(frozen=True, slots=True)
class Excluded:
    """An endpoint that is not asked, and why: at least one reason."""

    candidate: Candidate
    reasons: tuple[Reason, ...]

    @property
    def exclusions(self) -> set[Exclusion]:
        """The words for its reasons."""
        return {reason.exclusion for reason in self.reasons}


def local_slug(model: str) -> str:
    """Return the slug of a model in this installation."""
    return f"{LOCAL}/{model}"


def exclusions(candidate: Candidate, preferences: Preferences, now: float) -> Iterator[Reason]:
    """Yield all that excludes an endpoint, at a moment of its health's clock.

    `preferences` have their slugs in lower case.
    """
    yield from _by_name(candidate, preferences)
    yield from _by_policy(candidate, preferences)
    if dearer := preferences.max_price.why_dearer(candidate.price):
        yield Reason("max_price", "provider.max_price", dearer)
    precision = candidate.quantization or "unknown"
    if preferences.quantizations and precision not in preferences.quantizations:
        clause = f"its precision is {precision}, and 'provider.quantizations' does not have that"
        yield Reason("quantization", "provider.quantizations", clause)
    if candidate.refusal:
        yield Reason("unsupported_option", "", candidate.refusal.rstrip("."))
    if preferences.require_parameters and candidate.unmet:
        unmet = ", ".join(f"'{name}'" for name in candidate.unmet)
        clause = f"it does not use {unmet}, and 'provider.require_parameters' is true"
        yield Reason("require_parameters", "provider.require_parameters", clause)
    pause = candidate.health.pause
    if pause is not None and pause.until > now:
        why = "is asked too often" if pause.reason == "rate_limited" else "failed too often"
        clause = f"it {why}, and rests for {ceil(pause.until - now)} s"
        yield Reason(pause.reason, "", clause)


@lru_cache(maxsize=1024)
def _compared(price: Price) -> int:
    return price.nanodollars(COMPARED_S * SAMPLES_PER_S, COMPARED_S * TOKENS_PER_S)


def _by_name(candidate: Candidate, preferences: Preferences) -> Iterator[Reason]:
    if preferences.only and not candidate.is_named(preferences.only):
        names = _listed(preferences.only)
        yield Reason("allowed_providers", "provider.only", f"'provider.only' names {names}")
    if candidate.is_named(preferences.ignore):
        names = _listed(preferences.ignore)
        yield Reason("allowed_providers", "provider.ignore", f"'provider.ignore' names {names}")
    ordered = preferences.order and not preferences.allow_fallbacks
    if ordered and not candidate.is_named(preferences.order):
        names = _listed(preferences.order)
        clause = f"'provider.order' names {names}, and 'provider.allow_fallbacks' is false"
        yield Reason("allowed_providers", "provider.order", clause)


def _by_policy(candidate: Candidate, preferences: Preferences) -> Iterator[Reason]:
    if preferences.zdr and not candidate.zero_retention:
        clause = "its provider may keep data, and 'provider.zdr' is true"
        yield Reason("data_policy:zdr", "provider.zdr", clause)
    if preferences.data_collection == "deny" and candidate.collects_data:
        clause = "its provider may collect data, and 'provider.data_collection' is 'deny'"
        yield Reason("data_policy:training", "provider.data_collection", clause)


def _listed(slugs: Sequence[str]) -> str:
    return ", ".join(slug[:60] for slug in slugs[:5]) + (" …" if len(slugs) > 5 else "")
