"""`upstream_capabilities`: what a model elsewhere can do, by its kind of upstream and its name."""

from __future__ import annotations

from typing import TYPE_CHECKING

from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities
from voxgate.models.catalogue import WHISPER_CAPABILITIES
from voxgate.providers.upstream.dialects import DIALECTS

if TYPE_CHECKING:
    from voxgate.upstreams import Endpoint

WINDOW_S = 60.0
"""Of kinds that do not say otherwise: what is redone after a failure, and what OpenRouter's hosts
take (openrouter-api.md 3.4)."""

VLLM_WINDOW_S = 30.0
"""A longer one is cut by vLLM itself, which loses words there (vllm-project/vllm#58029)."""

NAMING_LANGUAGE = {"openai", "compatible", "openrouter"}
"""Kinds whose answers with times name the language. vLLM names the one that it assumed."""


def upstream_capabilities(endpoint: Endpoint, languages: tuple[str, ...] = ()) -> Capabilities:
    """Return what the endpoint can do. `languages` are those of the model's family.

    What the endpoint itself says counts first.
    """
    upstream = endpoint.upstream
    dialect = DIALECTS[upstream.kind]
    carried, times = dialect.options(endpoint), endpoint.times or dialect.times(endpoint)
    whisper = "whisper" in endpoint.upstream_model.lower()
    is_vllm = upstream.kind == "vllm"
    usual = WHISPER_CAPABILITIES if whisper else Capabilities(WINDOW_S, (), times)
    return Capabilities(
        window_s=min(endpoint.window_s or (VLLM_WINDOW_S if is_vllm else WINDOW_S), upstream.max_s),
        languages=endpoint.languages or languages,
        times=times,
        concurrency=upstream.concurrency,
        # Where the text stops is found in what was answered: no request has to say it.
        options=carried.intersection((*STRICT_OPTIONS, *HINT_OPTIONS)) | {"stop"},
        detects_language=not (is_vllm and whisper),
        names_language=upstream.kind in NAMING_LANGUAGE and times != "none",
        translates="task" in carried,
        vocabulary="vocabulary" in carried,
        long_pause_s=usual.long_pause_s,
        margin_s=usual.margin_s,
    )
