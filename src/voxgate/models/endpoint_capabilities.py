"""What a model can do at a provider elsewhere, by what the operator says and by its kind.

Nobody there can be asked. So what a kind of server or a family of models is not known to do counts
as what it cannot: `voxgate providers test` shows what an endpoint really sends.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS, Capabilities
from voxgate.models.catalogue import WHISPER_CAPABILITIES
from voxgate.whisper.languages import ENGLISH_ONLY, MULTILINGUAL

if TYPE_CHECKING:
    from voxgate.upstreams import Endpoint, Upstream, UpstreamKind

WINDOW_S = 120.0
"""The longest window where no other is wanted. A longer one loses more when a request fails, and
the first words come later; a shorter one pays the provider's minimum for a request more often."""

OTHER_WINDOWS_S: dict[UpstreamKind, float] = {
    "openrouter": 60.0,  # some of its hosts refuse more: openrouter-api.md 3.4
    "vllm": 30.0,  # it cuts a longer one itself, and loses words there: vllm-project/vllm#58029
}

WAV_HEADER_BYTES = 44
WAV_BYTES_PER_S = 2 * 16_000  # 16 kHz mono PCM16
LOSSLESS = {"wav", "flac"}  # noise takes as many bytes in one as in the other

VOXTRAL_LANGUAGES = ("en", "fr", "es", "pt", "hi", "de", "nl", "it")
"""Of the open weights of 2507, from their model card; later ones know these, too."""

SAMPLING = ("top_p", "seed")  # of vLLM: openai-api.md 10

STOPPING = "stop"
"""What every model can do: the end is found in the answer, and no request has to say it."""

ANSWER_OPTIONS = frozenset({*STRICT_OPTIONS, *HINT_OPTIONS} - {"beam_size", "prompt"})
"""What every server's route of chats has."""

OTHER_CAPABILITIES = Capabilities(WINDOW_S, (), "none")
"""What is so of models other than Whispers."""

NOT_TRANSLATING = ("turbo", "distil", ".en")
"""In the names of Whispers that write no English for speech in other languages."""


def capabilities_of(endpoint: Endpoint) -> Capabilities:
    """Return what a model can do at a provider elsewhere."""
    if not endpoint.transcribes:
        return Capabilities(
            window_s=_window_s(endpoint),
            languages=(),
            times="none",
            concurrency=endpoint.upstream.concurrency,
            counts_tokens=True,
            answers=True,
            hears_s=_hears_s(endpoint),
            answer_options=ANSWER_OPTIONS,
            transcribes=False,
        )
    usual = WHISPER_CAPABILITIES if _is_named(endpoint, "whisper") else OTHER_CAPABILITIES
    times = endpoint.times or _times(endpoint)
    languages = endpoint.languages or _languages(endpoint)
    hints = _hints(endpoint)
    return Capabilities(
        window_s=_window_s(endpoint),
        languages=languages,
        times=times,
        concurrency=endpoint.upstream.concurrency,
        options=frozenset({*hints, STOPPING} - {"vocabulary"}),
        detects_language=len(languages) > 1 and not _assumes_english(endpoint),
        names_language=_names_language(endpoint, times),
        translates=_translates(endpoint),
        vocabulary="vocabulary" in hints,
        long_pause_s=usual.long_pause_s,
        margin_s=usual.margin_s,
        answers=endpoint.answers,
        hears_s=_hears_s(endpoint),
        answer_options=ANSWER_OPTIONS,
    )


def longest_s(upstream: Upstream) -> float:
    """Return the most seconds of sound that surely fit into one request to an upstream."""
    if not set(upstream.formats) <= LOSSLESS:
        return upstream.max_s
    return min(upstream.max_s, (upstream.max_bytes - WAV_HEADER_BYTES) / WAV_BYTES_PER_S)


def _hears_s(endpoint: Endpoint) -> float:
    """Return the most sound of a question, which is sent as WAV."""
    upstream = endpoint.upstream
    in_bytes_s = (upstream.max_bytes - WAV_HEADER_BYTES) / WAV_BYTES_PER_S
    return min(endpoint.hears_s, upstream.max_s, in_bytes_s)


def _window_s(endpoint: Endpoint) -> float:
    usual = OTHER_WINDOWS_S.get(endpoint.upstream.kind, WINDOW_S)
    return min(endpoint.window_s or usual, longest_s(endpoint.upstream))


def _languages(endpoint: Endpoint) -> tuple[str, ...]:
    if _is_named(endpoint, "voxtral"):
        return VOXTRAL_LANGUAGES
    english = _is_named(endpoint, ".en") or _is_named(endpoint, "distil-whisper")
    return ENGLISH_ONLY if english else MULTILINGUAL


def _hints(endpoint: Endpoint) -> set[str]:
    """Return the options, beside the language, that a request can carry."""
    model = endpoint.upstream_model.lower()
    match endpoint.upstream.kind:
        case "mistral":  # there is no prompt: mistral-api.md 2.1
            return {"temperature", "vocabulary"}
        case "openrouter":  # a prompt is ignored: openrouter-api.md 2.2
            return {"temperature"}
        case "openai" if "diarize" in model:  # openai-api.md 1
            return {"temperature"}
        case "vllm" if "whisper" not in model:
            return {"temperature", "vocabulary", *SAMPLING}
        case "vllm":
            return {"temperature", "vocabulary", "prompt", *SAMPLING}
        case _:
            return {"temperature", "vocabulary", "prompt"}


def _assumes_english(endpoint: Endpoint) -> bool:
    """Return whether speech without a language is taken for English: by vLLM, with a Whisper."""
    return endpoint.upstream.kind == "vllm" and "whisper" in endpoint.upstream_model.lower()


def _names_language(endpoint: Endpoint, times: str) -> bool:
    match endpoint.upstream.kind:
        case "mistral":  # where times are asked for, it is null: mistral-api.md 2.3
            return times == "none"
        case "vllm":
            return False  # it repeats what it was told, or assumed
        case "openai":
            return "whisper" in endpoint.upstream_model
        case _:  # `verbose_json` alone has it, which is asked for where times come
            return times != "none"


def _translates(endpoint: Endpoint) -> bool:
    """Return whether it is a Whisper at a server that has OpenAI's route of translations."""
    model = endpoint.upstream_model.lower()
    able = "whisper" in model and not any(part in model for part in NOT_TRANSLATING)
    return able and endpoint.upstream.kind in {"openai", "compatible", "vllm"}


def _times(endpoint: Endpoint) -> Literal["word", "segment", "none"]:
    """Return the finest times that a kind of server is known to send for a model."""
    match endpoint.upstream.kind:
        case "mistral":
            return "segment"  # words are a 400 since Voxtral 3: mistral-api.md 2.2
        case "openrouter":  # it depends on who serves the model there: openrouter-api.md 2.5
            return "word" if endpoint.upstream_model == "openai/whisper-1" else "none"
        case "vllm":
            return "segment" if "whisper" in endpoint.upstream_model.lower() else "none"
        case "openai" if "diarize" in endpoint.upstream_model:
            return "segment"
        case _:
            return "word" if _is_named(endpoint, "whisper") else "none"


def _is_named(endpoint: Endpoint, part: str) -> bool:
    return part in f"{endpoint.model} {endpoint.upstream_model}".lower()
