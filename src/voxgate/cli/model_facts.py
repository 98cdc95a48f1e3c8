"""What `voxgate models` tells of a model: its facts in JSON, and how a table shows them."""

# ruff: noqa: PLC0415 (a command imports its modules when it runs)

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from voxgate.errors import ChangedCheckpointError
from voxgate.upstreams import LOCAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from voxgate.models.available import AvailableModels
    from voxgate.models.capabilities import Capabilities
    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.record import ModelRecord
    from voxgate.models.store.registry import Registry
    from voxgate.upstreams import Endpoint

MODEL_HEADINGS = (
    *("model", "languages", "times", "longest window", "licence", "state"),
    *("revision", "size"),
)


def built_in_facts(models: AvailableModels) -> list[dict[str, Any]]:
    """Return the fields of each model that comes in packages."""
    from voxgate.models.catalogue import BUILT_IN_MODELS, why_not_installed

    return [
        {
            "name": spec.name,
            "summary": spec.summary,
            "languages": list(spec.capabilities.languages),
            **_capability_facts(spec.capabilities),
            "licence": spec.licence,
            "installed": (absent := why_not_installed(spec)) is None,
            "missing": absent,
            "providers": _providers(absent is None, models.usable_endpoints_of(spec.name)),
        }
        for spec in BUILT_IN_MODELS.values()
    ]


def elsewhere_facts(spec: ModelSpec) -> dict[str, Any]:
    """Return the fields of a model that is at providers elsewhere alone."""
    return {
        "name": spec.name,
        "summary": spec.summary,
        "languages": list(spec.capabilities.languages),
        **_capability_facts(spec.capabilities),
        "licence": "not stated",
        "installed": False,
        "missing": None,
        "providers": _providers(False, spec.endpoints),
        "also_called": list(spec.aliases),
        "endpoints": list(map(endpoint_facts, spec.endpoints)),
    }


def model_facts(
    registry: Registry, record: ModelRecord, endpoints: Sequence[Endpoint] = ()
) -> dict[str, Any]:
    """Return the fields of a built-in model, and those that only an installed model has.

    `endpoints` are where else it is.
    """
    from voxgate.models.catalogue import VOXTRAL_CAPABILITIES, WHISPER_CAPABILITIES
    from voxgate.models.store.names import FAMILIES

    is_whisper = record.layout == "ctranslate2"
    capabilities = WHISPER_CAPABILITIES if is_whisper else VOXTRAL_CAPABILITIES
    official = record.name in {family.repository for family in FAMILIES}
    try:
        registry.check_unchanged(record)
        problem = None
        capabilities = _capabilities(record)
    except ChangedCheckpointError as error:
        problem = error.sentence
    licence = "MIT" if is_whisper else "Apache-2.0"
    return {
        "name": record.name,
        "summary": f"A {'Whisper' if is_whisper else 'Voxtral'} checkpoint, {record.family}.",
        "languages": list(capabilities.languages),
        **_capability_facts(capabilities),
        "licence": licence if official else "not stated",
        "installed": problem is None,
        "missing": problem,
        "providers": _providers(problem is None, endpoints),
        "endpoints": list(map(endpoint_facts, endpoints)),
        "state": "installed" if problem is None else "changed",
        **record.facts(),
        "memory_bytes": record.memory_bytes,
        "profiles": {} if problem else _bytes_by_profile(record),
    }


def table_row(model: dict[str, Any]) -> tuple[str, ...]:
    """Return the cells of `MODEL_HEADINGS` for a model's facts."""
    from voxgate.hardware.memory import format_bytes

    return (
        model["name"],
        languages_text(model["languages"]),
        model["times"],
        f"{model['window_s']:g} s",
        model["licence"],
        _state(model),
        model.get("revision", ""),
        format_bytes(model["bytes"]) if "bytes" in model else "",
    )


def model_lines(record: ModelRecord, facts: dict[str, Any]) -> list[tuple[str, str]]:
    """Return the names and values that are shown of one installed model."""
    from voxgate.hardware.memory import format_bytes

    weights = (f"{format_bytes(n)} {name}" for name, n in facts["profiles"].items())
    return [
        ("name", record.name),
        ("also called", ", ".join(facts["also_called"])),
        ("revision", record.revision),
        ("came by", record.source),
        ("installed at", _local_time(record.installed_at)),
        ("folder", str(record.folder)),
        ("layout", record.layout),
        ("family", record.family),
        ("languages", ", ".join(facts["languages"])),
        ("size", format_bytes(record.nbytes)),
        ("weights", f"{', '.join(weights)}, in memory"),
        ("state", facts["missing"] or "installed"),
        *(
            (each.name, f"{format_bytes(each.nbytes)}, SHA-256 {each.sha256}")
            for each in record.files
        ),
    ]


