"""Parse the body of a request for an answer into a `ParsedChat`."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from voxgate.answers.instructions import extraction
from voxgate.answers.schema import ANY_OBJECT
from voxgate.answers.values import TextPart, check_stop_of_schema
from voxgate.api.chat.fields import CHAT_KEPT
from voxgate.api.chat.messages import SYSTEM_ROLES, conversation, unknown_in
from voxgate.api.chat.parsed_chat import ParsedChat
from voxgate.api.chat.wire import ChatRequest, validate_chat
from voxgate.api.dialects.provider_preferences import preferences_of
from voxgate.api.dialects.response_format import data_request
from voxgate.errors import UsageError
from voxgate.transcript.values import Options

if TYPE_CHECKING:
    from collections.abc import Mapping

    from voxgate.api.chat.body import ChatRequestBody
    from voxgate.api.chat.parsed_chat import ChatDialect, ChatTurn

REFUSED = {
    "tools": "no model here calls tools",
    "tool_choice": "no model here calls tools",
    "functions": "no model here calls functions",
    "function_call": "no model here calls functions",
    "logprobs": "no model here gives the probabilities of its tokens",
    "top_logprobs": "no model here gives the probabilities of its tokens",
    "prompt_logprobs": "no model here gives the probabilities of its tokens",
    "audio": "answers are texts",
    "prediction": "no model here is told its answer before",
    "web_search_options": "no model here searches the web",
    **{
        f"guided_{name}": "send a schema as 'response_format' or 'structured_outputs'"
        for name in ("json", "regex", "choice", "grammar")
    },
}
"""What no model here does, and why."""

HARMLESS: tuple[Any, ...] = (None, False, 0, "none", [], "")
"""The values of these fields that ask for nothing."""

ALIASES = {"max_completion_tokens": "max_tokens", "random_seed": "seed"}


def parse_chat(body: ChatRequestBody, headers: Mapping[str, str]) -> ParsedChat:
    """Parse the request in a body. Raises `UsageError` of every kind."""
    request = validate_chat(body.fields)
    _refuse_overlong(body.dropped)
    _refuse_impossible(request)
    turns = conversation(request.messages, body.uploads.keys())
    model, preferences = preferences_of(request)
    schema, description = _schema(body.fields, request)
    given, spelled = _given(request)
    options = _options(request, given)
    check_stop_of_schema(options.stop, schema)
    return ParsedChat(
        model=model,
        options=options,
        turns=_with_task(turns, schema, description),
        schema=schema,
        dialect=_dialect(body.fields, request, headers),
        stream=bool(request.stream),
        include_usage=bool(request.stream_options and request.stream_options.include_usage),
        has_system=any(each.role in SYSTEM_ROLES and each.content for each in request.messages),
        spelled=tuple(spelled.items()),
        unused=_unused(request, body.dropped),
        preferences=preferences,
        session_id=request.session_id,
        user=request.user,
    )


def _refuse_overlong(dropped: list[str]) -> None:
    """Raise for a field that was dropped for its length, unless it is a hint."""
    for name in dropped:
        field = name.replace("[", ".").partition(".")[0]
        if field in ChatRequest.model_fields or field in CHAT_KEPT:
            raise UsageError(f"'{name[:100]}' is too long. Shorten it, or leave it out.")


def _refuse_impossible(request: ChatRequest) -> None:
    extra = request.model_extra or {}
    for name, why in REFUSED.items():
        if extra.get(name) not in HARMLESS:
            raise _unsupported(name, why)
    if request.n not in (None, 1):
        raise _unsupported("n", "there is one answer to a request")
    modalities = extra.get("modalities")
    if modalities not in (None, [], ["text"], "text"):
        raise _unsupported("modalities", "answers are texts")


def _given(request: ChatRequest) -> tuple[dict[str, Any], dict[str, str]]:
    """Return the options by their names here, and the fields of those with another name.

    Raises `UsageError` for two values of one.
    """
    given, spelled = dict[str, Any](), dict[str, str]()
    names = ("temperature", "top_p", "frequency_penalty", "presence_penalty")
    for field in (*names, "seed", "random_seed", "max_tokens", "max_completion_tokens"):
        value, name = getattr(request, field), ALIASES.get(field, field)
        if value is None:
            continue
        if given.setdefault(name, value) != value:
            raise UsageError(
                f"'{name}' and '{field}' are one option, and differ. Leave one of them out."
            )
        if name != field:
            spelled[name] = field
    return given, spelled


def _options(request: ChatRequest, given: Mapping[str, Any]) -> Options:
    """Return the options for the model. A missing one has its default."""
    return Options(**given, stop=tuple(dict.fromkeys(request.stop or ())))


def _schema(fields: Mapping[str, Any], request: ChatRequest) -> tuple[str | None, str]:
    """Return the schema of the answer, checked, and its description."""
    data = data_request(fields)
    if request.response_format and request.response_format.type == "json_object":
        if data:
            raise UsageError(
                f"'response_format' and '{data.field}' both say what the answer is. Leave one of "
                f"them out."
            )
        return ANY_OBJECT, ""
    return (data.schema, data.description) if data else (None, "")


def _with_task(
    turns: tuple[ChatTurn, ...], schema: str | None, description: str
) -> tuple[ChatTurn, ...]:
    """Return the turns; a recording alone that is to become data is asked for them."""
    texts = any(isinstance(part, TextPart) for turn in turns for part in turn.parts)
    if schema is None or texts:
        return turns
    task = TextPart(extraction(schema, description))
    return (*turns[:-1], replace(turns[-1], parts=(*turns[-1].parts, task)))


def _unused(request: ChatRequest, dropped: list[str]) -> tuple[str, ...]:
    """Return the names of the fields that no model uses."""
    unused = [*request.unknown, *dropped, *unknown_in(request.messages)]
    if request.provider:
        unused += [f"provider.{name}" for name in request.provider.unknown]
        unused += [f"provider.options.{slug}" for slug in request.provider.options or {}]
    return tuple(name for name in unused if name not in CHAT_KEPT)


def _dialect(
    fields: Mapping[str, Any], request: ChatRequest, headers: Mapping[str, str]
) -> ChatDialect:
    """Return whose API a request is made in: most of them could be any of the three."""
    agent = headers.get("user-agent", "").lower()
    if agent.startswith("mistral-client") or "random_seed" in fields or "safe_prompt" in fields:
        return "mistral"
    names = ("x-openrouter-title", "x-openrouter-categories", "x-title")
    if request.provider or request.models or any(name in headers for name in names):
        return "openrouter"
    return "openrouter" if agent.startswith("speakeasy-sdk") else "openai"


def _unsupported(name: str, why: str) -> UsageError:
    return UsageError(f"'{name}' is not taken: {why}. Leave it out.", code="unsupported_option")
