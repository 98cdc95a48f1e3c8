"""Which events a streaming request gets: OpenAI's, or Mistral's where it accepts only those.

Both dialects have one path and one field. Mistral's client names `text/event-stream` in `Accept`,
and OpenAI's does not (openrouter-api.md 11.1). OpenRouter's own dialect has no streaming; a client
that sets `stream` in its JSON gets OpenAI's events.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from voxgate.errors import UsageError

if TYPE_CHECKING:
    from voxgate.api.dialects.wire import ResponseFormat

EventDialect: TypeAlias = Literal["openai", "mistral"]

EVENT_STREAM = "text/event-stream"


def choose_events(accept: str, format_: ResponseFormat) -> EventDialect:
    """Return the dialect of a streaming request's events.

    `accept` is the header of this name, `format_` the response format without streaming. Raises
    `UsageError` (`unsupported_option`) for a format that no event of the dialect has.
    """
    if EVENT_STREAM in accept.lower():
        if format_ in {"json", "text", "verbose_json"}:
            return "mistral"
        raise _unsupported(format_, "its events have text and segments")
    if format_ in {"json", "text"}:
        return "openai"
    if format_ == "verbose_json":
        raise _unsupported(
            format_,
            f"OpenAI's events have no times. Mistral's have them: send 'Accept: {EVENT_STREAM}'",
        )
    raise _unsupported(format_, "its events have text")


def _unsupported(format_: str, why: str) -> UsageError:
    return UsageError(
        f"'{format_}' cannot be streamed: {why}. Or leave out 'stream', or 'response_format' and "
        f"the granularities.",
        code="unsupported_option",
    )
