"""The responses of an upstream that are no answer, as errors: what it said, and the next step.

What a server says is one line of limited length, without a key and without what an address may hide
in its user name or its query.
"""

from __future__ import annotations

import re
import time
from email.utils import parsedate_to_datetime
from http import HTTPStatus
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec

from voxgate.errors import PUBLIC_SENTENCES, UpstreamError, UsageError, VoxgateError
from voxgate.providers.upstream.connection_failures import for_operator
from voxgate.transcript.text import one_line

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from voxgate.errors import Code
    from voxgate.providers.upstream.exchange import UpstreamResponse
    from voxgate.upstreams import Upstream

LONGEST_QUOTE = 300  # characters
LEVELS = 8  # of objects and lists in an error that are read: more than any server has
LONGEST_WAIT_S = 3600.0

ABOUT_THE_INPUT = {400, 422}
ABOUT_THE_KEY = {401, 402, 403, 429}
"""Statuses that another key may not have."""


NO_CREDIT = "insufficient_quota"
"""OpenAI's code for an account without credit, which it answers with 429: waiting does not help."""


class _Meaning(NamedTuple):
    """What a status says of an upstream, and what can be done about it."""

    code: Code
    next_step: str
    to_operator: bool = False


_LATER = "Try again later, or ask for another model"
_MEANINGS: dict[int, _Meaning] = {
    401: _Meaning("upstream_denied", "Check the provider's 'keys' in voxgate.toml"),
    402: _Meaning("upstream_denied", "Check the credit of the provider's account"),
    403: _Meaning("upstream_denied", "Check what the provider's keys may do"),
    408: _Meaning("upstream_timeout", _LATER),
    413: _Meaning("upstream_failed", "Lower the provider's 'max_bytes' or 'max_s'", True),
    429: _Meaning("upstream_rate_limited", _LATER),
    504: _Meaning("upstream_timeout", _LATER),
    524: _Meaning("upstream_timeout", _LATER),
}
_REDIRECT = _Meaning("upstream_failed", "No redirect is followed: correct its 'url'", True)
_OWN_FAULT = _Meaning(
    "upstream_failed",
    "Check the provider's 'url' and 'kind', and the endpoint's 'upstream_model' and 'times'",
    True,
)
_ITS_FAULT = _Meaning("upstream_failed", _LATER)

_OWN_FIELDS = ("model", "response_format", "timestamp_granularities", "include")
"""What this side chooses, not the caller: an error about it is not the caller's."""

_TOO_LONG = re.compile(
    r"context_length_exceeded|maximum context length|exceed_context_size|context window",
    re.IGNORECASE,
)
"""In what servers say of a question that is longer than their model's context."""

_FAILED = re.compile(r"[45][0-9]{2}")
_WRONG_MODEL = re.compile(
    r"model_not_found|wrong_endpoint|no_endpoints|^invalid model\b", re.IGNORECASE
)
_USER_IN_URL = re.compile(r"(\w+://)[^\s/@]*@")
_QUERY_IN_URL = re.compile(r"(\w+://[^\s?#]*)[?#][^\s\"')>]*")
_URL = re.compile(r"\w+://[^\s\"')>]*[^\s\"')>.,;:]")


class _Body(msgspec.Struct):
    """What bodies of failures have, of any server. The text of an answer is only looked for."""

    error: Any = None
    object: Any = None
    message: Any = None
    detail: Any = None
    text: msgspec.Raw | None = None


def failure_status(response: UpstreamResponse) -> int | None:
    """Return the status of a failure, also of one that is told in a success; None for an answer."""
    error = _error_object(response.body)
    code = error.get("code") if isinstance(error, dict) else None
    if not response.ok:
        return HTTPStatus.PAYMENT_REQUIRED if code == NO_CREDIT else response.status
    if error is None:
        return None
    told = _FAILED.fullmatch(str(code)) if isinstance(code, (int, str)) else None
    return int(told[0]) if told else HTTPStatus.BAD_GATEWAY


def response_failure(
    upstream: Upstream,
    response: UpstreamResponse,
    status: int,
    hide: Callable[[str], str],
    *,
    by_caller: Collection[str] = (),
) -> VoxgateError:
    """Return the error for a response that is no answer.

    `hide` removes keys from a text. `by_caller` are fields of the request that the caller chose.
    """
    error = _error_object(response.body)
    said = f"{_named(status)}{_quote(error, hide)}"
    if status in ABOUT_THE_INPUT and _is_too_long(error):
        return UsageError(
            _without_urls(
                f"The question does not fit into the context of the model at {upstream.name}, "
                f"which answered {said}. Shorten it, or ask a model with a longer context."
            ),
            code="context_exceeded",
        )
    if status in ABOUT_THE_INPUT and not _is_own_fault(error, by_caller):
        sentence = (
            f"{upstream.name} refused the input with {said}. Correct the request, or ask for "
            f"another model."
        )
        return UpstreamError(sentence, code="upstream_refused", public=_without_urls(sentence))
    code, next_step, to_operator = _meaning(status)
    sentence = f"{upstream.name} answered {said}. {next_step}."
    if to_operator:
        return for_operator(upstream, sentence)
    # What it says may be about the operator's account.
    public = f"{upstream.name} answered {_named(status)}. {next_step}."
    return UpstreamError(
        sentence,
        retry_after_s(response),
        code=code,
        public="" if code in PUBLIC_SENTENCES else public,
    )


def unusable_end(upstream: Upstream, reason: str | None) -> UpstreamError:
    """Return the error for an answer that ended in another way than by itself or its length."""
    how = f"by '{one_line(reason)[:60]}'" if reason else "without a reason"
    return UpstreamError(
        f"{upstream.name} ended its answer {how}, so it cannot be used. Ask something else, or "
        f"another model."
    )


