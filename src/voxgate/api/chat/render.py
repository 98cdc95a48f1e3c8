"""Render an answer in the shape that OpenAI's, Mistral's and OpenRouter's chat clients all read.

Unknown values are left out, but for keys that one of the clients insists on.
"""

from __future__ import annotations

import json
import math
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from voxgate.api.error_responses import error_object
from voxgate.api.generation_record import provider_name
from voxgate.ledger.amounts import json_dollars
from voxgate.transcript.formats.json import warnings

if TYPE_CHECKING:
    from collections.abc import Iterator

    from voxgate.answers.values import Answer
    from voxgate.api.chat.chat_job import ChatJob
    from voxgate.api.chat.parsed_chat import ParsedChat
    from voxgate.errors import VoxgateError

PART_CHARACTERS = 4096  # of a text, before it is escaped: to six bytes each at most

DONE = "data: [DONE]\n\n"


@dataclass(frozen=True, slots=True)
class ChatRenderer:
    """What one caller is told of a job. `model` is the one that is asked first."""

    job: ChatJob
    parsed: ParsedChat
    model: str
    created: int = field(default_factory=lambda: int(time.time()))

    def body(self, answer: Answer) -> bytes:
        """Return the response's body, as `chat.completion`."""
        choice = {
            "index": 0,
            "message": {"role": "assistant", "content": answer.text},
            "finish_reason": answer.finish,
        }
        return json.dumps(
            {
                **self._head("chat.completion", answer),
                # OpenRouter's clients insist on it.
                "system_fingerprint": _fingerprint(answer),
                "choices": [choice],
                "usage": self._usage(answer),
                **self._facts(answer),
            }
        ).encode()

    def begin(self) -> Iterator[str]:
        """Return the event that says who speaks."""
        yield self._event(self._choice({"role": "assistant", "content": ""}))

    def text(self, text: str) -> Iterator[str]:
        """Return the events of the next text."""
        for start in range(0, len(text), PART_CHARACTERS):
            yield self._event(self._choice({"content": text[start : start + PART_CHARACTERS]}))

    def end(self, answer: Answer) -> Iterator[str]:
        """Return why the answer ended, what it took, and the end of the stream.

        Mistral's and OpenRouter's clients find the usage in the last event with a choice, OpenAI's
        in one of its own, where it was asked for.
        """
        usage = {"usage": self._usage(answer)}
        facts = self._facts(answer)
        last = self._choice({}, answer.finish)
        if self.parsed.include_usage:
            yield self._event({**last, **facts}, answer)
            yield self._event({"choices": [], **usage}, answer)
        else:
            yield self._event({**last, **usage, **facts}, answer)
        yield DONE

    def error(self, error: VoxgateError) -> Iterator[str]:
        """Return the end of a stream that failed: all three clients know one of its signs."""
        yield self._event({"error": error_object(error), **self._choice({"content": ""}, "error")})
        yield DONE

    def _head(self, kind: str, answer: Answer | None = None) -> dict[str, Any]:
        """Return what each answer and event begins with: who answered, as far as that is known."""
        trace = self.job.trace
        answered = [each.endpoint for each in trace.attempts if each.error is None]
        slug = answered[-1] if answer and answered else trace.shares.first
        return {
            "id": self.job.id,
            "object": kind,
            "created": self.created,
            "model": answer.model if answer else self.model,
            "provider": provider_name(slug),
        }

    def _choice(self, delta: dict[str, str], finish: str | None = None) -> dict[str, Any]:
        return {"choices": [{"index": 0, "delta": delta, "finish_reason": finish}]}

    def _event(self, more: dict[str, Any], answer: Answer | None = None) -> str:
        head = self._head("chat.completion.chunk", answer)
        return f"data: {json.dumps({**head, **more})}\n\n"

    def _usage(self, answer: Answer) -> dict[str, Any]:
        return {
            "prompt_tokens": answer.prompt_tokens,
            "completion_tokens": answer.tokens,
            "total_tokens": answer.prompt_tokens + answer.tokens,
            "prompt_tokens_details": {"audio_tokens": answer.audio_tokens},
            # Mistral's client wants an integer.
            "prompt_audio_seconds": math.ceil(answer.duration),
            "seconds": round(answer.duration, 3),
            "cost": json_dollars(self.job.cost.nanodollars),
        }

    def _facts(self, answer: Answer) -> dict[str, Any]:
        """Return Voxgate's own members: the checkpoint, and warnings."""
        optional = {"revision": answer.revision, "profile": answer.profile}
        known = {name: value for name, value in optional.items() if value is not None}
        origin = {"voxgate": {"checkpoint": answer.model, **known}} if known else {}
        notices = (*answer.notices, *self.parsed.hints)
        return {**origin, **warnings(notice.public for notice in notices)}


def _fingerprint(answer: Answer) -> str | None:
    """Return what tells one set of weights from another, in one text."""
    return "/".join(filter(None, (answer.revision, answer.profile))) or None
