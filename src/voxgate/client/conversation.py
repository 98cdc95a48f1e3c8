"""A conversation with a server: its request in JSON, and its answer from a stream of events.

The shapes are those of OpenAI's chat completions (openai-api.md).
"""

from __future__ import annotations

import json
from secrets import token_hex
from typing import TYPE_CHECKING

from voxgate.answers.values import Answer, TextPart
from voxgate.client.reply import Reply, truncated_reply_error
from voxgate.client.request import JsonUpload, audio_format
from voxgate.client.transcript import UntrustedObject
from voxgate.transcript.values import Notice

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from voxgate.answers.values import Finish
    from voxgate.audio.source import Source
    from voxgate.client.request import UploadProgress
    from voxgate.pipeline.question import AskedMessage
    from voxgate.transcript.values import Options

OPTIONS = (
    *("temperature", "top_p", "seed", "max_tokens", "stop"),
    *("frequency_penalty", "presence_penalty"),
)
"""The options that a request has under their names here."""


def conversation_upload(
    messages: Sequence[AskedMessage],
    sources: Sequence[Source],
    fields: Mapping[str, object],
    on_progress: Callable[[UploadProgress], None],
) -> JsonUpload:
    """Return the body of a request. `sources` are the opened recordings, in order."""
    place, left = token_hex(16), iter(sources)  # what stands for a recording until it is sent
    written = [
        {"role": each.role, "content": [_part(part, left, place) for part in each.parts]}
        for each in messages
    ]
    document = {**fields, "stream": True, "messages": written}
    texts = json.dumps(document).encode().split(place.encode())
    pieces: list[bytes | Source] = [texts[0]]
    for source, text in zip(sources, texts[1:], strict=True):
        pieces += [source, text]
    return JsonUpload(pieces, on_progress)


def answer_fields(model: str, options: Options, schema: str | None) -> dict[str, object]:
    """Return the request without its messages, and without options that have their defaults."""
    given = {name: getattr(options, name) for name in OPTIONS if options.is_set(name)}
    fields = {"model": model, "stream_options": {"include_usage": True}, **given}
    if schema is not None:
        named = {"name": "answer", "schema": json.loads(schema), "strict": True}
        fields["response_format"] = {"type": "json_schema", "json_schema": named}
    return fields


def _part(part: object, sources: Iterator[Source], place: str) -> dict[str, object]:
    if isinstance(part, TextPart):
        return {"type": "text", "text": part.text}
    source = next(sources)
    sound = {"format": audio_format(source.name, source.pcm), "data": place}
    return {"type": "input_audio", "input_audio": sound}


class AnswerEvents:
    """The events of an answer, line by line. `on_text` is called with each piece of its text."""

    def __init__(self, server: str, key: str | None, on_text: Callable[[str], None]) -> None:
        self._server, self._key, self._on_text = server, key, on_text
        self._texts: list[str] = []
        self._finish: Finish | None = None
        self._model: str | None = None
        self._usage = UntrustedObject({}, "usage")
        self._notices: list[Notice] = []

    def feed(self, line: bytes) -> None:
        """Read a line. Raises `ServerError` for an error that the server sends, or no event."""
        name, _, payload = line.partition(b":")
        payload = payload.strip()
        if name != b"data" or payload == b"[DONE]":
            return
        reply = Reply(server=self._server, status=200, headers={}, data=payload, key=self._key)
        event = UntrustedObject(reply.body())
        for choice in event.objects("choices"):
            self._add(choice)
        if event.has("usage"):
            self._usage = event.object("usage")
        if event.has("model"):
            self._model = event.text("model")
        self._notices += [
            Notice(item.text("code"), reply.redact_key(item.text("sentence")))
            for item in event.objects("warnings")
        ]

    def answer(self, model: str) -> Answer:
        """Return the whole answer. Raises `ServerError` for one without an end."""
        if self._finish is None:
            raise truncated_reply_error(self._server)
        return Answer(
            text="".join(self._texts),
            finish=self._finish,
            model=self._model or model,
            duration=self._number("seconds"),
            prompt_tokens=int(self._number("prompt_tokens")),
            tokens=int(self._number("completion_tokens")),
            notices=tuple(self._notices),
        )

    def _add(self, choice: UntrustedObject) -> None:
        delta = choice.object("delta")
        if delta.has("content"):
            text = delta.text("content")
            self._texts.append(text)
            self._on_text(text)
        if choice.has("finish_reason"):
            self._finish = "length" if choice.text("finish_reason") == "length" else "stop"

    def _number(self, name: str) -> float:
        return self._usage.number(name) if self._usage.has(name) else 0.0