def refused_answer(upstream: Upstream) -> UpstreamError:
    """Return the error for a success that has no text."""
    return UpstreamError(
        f"{upstream.name} gave no answer to this question. Ask in another way, or another model."
    )


def wrong_json(upstream: Upstream) -> UpstreamError:
    """Return the error for an answer that its schema does not allow."""
    return UpstreamError(
        f"{upstream.name} sent an answer that is no JSON by the schema. Try again, or ask a model "
        f"whose answers follow schemas: one of this machine does."
    )


def unusable_answer(
    upstream: Upstream, response: UpstreamResponse, fault: Exception, hide: Callable[[str], str]
) -> UpstreamError:
    """Return the error for a success whose body is no answer."""
    kind = hide(one_line(response.content_type))[:60] or "no content type"
    what = hide(one_line(str(fault)))[:LONGEST_QUOTE].rstrip(".")
    return for_operator(
        upstream,
        f"{upstream.name} sent an answer that cannot be used ({kind}: {what}). Try again; if it "
        f"stays so, check the provider's 'url' and 'kind' in voxgate.toml.",
    )


def other_model(upstream: Upstream, asked: str, answered: str) -> UpstreamError:
    """Return the error for the answer of a model that nobody asked."""
    return for_operator(
        upstream,
        f"{upstream.name} was asked for {asked}, and {one_line(answered)[:100]} answered. If that "
        f"is the model that is meant, write its name as 'upstream_model' of the endpoint.",
    )


def endless_answer(upstream: Upstream, limit: int) -> UpstreamError:
    """Return the error for an answer that is too long."""
    return for_operator(
        upstream,
        f"{upstream.name} sent more than {limit / 1e6:.0f} MB for one window. No words are so "
        f"long: check the provider's 'url' in voxgate.toml.",
    )


def compressed_answer(upstream: Upstream, encoding: str) -> UpstreamError:
    """Return the error for a body that would have to be inflated."""
    return for_operator(
        upstream,
        f"{upstream.name} sent its answer compressed ({one_line(encoding)[:60]}), though it was "
        f"asked not to. Check the proxy before it.",
    )


def retry_after_s(response: UpstreamResponse) -> float | None:
    """Return the seconds of Retry-After, which may be a date; None where there is none."""
    given = response.headers.get("retry-after", "").strip()
    if given.isascii() and given.replace(".", "", 1).isdigit():
        return min(float(given), LONGEST_WAIT_S)
    try:
        wait_s = parsedate_to_datetime(given).timestamp() - time.time()
    except (ValueError, OverflowError):
        return None
    return min(max(wait_s, 0.0), LONGEST_WAIT_S)


def _meaning(status: int) -> _Meaning:
    if meaning := _MEANINGS.get(status):
        return meaning
    if status >= HTTPStatus.INTERNAL_SERVER_ERROR:
        return _ITS_FAULT
    return _REDIRECT if 300 <= status < 400 else _OWN_FAULT


def _is_too_long(error: object) -> bool:
    """Return whether a refusal is about the length of a question."""
    if not isinstance(error, dict):
        return False
    texts = (str(error.get(name)) for name in ("code", "type", "message"))
    return any(_TOO_LONG.search(text) for text in texts)


def _is_own_fault(error: object, by_caller: Collection[str]) -> bool:
    """Return whether a refusal is about what this side chose."""
    if not isinstance(error, dict):
        return False
    named = str(error.get("param")).partition("[")[0]
    if named in by_caller:
        return False
    texts = (str(error.get("code")), str(error.get("message")), str(error.get("availability")))
    return named in _OWN_FIELDS or any(_WRONG_MODEL.search(text) for text in texts)


def _error_object(body: bytes) -> object:
    """Return the error in a body; None where there is none."""
    try:
        told = msgspec.json.decode(body, type=_Body)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError):
        return None
    if told.error:
        return _upper_levels(told.error)
    said = _upper_levels(told.message or told.detail)
    return {"message": said} if said and (told.object == "error" or told.text is None) else None


def _upper_levels(value: object, levels: int = LEVELS) -> object:
    """Return a value of JSON without what is deeper than any sentence."""
    if isinstance(value, dict):
        return {key: _upper_levels(each, levels - 1) for key, each in value.items() if levels}
    if isinstance(value, list):
        return [_upper_levels(each, levels - 1) for each in value if levels]
    return value


def _quote(error: object, hide: Callable[[str], str]) -> str:
    """Return what the upstream says of it, after a colon; nothing where it says nothing."""
    said = one_line(_sentence(error))[: 4 * LONGEST_QUOTE]
    said = _QUERY_IN_URL.sub(r"\1", _USER_IN_URL.sub(r"\1", said))
    said = hide(said)[:LONGEST_QUOTE].rstrip(". ")
    return f": {said}" if said else ""


def _without_urls(sentence: str) -> str:
    """Return what callers are told: an address may be one of the operator's own network."""
    return _URL.sub("[address]", sentence)


def _sentence(error: object) -> str:
    """Return the sentence in an error: of OpenAI, OpenRouter, Mistral or FastAPI."""
    if isinstance(error, str):
        return error
    if isinstance(error, list):
        return "; ".join(filter(None, map(_sentence, error[:3])))
    if not isinstance(error, dict):
        return ""
    parts = (_sentence(error.get(name)) for name in ("message", "detail", "msg", "error"))
    return next(filter(None, parts), "")


def _named(status: int) -> str:
    try:
        return f"{int(status)} ({HTTPStatus(status).phrase})"
    except ValueError:
        return str(status)
