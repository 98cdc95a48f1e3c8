"""`Attempt`: one attempt of a provider at a window or a question, and its record."""

from __future__ import annotations

import time
from contextlib import contextmanager
from dataclasses import dataclass
from http import HTTPStatus
from typing import TYPE_CHECKING

from opentelemetry.trace import SpanKind

from voxgate import tracing
from voxgate.errors import VoxgateError
from voxgate.routing.tally import EndedAttempt

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.errors import Code
    from voxgate.pipeline.route import SharedProvider
    from voxgate.routing.health import HealthBook
    from voxgate.routing.tally import Ending


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt at one window or question."""

    endpoint: str  # its slug
    seconds: float  # wall time
    error: Code | None = None  # of the failure; None for success
    sentence: str = ""  # the whole one of the failure, for the operator


class FirstText:
    """The moment of an attempt's first text, by the monotonic clock; None before."""

    at: float | None = None

    def note(self) -> None:
        """Note that text has come."""
        if self.at is None:
            self.at = time.monotonic()


@contextmanager
def recorded_attempt(
    provider: SharedProvider,
    audio_s: float,
    trace: list[Attempt],
    health: HealthBook,
    *,
    timed: bool = True,
) -> Iterator[FirstText]:
    """Be one attempt's span, and add it to `trace` and to its provider's health, also if it fails.

    `audio_s` is the sound that it is to recognise. Unless it is `timed`, its provider is not taken
    for faster or slower by it: an answer takes as long as it is.
    """
    start, failure, first_text = time.monotonic(), None, FirstText()
    ending: Ending = "cancelled"
    try:
        with tracing.span(
            "attempt", kind=SpanKind.CLIENT, attributes={"voxgate.endpoint": provider.slug}
        ):
            yield first_text
        ending = "succeeded"
    except VoxgateError as error:
        found, failure = ending_of(error), error
        ending = "failed" if provider.is_local and found == "rate_limited" else found
        raise
    finally:
        seconds = time.monotonic() - start
        succeeded_at = first_text.at if ending == "succeeded" else None
        first_text_s = None if succeeded_at is None else succeeded_at - start
        # An engine of this machine has a queue: it needs no rest, whatever it says.
        retry_after_s = failure.retry_after_s if failure and not provider.is_local else None
        health.record(
            provider.slug,
            EndedAttempt(ending, seconds, audio_s, first_text_s, retry_after_s, timed),
        )
        if ending != "cancelled":
            code, sentence = (failure.code, failure.sentence) if failure else (None, "")
            trace.append(Attempt(provider.slug, seconds, code, sentence))


def ending_of(error: VoxgateError) -> Ending:
    """Return what an error of a provider says of its health."""
    if error.code in _ENDINGS:
        return _ENDINGS[error.code]
    return "refused" if error.status < HTTPStatus.INTERNAL_SERVER_ERROR else "failed"


_ENDINGS: dict[Code, Ending] = {
    "upstream_timeout": "timed_out",
    "upstream_rate_limited": "rate_limited",
    "upstream_denied": "denied",
}
