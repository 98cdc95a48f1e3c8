"""`ChatRequest`: a request for an answer on the wire, as OpenAI, Mistral and OpenRouter write it.

A text is a part like any other here, and a recording has one shape, whichever was sent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Literal, TypeAlias

from pydantic import BeforeValidator, Field

from voxgate.api.dialects.provider_preferences import (
    ProviderPreferences,  # noqa: TC001 (pydantic evaluates it)
)
from voxgate.api.dialects.response_format import (
    FormatObject,
    StructuredOutputs,
)
from voxgate.api.dialects.wire_types import (
    WireModel,
    WireName,
    WirePenalty,
    WireUrl,
    split_list,
    validated,
)

if TYPE_CHECKING:
    from collections.abc import Mapping

MAX_MESSAGES = 1000
MAX_PARTS = 1000  # of one message
MAX_TEXT = 300_000  # characters of one part: more than any model here reads

MAX_STOPS = 16  # each is looked for after every token
MAX_STOP = 1000  # characters

WireRole: TypeAlias = Literal["system", "developer", "user", "assistant"]

WireChatText: TypeAlias = Annotated[str, Field(max_length=MAX_TEXT)]
WireStop: TypeAlias = Annotated[str, Field(max_length=MAX_STOP)]


def _sound_object(value: Any) -> Any:
    """Return the recording that Mistral writes as a text alone: `ChatBody` has taken base64."""
    return {"url": value} if isinstance(value, str) else value


def _text_part(value: Any) -> Any:
    return [{"type": "text", "text": value}] if isinstance(value, str) else value


def _is_object(value: Any) -> Any:
    """Replace the object form of `structured_outputs`, whose schema `data_request` reads."""
    return True if isinstance(value, dict) else value


def _single(value: Any) -> Any:
    return [value] if isinstance(value, str) else value


class ChatAudio(WireModel):
    """A recording of a message."""

    data: str | None = Field(None, description="Base64 of the file's bytes, or a data URL.")
    format: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="A hint: the bytes are looked at."
    )
    url: WireUrl | None = Field(
        None,
        description="The address of the file, in the place of `data`: http or https, and a server "
        "that this one's operator allows.",
    )


class ChatFile(WireModel):
    """A kept file, as OpenAI writes it."""

    file_id: Annotated[str, Field(max_length=100)] | None = None


class ChatPart(WireModel):
    """A text or a recording."""

    type: Annotated[str, Field(max_length=100)] = Field(
        description="`text`, `input_audio` or `file`."
    )
    text: WireChatText | None = None
    input_audio: (
        Annotated[ChatAudio, BeforeValidator(_sound_object, json_schema_input_type=ChatAudio | str)]
        | None
    ) = Field(None, description="As a text it is base64, a data URL or an address.")
    file_id: Annotated[str, Field(max_length=100)] | None = Field(
        None, description="The id of a recording that `/files` keeps."
    )
    file: ChatFile | None = None


class ChatMessage(WireModel):
    """What one side says."""

    role: WireRole
    content: (
        Annotated[
            list[ChatPart],
            Field(max_length=MAX_PARTS),
            BeforeValidator(_text_part, json_schema_input_type=list[ChatPart] | str),
        ]
        | None
    ) = None
    prefix: bool | None = None


class StreamOptions(WireModel):
    """How an answer is streamed."""

    include_usage: bool | None = Field(
        None, description="The usage in a last event of its own; else it is in the one before."
    )


class ChatRequest(WireModel):
    """A conversation, a model, and options."""

    model: WireName
    models: Annotated[list[WireName], BeforeValidator(split_list), Field(max_length=10)] | None = (
        Field(None, description="Those that are tried, in order, where `model` cannot serve it.")
    )
    messages: Annotated[list[ChatMessage], Field(min_length=1, max_length=MAX_MESSAGES)]
    response_format: FormatObject | None = None
    structured_outputs: Annotated[
        bool | None,
        BeforeValidator(_is_object, json_schema_input_type=bool | StructuredOutputs | None),
    ] = Field(None, description="True, or the schema of the answer as vLLM has it.")
    temperature: Annotated[float, Field(ge=0, le=2, allow_inf_nan=False)] | None = None
    top_p: Annotated[float, Field(ge=0, le=1, allow_inf_nan=False)] | None = None
    seed: int | None = None
    random_seed: int | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None
    stop: (
        Annotated[
            list[WireStop],
            Field(max_length=MAX_STOPS),
            BeforeValidator(_single, json_schema_input_type=list[WireStop] | str),
        ]
        | None
    ) = None
    frequency_penalty: WirePenalty | None = None
    presence_penalty: WirePenalty | None = None
    n: int | None = Field(None, description="1: there is one answer.")
    stream: bool | None = Field(None, description="Send the answer as events, while it is written.")
    stream_options: StreamOptions | None = None
    provider: ProviderPreferences | None = None
    session_id: Annotated[str, Field(max_length=256)] | None = None
    user: Annotated[str, Field(max_length=1000)] | None = None

    @property
    def hedge(self) -> None:
        """None: two answers would be mixed, so that nobody is asked beside another one."""


def validate_chat(fields: Mapping[str, Any]) -> ChatRequest:
    """Validate the fields of a request for an answer. Raises as `validated`."""
    return validated(ChatRequest, fields)
