"""Questions to models elsewhere: OpenAI's route of chats, which every kind of server has.

An answer is asked for as a whole: one by a schema is checked before anybody sees it, and where it
is wrong or late another endpoint can be asked, which a stream that was begun forbids.
"""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import msgspec
import pybase64

from voxgate.answers.values import MOST_ANSWER_TOKENS, PARAGRAPH, SoundPart
from voxgate.providers.upstream.dialect import UpstreamRequest
from voxgate.providers.upstream.openrouter import privacy

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from voxgate.answers.values import Finish, Message, Question
    from voxgate.providers.upstream.encoding import EncodedSound
    from voxgate.upstreams import Endpoint, UpstreamKind

PATH = "/chat/completions"

FINISHES: dict[str, Finish] = {"stop": "stop", "length": "length", "model_length": "length"}
"""What ends a usable answer; `model_length` is Mistral's word for the end of the context."""

ANY_OBJECT = {"type": "object"}
"""The schema of an answer that may be any object, for which there is a shorter form."""

_SAMPLING = ("top_p", "frequency_penalty", "presence_penalty")
_REASONING = re.compile(r"(^|/)(o\d|gpt-5)")
"""OpenAI's models that take no temperature."""


@dataclass(frozen=True, slots=True)
class UpstreamReply:
    """What an upstream answered to a question."""

    text: str | None  # None: it refused to answer
    reason: str | None  # why it ended, in its words
    prompt_tokens: int
    tokens: int  # of the answer
    audio_tokens: int
    model: str | None  # that answered, where it is named


class _Message(msgspec.Struct):
    content: str | None = None


class _Choice(msgspec.Struct):
    message: _Message
    finish_reason: str | None = None


class _Reply(msgspec.Struct):
    choices: list[_Choice]
    model: str | None = None
    usage: Any = None


def render_question(
    question: Question, sounds: Sequence[EncodedSound], endpoint: Endpoint
) -> UpstreamRequest:
    """Return the document. `sounds` are those of the question's parts, in order."""
    kind, options, left = endpoint.upstream.kind, question.options, iter(sounds)
    document: dict[str, Any] = {
        "model": endpoint.upstream_model,
        "messages": [_message(each, left, kind) for each in question.messages],
        "stream": False,
    }
    if options.temperature or not _REASONING.search(endpoint.upstream_model):
        document["temperature"] = options.temperature  # its default is another one than ours
    document |= {name: getattr(options, name) for name in _SAMPLING if options.is_set(name)}
    if options.seed is not None:
        document["random_seed" if kind == "mistral" else "seed"] = options.seed
    # Always: what an answer may cost is reserved before it is asked for.
    name = "max_completion_tokens" if kind == "openai" else "max_tokens"
    document[name] = options.max_tokens or MOST_ANSWER_TOKENS
    if options.stop:
        document["stop"] = list(options.stop)
    if question.schema is not None:
        document["response_format"] = _format(json.loads(question.schema))
    if kind == "openrouter" and (provider := _provider(question, endpoint)):
        document["provider"] = provider
    return UpstreamRequest(
        PATH, document=msgspec.json.encode(document), by_caller=("response_format",)
    )


def parse_reply(body: bytes) -> UpstreamReply:
    """Read the body of a success. Raises what msgspec does."""
    read = msgspec.json.decode(body, type=_Reply, strict=False)
    if not read.choices:
        raise msgspec.ValidationError("'choices' is empty")
    first, usage = read.choices[0], read.usage if isinstance(read.usage, dict) else {}
    details = usage.get("prompt_tokens_details")
    return UpstreamReply(
        text=first.message.content,
        reason=first.finish_reason,
        prompt_tokens=_count(usage, "prompt_tokens"),
        tokens=_count(usage, "completion_tokens"),
        audio_tokens=_count(details, "audio_tokens") if isinstance(details, dict) else 0,
        model=read.model,
    )


def _message(
    message: Message, sounds: Iterator[EncodedSound], kind: UpstreamKind
) -> dict[str, Any]:
    """Return a message; one of texts alone has one text, which every server takes."""
    parts: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, SoundPart):
            sound = next(sounds)
            data = pybase64.b64encode(sound.data).decode()
            told = data if kind == "mistral" else {"data": data, "format": sound.format}
            parts.append({"type": "input_audio", "input_audio": told})
        else:
            parts.append({"type": "text", "text": part.text})
    if all(part["type"] == "text" for part in parts):
        return {"role": message.role, "content": PARAGRAPH.join(part["text"] for part in parts)}
    return {"role": message.role, "content": parts}


def _format(schema: object) -> dict[str, Any]:
    if schema == ANY_OBJECT:
        return {"type": "json_object"}
    return {
        "type": "json_schema",
        "json_schema": {"name": "answer", "strict": True, "schema": schema},
    }


def _provider(question: Question, endpoint: Endpoint) -> dict[str, Any]:
    """Return what OpenRouter is told of its hosts: one that ignores a schema is of no use."""
    follows = {"require_parameters": True} if question.schema is not None else {}
    return privacy(endpoint.upstream) | follows


def _count(usage: dict[str, Any], name: str) -> int:
    count = usage.get(name)
    return count if type(count) is int and count > 0 else 0
