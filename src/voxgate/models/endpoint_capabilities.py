"""What a model can do at a provider elsewhere, by what the operator says and by its kind.

Nobody there can be asked. So what a kind of server or a family of models is not known to do counts
as what it cannot: `voxgate providers test` shows what an endpoint really sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from voxgate.models.capabilities import Capabilities
from voxgate.whisper.languages import ENGLISH_ONLY, MULTILINGUAL

if TYPE_CHECKING:
    from voxgate.upstreams import Endpoint, Upstream, UpstreamKind

WINDOW_S = 120.0
"""The longest window where no other is wanted. A longer one loses more when a request fails, and
the first words come later; a shorter one pays the provider's minimum for a request more often."""

WAV_HEADER_BYTES = 44
WAV_BYTES_PER_S = 2 * 16_000  # 16 kHz mono PCM16
LOSSLESS = {"wav", "flac"}  # noise takes as many bytes in one as in the other

VOXTRAL_LANGUAGES = ("en", "fr", "es", "pt", "hi", "de", "nl", "it")
"""Of the open weights of 2507, from their model card; later ones know these, too."""

_OPTIONS: dict[UpstreamKind, frozenset[str]] = {
    "openai": frozenset({"temperature", "prompt"}),  # openai-api.md 2
    "compatible": frozenset({"temperature", "prompt"}),
    "vllm": frozenset({"temperature", "prompt", "top_p", "seed"}),  # openai-api.md 10
    "mistral": frozenset({"temperature"}),  # mistral-api.md 2.1: there is no prompt
    "openrouter": frozenset({"temperature"}),  # openrouter-api.md 2.2: a prompt is ignored
}
_NO_TRANSLATION = ("turbo", "distil", ".en")
"""Whispers that write no English for speech in other languages, by their names."""


def capabilities_of(endpoint: Endpoint) -> Capabilities:
    """Return what a model can do at a provider elsewhere."""
    kind, whisper = endpoint.upstream.kind, _is_named(endpoint, "whisper")
    times = endpoint.times or _times(endpoint)
    languages = endpoint.languages or _languages(endpoint)
    translating = whisper and not any(_is_named(endpoint, part) for part in _NO_TRANSLATION)
    return Capabilities(
        window_s=_window_s(endpoint),
        languages=languages,
        times=times,
        concurrency=endpoint.upstream.concurrency,
        options=_OPTIONS[kind],
        detects_language=len(languages) > 1,
        # OpenAI's servers name it in `verbose_json` alone, which is asked for where times come.
        names_language=kind == "mistral" or times != "none",
        translates=translating and kind in {"openai", "compatible", "vllm"},
        vocabulary=kind == "mistral",
    )


def longest_s(upstream: Upstream) -> float:
    """Return the most seconds of sound that surely fit into one request to an upstream."""
    if not set(upstream.formats) <= LOSSLESS:
        return upstream.max_s
    return min(upstream.max_s, (upstream.max_bytes - WAV_HEADER_BYTES) / WAV_BYTES_PER_S)


def _window_s(endpoint: Endpoint) -> float:
    return min(endpoint.window_s or WINDOW_S, longest_s(endpoint.upstream))


def _languages(endpoint: Endpoint) -> tuple[str, ...]:
    if _is_named(endpoint, "voxtral"):
        return VOXTRAL_LANGUAGES
    english = _is_named(endpoint, ".en") or _is_named(endpoint, "distil-whisper")
    return ENGLISH_ONLY if english else MULTILINGUAL


def _times(endpoint: Endpoint) -> Literal["word", "segment", "none"]:
    """Return the finest times that a kind of server is known to send for a model."""
    match endpoint.upstream.kind:
        case "mistral":
            return "segment"  # words are a 400 since Voxtral 3: mistral-api.md 2.2
        case "openrouter":  # it depends on who serves the model there: openrouter-api.md 2.5
            return "word" if endpoint.upstream_model == "openai/whisper-1" else "none"
        case "vllm":
            return "segment" if _is_named(endpoint, "whisper") else "none"
        case _:
            return "word" if _is_named(endpoint, "whisper") else "none"


def _is_named(endpoint: Endpoint, part: str) -> bool:
    return part in f"{endpoint.model} {endpoint.upstream_model}".lower()
