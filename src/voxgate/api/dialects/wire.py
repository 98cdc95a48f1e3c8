"""`TranscriptionRequest`: the request on the wire, in every spelling that clients use.

One model serves OpenRouter's JSON and OpenAI's and Mistral's forms, whose fields do not contradict
each other (openrouter-api.md 2.1, 2.2, 11.3, 11.4).
"""

from __future__ import annotations

from typing import Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from voxgate.api.dialects.provider_preferences import (
    ProviderPreferences,  # noqa: TC001 (pydantic evaluates it)
)
from voxgate.api.dialects.response_format import FormatObject, StructuredOutputs
from voxgate.api.dialects.wire_types import (
    WireLanguage,
    WireModel,
    WireName,
    WirePenalty,
    WireText,
    WireTexts,
    WireUrl,
    WireVocabulary,
    split_list,
    validated,
)
from voxgate.audio.channels import Channels  # noqa: TC001 (pydantic evaluates it)
from voxgate.transcript.values import Task  # noqa: TC001 (pydantic evaluates it)

ResponseFormat: TypeAlias = Literal["json", "verbose_json", "text", "srt", "vtt"]
WireFormat: TypeAlias = Literal[ResponseFormat, "diarized_json"]
OutputFormat: TypeAlias = Literal[ResponseFormat, "tsv", "nested_json", "language_json"]
"""The last two: `verbose_json` with the words in their segments, and the language alone."""


def _format_name(value: Any) -> Any:
    """Replace the object form of `response_format`, whose schema `data_request` reads."""
    return "json" if isinstance(value, dict) else value


def _is_object(value: Any) -> Any:
    """Replace the object form of `structured_outputs`, whose schema `data_request` reads."""
    return True if isinstance(value, dict) else value


def _to_text(value: Any) -> Any:
    return str(value) if type(value) is int else value


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


class TranscriptionRequest(WireModel):
    """A recording, a model, and options."""

    model: WireName
    models: Annotated[list[WireName], BeforeValidator(split_list), Field(max_length=10)] | None = (
        Field(None, description="Those that are tried, in order, where `model` cannot serve it.")
    )
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
    languages: Annotated[list[WireLanguage], BeforeValidator(split_list)] | None = Field(
        None, description="A single one is `language`; of several, none is used."
    )
    response_format: Annotated[
        WireFormat,
        BeforeValidator(_format_name, json_schema_input_type=WireFormat | FormatObject),
    ] = Field("json", description="An object with a schema is `json`, with data beside the text.")
    timestamp_granularities: Annotated[
        list[Literal["word", "segment"]], BeforeValidator(split_list)
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
    structured_outputs: Annotated[
        bool | None,
        BeforeValidator(_is_object, json_schema_input_type=bool | StructuredOutputs | None),
    ] = Field(None, description="A schema of data beside the text; `true`: a model that can.")
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
    hedge: bool | None = Field(
        None, description="Ask a second endpoint as well where the first is slow."
    )
    session_id: Annotated[str, Field(max_length=256)] | None = None
    user: Annotated[str, Field(max_length=1000)] | None = None


def validate_request(fields: dict[str, Any]) -> TranscriptionRequest:
    """Validate the fields of a request for a transcript. Raises as `validated`."""
    return validated(TranscriptionRequest, fields)
