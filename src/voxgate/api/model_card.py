"""`model_card`: a model as clients are told of it, in one shape for all.

OpenRouter's shape has the most fields. OpenAI's and Mistral's clients find those of theirs in it.
"""

from __future__ import annotations

from datetime import UTC, datetime, time
from typing import TYPE_CHECKING, Any
from uuid import NAMESPACE_URL, uuid5

from voxgate.models.catalogue import why_unavailable
from voxgate.models.endpoint_capabilities import capabilities_of
from voxgate.prices import UNIT_TOKENS
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.prices import Price, PriceList
    from voxgate.settings import Settings


def output_modalities(spec: ModelSpec, *, is_read: bool) -> list[str]:
    """Return what a model makes: transcripts, and texts as answers.

    `is_read` says that another model reads what it writes, and answers.
    """
    able = _all_capabilities(spec)
    writes = any(each.transcribes for each in able)
    answers = (is_read and writes) or any(each.answers for each in able)
    return ["transcription"] * writes + ["text"] * answers


def _architecture(spec: ModelSpec, *, is_read: bool) -> dict[str, Any]:
    """Return what goes into a model and comes out of it, as OpenRouter describes that."""
    makes = output_modalities(spec, is_read=is_read)
    hears = any(each.transcribes or each.hears_s for each in _all_capabilities(spec))
    takes = ["audio"] * hears + ["text"] * ("text" in makes)
    return {
        "modality": f"{'+'.join(takes)}->{'+'.join(makes)}",
        "input_modalities": takes,
        "output_modalities": makes,
        "tokenizer": "Other",
        "instruct_type": None,
    }


def _all_capabilities(spec: ModelSpec) -> list[Capabilities]:
    """Return what a model can do, here and at each of its endpoints elsewhere."""
    return [spec.capabilities, *map(capabilities_of, spec.endpoints)]


def supported_parameters(*able: Capabilities, is_read: bool = False) -> list[str]:
    """Return the options that one of them honours, by the names of openrouter-api.md 2.7.

    `is_read` says that another model reads what they write, and answers.
    """
    options = {
        option for each in able for option in each.options | (each.answer_options or frozenset())
    }
    structured = ["structured_outputs"] * (is_read or any(each.answers for each in able))
    return [*sorted(options), "response_format", *structured]


def providers_of(spec: ModelSpec) -> list[str]:
    """Return the slugs of those who serve a model: without any it cannot be used."""
    here = [LOCAL] if spec.loader is not None and why_unavailable(spec) is None else []
    return [*here, *(each.upstream.name for each in spec.endpoints)]


def _created(spec: ModelSpec) -> int:
    return int(datetime.combine(spec.released, time(), UTC).timestamp())


def model_card(spec: ModelSpec, settings: Settings) -> dict[str, Any]:
    """Return a model as OpenRouter, OpenAI and Mistral describe theirs, in one object."""
    missing, providers = why_unavailable(spec), providers_of(spec)
    price = price_now(spec, settings.prices, *providers[:1])
    able, is_read = _all_capabilities(spec), bool(settings.answer_model)
    return {
        "id": spec.name,
        "canonical_slug": spec.name,
        "name": spec.title,
        "created": _created(spec),
        "description": spec.summary,
        "context_length": 0,
        "architecture": _architecture(spec, is_read=is_read),
        "pricing": pricing(price),
        "top_provider": {
            "context_length": None,
            "max_completion_tokens": None,
            "is_moderated": False,
        },
        "per_request_limits": None,
        "supported_parameters": supported_parameters(*able, is_read=is_read),
        "default_parameters": None,
        "supported_voices": None,
        "hugging_face_id": None,
        "knowledge_cutoff": None,
        "expiration_date": None,
        "links": {"details": f"/api/v1/models/{spec.name}/endpoints"},
        "object": "model",  # this and the next one are OpenAI's and Mistral's
        "owned_by": spec.name.partition("/")[0],
        **_mistral_card(spec, answers="text" in output_modalities(spec, is_read=is_read)),
        "voxgate": {
            "price": price.record() if price else None,
            "languages": list(spec.capabilities.languages),
            "times": spec.capabilities.times,
            "detects_language": spec.capabilities.detects_language,
            "translates": spec.capabilities.translates,
            "vocabulary": spec.capabilities.vocabulary,
            "speakers": spec.capabilities.speakers,
            "answers": any(each.answers for each in able),
            "hears_s": max(each.hears_s for each in able),
            "streaming": spec.capabilities.streaming,
            "licence": spec.licence,
            **checkpoint(spec),
            "aliases": list(spec.aliases),
            "providers": providers,
            "installed": spec.loader is not None and missing is None,
            "missing": missing,
        },
    }


def price_now(spec: ModelSpec, prices: PriceList, provider: str = LOCAL) -> Price | None:
    """Return what a model costs now, where a provider runs it."""
    return prices.find(spec.name, datetime.now(UTC), provider)


def pricing(price: Price | None) -> dict[str, str]:
    """Return a price in OpenRouter's shape, which has a unit for tokens alone: dollars for one.

    See openrouter-api.md 4.1.
    """
    if price is None:
        return {"prompt": "0", "completion": "0"}
    if price.by_token:
        amount = (price.amount / UNIT_TOKENS[price.unit]).normalize()
        return {"prompt": "0", "completion": f"{amount:f}"}
    return {"prompt": f"{price.amount:f}", "completion": "0"}


def _mistral_card(spec: ModelSpec, *, answers: bool) -> dict[str, Any]:
    """Return what Mistral's card has besides (mistral-api.md 8). Its client requires the first."""
    return {
        "capabilities": {
            "completion_chat": answers,
            "audio": spec.capabilities.transcribes or spec.capabilities.hears_s > 0,
            "audio_transcription": spec.capabilities.transcribes,
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


def checkpoint(spec: ModelSpec) -> dict[str, str | None]:
    """Return the checkpoint that would be used now; null for a model that comes in a package."""
    return {"revision": spec.revision, "profile": spec.profile}


def endpoint_id(model: str, provider: str) -> str:
    """Return the id of what serves a model, the same in every answer and on every server."""
    return str(uuid5(NAMESPACE_URL, f"voxgate:{provider}/{model}"))
