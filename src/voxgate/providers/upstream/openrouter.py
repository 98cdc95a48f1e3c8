"""OpenRouter: JSON with the sound in base64, for models of many hosts (openrouter-api.md 2, 6).

Its hosts differ: one that does not speak OpenAI's dialect refuses `verbose_json`. What the operator
says of the privacy of this upstream is asked of OpenRouter in each request.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import msgspec
import pybase64

from voxgate.providers.upstream import compatible
from voxgate.providers.upstream.compatible import HIGHEST_TEMPERATURE, PATHS
from voxgate.providers.upstream.dialect import Dialect, UpstreamRequest

if TYPE_CHECKING:
    from voxgate.providers.upstream.dialect import Times, WindowQuestion
    from voxgate.upstreams import Endpoint, Upstream


def options_of(_endpoint: Endpoint) -> frozenset[str]:
    """Return the options of every model: a prompt is ignored, and `keyterms` may be refused."""
    return frozenset({"language", "temperature"})


def times_of(endpoint: Endpoint) -> Times:
    """Return the finest times: those of Whispers, whose hosts speak OpenAI's dialect."""
    return "word" if "whisper" in endpoint.upstream_model.lower() else "none"


def render(question: WindowQuestion) -> UpstreamRequest:
    """Return the document."""
    options = question.options
    document: dict[str, Any] = {
        "model": question.endpoint.upstream_model,
        "input_audio": {
            "data": pybase64.b64encode(question.sound.data).decode(),
            "format": question.sound.format,
        },
        "response_format": "json" if question.times == "none" else "verbose_json",
    }
    if question.times != "none":
        both = ["segment", "word"]
        document["timestamp_granularities"] = both if question.times == "word" else both[:1]
    if options.language is not None:
        document["language"] = options.language
    if options.temperature:
        document["temperature"] = min(options.temperature, HIGHEST_TEMPERATURE)
    if provider := privacy(question.endpoint.upstream):
        document["provider"] = provider
    return UpstreamRequest(PATHS["transcribe"], document=msgspec.json.encode(document))


def privacy(upstream: Upstream) -> dict[str, Any]:
    """Return what is asked of its hosts, in `provider`: what the operator says of this upstream."""
    provider: dict[str, Any] = {}
    if not upstream.collects_data:
        provider["data_collection"] = "deny"
    if upstream.zero_retention:
        provider["zdr"] = True
    return provider


OPENROUTER = Dialect(options_of, times_of, render, compatible.parse)
