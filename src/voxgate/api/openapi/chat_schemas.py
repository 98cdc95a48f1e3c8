"""The objects of `/chat/completions`, for the OpenAPI alone: see `schemas`."""

from __future__ import annotations

from typing import Literal

from msgspec import UNSET, UnsetType

from voxgate.answers.values import Finish  # noqa: TC001 (msgspec evaluates it)
from voxgate.api.openapi.schemas import Closed, Warning  # noqa: A004 (the name in the schema)


class ChatAnswer(Closed):
    """What the model said: by a schema, JSON that it allows, or its beginning."""

    role: Literal["assistant"]
    content: str


class ChatChoice(Closed):
    """The answer. `length`: it was cut off, and is no valid JSON."""

    index: int
    message: ChatAnswer
    finish_reason: Finish


class ChatPromptTokens(Closed):
    """Of the question's tokens, those of its sound."""

    audio_tokens: int


class ChatUsage(Closed):
    """What an answer took: tokens, seconds of sound, US dollars."""

    prompt_tokens: int
    completion_tokens: int
    total_tokens: int
    prompt_tokens_details: ChatPromptTokens
    prompt_audio_seconds: int
    seconds: float
    cost: float


class ChatCompletion(Closed):
    """An answer. `voxgate` is the checkpoint that was used."""

    id: str
    object: Literal["chat.completion"]
    created: int
    model: str
    provider: str
    system_fingerprint: str | None
    choices: list[ChatChoice]
    usage: ChatUsage
    voxgate: dict[str, str] | UnsetType = UNSET
    warnings: list[Warning] | UnsetType = UNSET