def elsewhere_lines(spec: ModelSpec) -> list[tuple[str, str]]:
    """Return the names and values that are shown of a model at providers elsewhere alone."""
    return [
        ("name", spec.name),
        ("also called", ", ".join(spec.aliases)),
        ("state", "not on this machine"),
        *endpoint_lines(spec.endpoints),
    ]


def endpoint_lines(endpoints: Sequence[Endpoint]) -> list[tuple[str, str]]:
    """Return a name and a value for each endpoint elsewhere of a model."""
    return [(f"at {endpoint.upstream.name}", _abilities(endpoint)) for endpoint in endpoints]


def endpoint_facts(endpoint: Endpoint) -> dict[str, Any]:
    """Return the fields of a model at a provider elsewhere."""
    from voxgate.models.endpoint_capabilities import capabilities_of

    able = capabilities_of(endpoint)
    return {
        "model": endpoint.model,
        "provider": endpoint.upstream.name,
        "upstream_model": endpoint.upstream_model,
        "languages": list(able.languages),
        **_capability_facts(able),
        "options": sorted(able.options),
        "transcribes": able.transcribes,
        "answers": able.answers,
        "hears_s": able.hears_s,
        "quantization": endpoint.quantization,
    }


def _abilities(endpoint: Endpoint) -> str:
    facts = endpoint_facts(endpoint)
    heard = f" and {facts['hears_s']:g} s of sound" if facts["hears_s"] else ""
    answers = f"; answers questions about texts{heard}" if facts["answers"] else ""
    if not facts["transcribes"]:
        return f"{endpoint.upstream_model}{answers}"
    return (
        f"{endpoint.upstream_model}; languages: {languages_text(facts['languages'])}; times: "
        f"{facts['times']}; longest window: {facts['window_s']:g} s{answers}"
    )


def _providers(is_here: bool, endpoints: Sequence[Endpoint]) -> list[str]:
    return [*([LOCAL] if is_here else []), *(each.upstream.name for each in endpoints)]


def _state(model: dict[str, Any]) -> str:
    """Return why a model is not here, or that it is, and where else it is."""
    places = ", ".join(each for each in model["providers"] if each != LOCAL)
    here = model["missing"] or ("installed" if model["installed"] else "")
    return "; ".join(filter(None, (here, places and f"{'also ' * bool(here)}at {places}")))


def _capability_facts(capabilities: Capabilities) -> dict[str, Any]:
    return {
        "times": capabilities.times,
        "window_s": capabilities.window_s,
        "detects_language": capabilities.detects_language,
        "translates": capabilities.translates,
        "vocabulary": capabilities.vocabulary,
        "speakers": capabilities.speakers,
        "answers": capabilities.answers,
        "streaming": capabilities.streaming,
    }


def _capabilities(record: ModelRecord) -> Capabilities:
    from voxgate.models.catalogue import checkpoint_spec
    from voxgate.models.checkpoint import open_checkpoint

    return checkpoint_spec(open_checkpoint(record.folder, record.layout), record.name).capabilities


def _bytes_by_profile(record: ModelRecord) -> dict[str, int]:
    """Return the bytes of memory that the weights take in each profile."""
    from voxgate.models.checkpoint import open_checkpoint
    from voxgate.whisper.directory import WhisperDirectory
    from voxgate.whisper.footprint import weight_bytes as whisper_bytes

    folder = open_checkpoint(record.folder, record.layout)
    if isinstance(folder, WhisperDirectory):
        return {"int8": whisper_bytes(folder)}
    from voxgate.voxtral.quantization.profiles import PROFILES, weight_bytes

    return {profile: weight_bytes(folder, profile) for profile in PROFILES}


def languages_text(codes: Sequence[str]) -> str:
    """Return the codes of languages, or how many they are."""
    from voxgate.models.capabilities import MOST_LISTED

    return ", ".join(codes) if len(codes) <= MOST_LISTED else f"{len(codes)} languages"


def _local_time(utc: str) -> str:
    """Return a time in ISO 8601 as a clock here shows it."""
    return f"{datetime.fromisoformat(utc).astimezone():%Y-%m-%d %H:%M %Z}"
