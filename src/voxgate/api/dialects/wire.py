"""The transcription request as it stands on the wire, in every spelling that clients use.

One model for OpenRouter's JSON and OpenAI's and Mistral's forms, whose fields do not contradict
each other (openrouter-api.md 2.1, 2.2, 11.3, 11.4). Forms carry text, which is read as numbers and
booleans; a list of one may come bare. Fields that nobody knows are kept, to be warned of.
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from voxgate.errors import UsageError

ResponseFormat: TypeAlias = Literal["json", "verbose_json", "text", "srt", "vtt"]


def _listed(value: Any) -> Any:
    return [value] if isinstance(value, (str, int, float)) else value


def _named(value: Any) -> Any:
    """The page's object form of `response_format`, where it means what the string `json` does."""
    if isinstance(value, dict) and value.get("type") in ("text", "json_object"):  # it may be a list
        return "json"
    return value


def _blank(value: Any) -> Any:
    return None if isinstance(value, str) and value.strip().lower() in {"", "auto"} else value


WireText: TypeAlias = Annotated[str, Field(max_length=65_536)]
WireTexts: TypeAlias = Annotated[list[WireText], BeforeValidator(_listed), Field(max_length=1000)]
WireLanguage: TypeAlias = Annotated[str, Field(max_length=35)]
WirePenalty: TypeAlias = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class _Wire(BaseModel):
    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    @property
    def unknown(self) -> list[str]:
        """The fields that this version does not know; null asks for nothing."""
        return sorted(name for name, value in (self.model_extra or {}).items() if value is not None)


class InputAudio(_Wire):
    """The recording of a JSON request."""

    data: str | None = Field(None, description="Base64 of the file's bytes; no data URI.")
    format: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="A hint: the bytes are looked at. `pcm` is headerless s16le mono 16 kHz."
    )
    url: str | None = Field(None, description="Not built yet.")


class ProviderPreferences(_Wire):
    """Which endpoints may serve the request. Here there is one, which keeps nothing."""

    options: dict[str, dict[str, Any]] | None = None
    zdr: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = Field(
        None, description="Refuse the request where a hint would not be used."
    )


class TranscriptionRequest(_Wire):
    """A recording, a model, and what is asked of it."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input_audio: InputAudio | None = None
    language: Annotated[WireLanguage | None, BeforeValidator(_blank)] = Field(
        None, description="ISO 639-1, e.g. `en`; left to the model when absent."
    )
    response_format: Annotated[ResponseFormat, BeforeValidator(_named)] = "json"
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]], BeforeValidator(_listed)
    ] = Field(default_factory=list, description="`word` adds `words` to verbose_json.")
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: WireTexts | None = None
    frequency_penalty: WirePenalty | None = None
    presence_penalty: WirePenalty | None = None
    structured_outputs: bool | None = None
    diarize: bool | None = Field(None, description="Not built yet.")
    stream: bool | None = Field(None, description="Not built yet.")
    prompt: WireText | None = None
    keyterms: WireTexts | None = None
    keywords: WireTexts | None = None
    context_bias: WireTexts | None = None
    provider: ProviderPreferences | None = None
    session_id: Annotated[str, Field(max_length=256)] | None = None
    user: Annotated[str, Field(max_length=1000)] | None = None


def validate_request(fields: dict[str, Any]) -> TranscriptionRequest:
    """The request in these fields; null is a field that was left out.

    Raises `UsageError`, which names the first field that is odd.
    """
    given = {name: value for name, value in fields.items() if value is not None}
    try:
        return TranscriptionRequest.model_validate(given)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UsageError(_sentence([str(part) for part in first["loc"]], first)) from None


def _sentence(place: list[str], error: Any) -> str:
    name = ".".join(place)[:200]
    if error["type"] == "missing":
        return f"The request has no '{name}'. Add it; /docs shows what a request holds."
    said = str(error["msg"]).removeprefix("Input ").removeprefix("Value error, ")
    return f"'{name}' {said[:1].lower()}{said[1:]}. Correct it, or leave it out."
