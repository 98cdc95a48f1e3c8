"""`TranscriptionRequest`: the request on the wire, in every spelling that clients use.

One model serves OpenRouter's JSON and OpenAI's and Mistral's forms, whose fields do not contradict
each other (openrouter-api.md 2.1, 2.2, 11.3, 11.4). The text of forms is converted to numbers and
booleans, and a single value to a list. Unknown fields are kept, for warnings.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias, TypeVar

from pydantic import BaseModel, BeforeValidator, ConfigDict, Field, ValidationError

from voxgate.api.body.strict_json import parse_json
from voxgate.audio.channels import Channels  # noqa: TC001 (pydantic evaluates it)
from voxgate.errors import UsageError
from voxgate.remote.recording_url import MAX_URL_CHARACTERS
from voxgate.transcript.values import Task  # noqa: TC001 (pydantic evaluates it)
from voxgate.validation import plain_reason

if TYPE_CHECKING:
    from collections.abc import Mapping

ResponseFormat: TypeAlias = Literal["json", "verbose_json", "text", "srt", "vtt"]
WireFormat: TypeAlias = Literal[ResponseFormat, "diarized_json"]
OutputFormat: TypeAlias = Literal[ResponseFormat, "tsv", "nested_json", "language_json"]
"""The last two: `verbose_json` with the words in their segments, and the language alone."""


def _to_list(value: Any) -> Any:
    """Return a single value as a list. Some clients write a list into a form as JSON text."""
    if isinstance(value, str) and value.lstrip().startswith("["):
        try:
            return parse_json(value.encode())
        except UsageError:
            return [value]  # a text that begins with a bracket
    return [value] if isinstance(value, (str, int, float)) else value


def _split(value: Any) -> Any:
    """Return a text as a list, divided at its commas; Mistral's documentation writes words so."""
    listed = _to_list(value)
    if isinstance(value, str) and listed == [value]:
        return [part.strip() for part in value.split(",")]
    return listed


def _format_name(value: Any) -> Any:
    """Replace the object form of `response_format` where it means `json`."""
    types = ("text", "json_object")  # a tuple: the value may be unhashable
    if isinstance(value, dict) and value.get("type") in types:
        return "json"
    return value


def _to_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


M = TypeVar("M", bound=BaseModel)

WireText: TypeAlias = Annotated[str, Field(max_length=65_536)]
WireUrl: TypeAlias = Annotated[str, Field(max_length=MAX_URL_CHARACTERS)]
WireTexts: TypeAlias = Annotated[list[WireText], BeforeValidator(_to_list), Field(max_length=1000)]
WireVocabulary: TypeAlias = Annotated[
    list[WireText], BeforeValidator(_split), Field(max_length=10_000)
]
WireLanguage: TypeAlias = Annotated[str, Field(max_length=35)]
WirePenalty: TypeAlias = Annotated[float, Field(ge=-2, le=2, allow_inf_nan=False)]


class WireModel(BaseModel):
    """A request, or a part of one. Unknown fields are kept, and errors show no values."""

    model_config = ConfigDict(extra="allow", hide_input_in_errors=True)

    @property
    def unknown(self) -> list[str]:
        """The names of unknown fields that are not null."""
        return sorted(name for name, value in (self.model_extra or {}).items() if value is not None)


class InputAudio(WireModel):
    """The recording of a JSON request."""

    data: str | None = Field(None, description="Base64 of the file's bytes; no data URI.")
    format: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="A hint: the bytes are looked at. `pcm` is headerless s16le mono 16 kHz."
    )
    url: WireUrl | None = Field(
        None,
        description="The address of the file, in the place of `data`: http or https, and a server "
        "that this one's operator allows.",
    )


class ProviderPreferences(WireModel):
    """Which endpoints may serve the request. Here there is one, which keeps nothing."""

    options: dict[str, dict[str, Any]] | None = None
    zdr: bool | None = None
    data_collection: Literal["allow", "deny"] | None = None
    allow_fallbacks: bool | None = None
    require_parameters: bool | None = Field(
        None, description="Refuse the request where a hint would not be used."
    )


class TranscriptionRequest(WireModel):
    """A recording, a model, and options."""

    model: Annotated[str, Field(min_length=1, max_length=256)]
    input_audio: InputAudio | None = None
    file_url: WireUrl | None = Field(
        None, description="The same as `input_audio.url`, as Mistral's client names it."
    )
    file_id: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="The id of a recording that `/files` keeps."
    )
    language: WireLanguage | None = Field(
        None,
        description="As `en`, `en-US` or `English`; the model detects it without, or by `auto`.",
    )
    languages: Annotated[list[WireLanguage], BeforeValidator(_split)] | None = Field(
        None, description="A single one is `language`; of several, none is used."
    )
    response_format: Annotated[WireFormat, BeforeValidator(_format_name)] = "json"
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]], BeforeValidator(_split)
    ] = Field(default_factory=list, description="`word` adds `words` to verbose_json.")
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    beam_size: Annotated[int, Field(ge=1, le=10)] | None = Field(
        None, description="How many texts are compared, by models that do that."
    )
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: WireTexts | None = None
    frequency_penalty: WirePenalty | None = None
    presence_penalty: WirePenalty | None = None
    structured_outputs: bool | None = None
    diarize: bool | None = Field(None, description="Who speaks; by models with `speakers`.")
    stream: bool | None = Field(
        None, description="Send the text as events, each part when nothing changes it any more."
    )
    task: Task | None = Field(None, description="What the path says, if it is given.")
    prompt: WireText | None = Field(
        None, description="A text that could precede the recording, of its style and spelling."
    )
    keyterms: WireVocabulary | None = None
    keywords: WireVocabulary | None = None
    context_bias: WireVocabulary | None = None
    hotwords: WireVocabulary | None = None
    track: Annotated[str, Field(max_length=100), BeforeValidator(_to_text)] | None = Field(
        None, description="The sound track: its number, from 1, or its language."
    )
    channels: Channels = Field(
        "mix", description="`split` recognises each channel by itself: the parties of a call."
    )
    provider: ProviderPreferences | None = None
    session_id: Annotated[str, Field(max_length=256)] | None = None
    user: Annotated[str, Field(max_length=1000)] | None = None


def validate_request(fields: dict[str, Any]) -> TranscriptionRequest:
    """Validate the fields of a request for a transcript. Raises as `validated`."""
    return validated(TranscriptionRequest, fields)


def validated(model: type[M], fields: Mapping[str, Any]) -> M:
    """Validate the fields of a request. Null and an empty text mean that a field was left out.

    Raises `UsageError`, which names the first invalid field.
    """
    given = {name: value for name, value in fields.items() if value not in (None, "")}
    return validated_with_nulls(model, given)


def validated_with_nulls(model: type[M], fields: Mapping[str, Any]) -> M:
    """Validate the fields of a request in which null and an empty text are values.

    Raises `UsageError`, which names the first invalid field.
    """
    try:
        return model.model_validate(fields)
    except ValidationError as error:
        first = error.errors(include_url=False, include_context=False, include_input=False)[0]
        raise UsageError(_sentence([str(part) for part in first["loc"]], first)) from None


def _sentence(path: list[str], error: Any) -> str:
    name = ".".join(path)[:200]
    if error["type"] == "missing":
        return f"The request has no '{name}'. Add it; /docs shows what a request holds."
    if error["type"] == "extra_forbidden":
        return f"There is no field '{name}' here. Correct its name, or leave it out."
    if error["type"] == "model_type":
        return f"'{name}' should be an object. Correct it, or leave it out."
    return f"'{name}' {plain_reason(str(error['msg']))}. Correct it, or leave it out."
