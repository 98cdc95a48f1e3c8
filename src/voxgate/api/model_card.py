"""`model_card` and `model_endpoint`: a model as clients are told of it, in one shape for all.

OpenRouter's shape has the most fields. OpenAI's and Mistral's clients find those of theirs in it.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from voxgate.api.generation_record import PROVIDER_NAME
from voxgate.models.catalogue import why_unavailable
from voxgate.models.precision import precision_of
from voxgate.prices import UNIT_TOKENS

if TYPE_CHECKING:
    from voxgate.models.catalogue import ModelSpec
    from voxgate.prices import Price, PriceList

ARCHITECTURE = {
    "modality": "audio->transcription",
    "input_modalities": ["audio"],
    "output_modalities": ["transcription"],
    "tokenizer": "Other",
    "instruct_type": None,
}


def _supported(spec: ModelSpec) -> list[str]:
    """Return the honoured options, by the names of openrouter-api.md 2.7."""
    return [*sorted(spec.capabilities.options), "response_format"]


def _created(spec: ModelSpec) -> int:
    return int(datetime.combine(spec.released, time(), UTC).timestamp())


def model_card(spec: ModelSpec, prices: PriceList) -> dict[str, Any]:
    """Return a model as OpenRouter, OpenAI and Mistral describe theirs, in one object."""
    price = _price(spec, prices)
    missing = why_unavailable(spec)
    return {
        "id": spec.name,
        "canonical_slug": spec.name,
        "name": spec.title,
        "created": _created(spec),
        "description": spec.summary,
        "context_length": 0,
        "architecture": ARCHITECTURE,
        "pricing": _pricing(price),
        "top_provider": {
            "context_length": None,
            "max_completion_tokens": None,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": _supported(spec),
        "default_parameters": None,
        "supported_voices": None,
        "hugging_face_id": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{spec.name}/endpoints"},
        "object": "model",  # this and the next one are OpenAI's and Mistral's
        "owned_by": spec.name.partition("/")[0],
        **_mistral_card(spec),
        "voxgate": {
            "price": price.record() if price else None,
            "languages": list(spec.capabilities.languages),
            "times": spec.capabilities.times,
            "detects_language": spec.capabilities.detects_language,
            "translates": spec.capabilities.translates,
            "vocabulary": spec.capabilities.vocabulary,
            "speakers": spec.capabilities.speakers,
            "streaming": spec.capabilities.streaming,
            "licence": spec.licence,
            **_checkpoint(spec),
            "aliases": list(spec.aliases),
            "installed": missing is None,
            "missing": missing,
        },
    }


def _price(spec: ModelSpec, prices: PriceList) -> Price | None:
    return prices.find(spec.name, datetime.now(UTC))


def _pricing(price: Price | None) -> dict[str, str]:
    """Return a price in OpenRouter's shape, which has a unit for tokens alone: dollars for one.

    See openrouter-api.md 4.1.
    """
    if price is None:
        return {"prompt": "0", "completion": "0"}
    if price.by_token:
        amount = (price.amount / UNIT_TOKENS[price.unit]).normalize()
        return {"prompt": "0", "completion": f"{amount:f}"}
    return {"prompt": f"{price.amount:f}", "completion": "0"}


def _mistral_card(spec: ModelSpec) -> dict[str, Any]:
    """Return what Mistral's card has besides (mistral-api.md 8). Its client requires the first."""
    return {
        "capabilities": {
            "audio": True,
            "audio_transcription": True,
            "audio_transcription_realtime": False,
        },
        "type": "base",
        "aliases": list(spec.aliases),
        "audio_transcription_capabilities": {
            "modes": ["offline"],
            "diarization": spec.capabilities.speakers,
            "context_bias": spec.capabilities.vocabulary,
            "turn_detection": False,
            "timestamp_granularities": ["segment", "word"],
            "languages": list(spec.capabilities.languages),
            "streaming_delays_ms": [],
        },
    }


def _checkpoint(spec: ModelSpec) -> dict[str, str | None]:
    """Return the checkpoint that would be used now; null for a model that comes in a package."""
    return {"revision": spec.revision, "profile": spec.profile}


def endpoint_id(model: str, provider: str) -> str:
    """Return the id of what serves a model, the same in every answer and on every server."""
    return str(uuid5(NAMESPACE_URL, f"voxgate:{provider}/{model}"))


def model_endpoint(spec: ModelSpec, prices: PriceList) -> dict[str, Any]:
    """Return the one endpoint of an installed model, as OpenRouter describes its own."""
    return {
        "name": f"{PROVIDER_NAME} | {spec.name}",
        "model_id": spec.name,
        "model_name": spec.title,
        "provider_name": PROVIDER_NAME,
        "tag": PROVIDER_NAME.lower(),
        "context_length": 0,
        "max_completion_tokens": None,
        "max_prompt_tokens": None,
        "pricing": {**_pricing(_price(spec, prices)), "discount": 0},
        "quantization": precision_of(spec),
        "supported_parameters": _supported(spec),
        "status": 0,
        "uptime_last_5m": None,
        "uptime_last_30m": None,
        "uptime_last_1d": None,
        "latency_last_30m": None,
        "throughput_last_30m": None,
        "voxgate": _checkpoint(spec),
        "supports_implicit_caching": False,
        "supports_diarization": spec.capabilities.speakers,
        "native_tools": {},
        "service_tier": None,
        "supports_tool_choice": {
            "auto": False,
            "function": False,
            "none": False,
            "required": False,
        },
    }
