"""vLLM: OpenAI's routes with names of its own, and times for Whisper alone (openai-api.md 10).

Its stream is shaped like a chat's; the whole answer is not. Without a language its Whisper is
told that the speech is English.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.providers.upstream import compatible
from voxgate.providers.upstream.compatible import PATHS, common_fields, verbose_fields
from voxgate.providers.upstream.dialect import Dialect, UpstreamRequest

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import Times, WindowQuestion
    from voxgate.upstreams import Endpoint

SAMPLING = ("temperature", "top_p", "seed")
"""Fields that have the names of the options."""

NOT_TRANSLATING = ("top_p", "vocabulary")
"""What the form of a translation does not have."""


def options_of(endpoint: Endpoint) -> frozenset[str]:
    """Return the options that its form has. Only Whisper translates, and reads a prompt."""
    options = {"language", "temperature", "vocabulary", *SAMPLING}
    return frozenset(options | ({"prompt", "task"} if _is_whisper(endpoint) else set()))


def times_of(endpoint: Endpoint) -> Times:
    """Return the finest times: it refuses `verbose_json` for models without."""
    return "segment" if _is_whisper(endpoint) else "none"


def render(question: WindowQuestion) -> UpstreamRequest:
    """Return the form."""
    options = question.options
    unused: tuple[str, ...] = ()
    if options.task == "translate":
        unused = tuple(name for name in NOT_TRANSLATING if options.is_set(name))
        options = options.without(*unused)
    fields = common_fields(question) | verbose_fields(question.times)
    if options.task == "translate":
        fields.pop("timestamp_granularities[]", None)
    for name in SAMPLING:
        if options.is_set(name):
            fields[name] = f"{getattr(options, name)}"
    if options.vocabulary:
        fields["hotwords"] = ", ".join(options.vocabulary)
    if options.prompt:
        fields["prompt"] = options.prompt
    return UpstreamRequest(PATHS[options.task], fields, unused=unused)


def _is_whisper(endpoint: Endpoint) -> bool:
    return "whisper" in endpoint.upstream_model.lower()


VLLM = Dialect(options_of, times_of, render, compatible.parse)
