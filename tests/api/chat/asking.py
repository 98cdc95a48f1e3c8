"""Questions to a server, and the scripted provider that answers them."""

from __future__ import annotations

import asyncio
import base64
import json
from typing import TYPE_CHECKING, Any

from tests.api.mutations.sound import recordings
from tests.api.serving import SCRIPTED
from tests.scripted import Scripted
from voxgate.errors import EngineError
from voxgate.models.capabilities import HINT_OPTIONS, STRICT_OPTIONS
from voxgate.transcript.values import Delta

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Sequence

    import httpx2

    from tests.api.serving import Running
    from voxgate.answers.values import AnswerEvent, Question
    from voxgate.audio.spool import Audio

CHAT = "/chat/completions"
SOUND = recordings()["a.flac"]
BASE64 = base64.b64encode(SOUND).decode()
TEXT = "A short  note.\nOf two lines: «été»."
DIGITS = '{"digits": [1, 2, 3]}'
SCHEMA: dict[str, Any] = {
    "type": "object",
    "properties": {"digits": {"type": "array", "items": {"type": "integer"}}},
    "required": ["digits"],
    "additionalProperties": False,
}
FORMAT = {"type": "json_schema", "json_schema": {"name": "digits", "schema": SCHEMA}}


EVERY = frozenset((*STRICT_OPTIONS, *HINT_OPTIONS))


def answers(question: Question) -> str:
    return DIGITS if question.schema else TEXT


def hearing(**more: Any) -> Scripted:
    """A provider that hears and answers, with data where it is asked for data."""
    return Scripted(**{"answers": answers, "hears_s": 600.0, "honours": EVERY, **more})


class Dying(Scripted):
    """A provider whose engine ends after some words, when that is wanted."""

    end = asyncio.Event()
    lives = 2  # words

    async def answer(
        self, question: Question, sounds: Sequence[Audio]
    ) -> AsyncGenerator[AnswerEvent]:
        count = 0
        async for event in super().answer(question, sounds):
            yield event
            count += isinstance(event, Delta)
            if count == self.lives:
                await self.end.wait()
                raise EngineError("It ended. Try again.", code="engine_died")


def dying(end: asyncio.Event | None = None, lives: int = 2, **more: Any) -> Dying:
    provider = Dying(**{"answers": answers, "hears_s": 600.0, "honours": EVERY, **more})
    provider.lives = lives
    provider.end = end or asyncio.Event()
    if end is None:
        provider.end.set()
    return provider


def sound(data: str = BASE64) -> dict[str, Any]:
    """A part with a recording, as OpenAI writes it."""
    return {"type": "input_audio", "input_audio": {"data": data, "format": "flac"}}


def text(words: str = "What is said?") -> dict[str, Any]:
    return {"type": "text", "text": words}


def user(*parts: dict[str, Any]) -> dict[str, Any]:
    return {"role": "user", "content": list(parts or (text(), sound()))}


def question(*messages: dict[str, Any], **fields: Any) -> dict[str, Any]:
    """The body of a request; without messages, a question about the sound."""
    return {"model": SCRIPTED, "messages": list(messages or (user(),)), **fields}


async def ask(server: Running, *messages: dict[str, Any], **fields: Any) -> httpx2.Response:
    return await server.client.post(CHAT, json=question(*messages, **fields))


def chunks(response: httpx2.Response) -> list[dict[str, Any]]:
    """The events of a stream, after a look at its end."""
    assert response.headers["content-type"].startswith("text/event-stream")
    lines = [line for line in response.text.split("\n\n") if line.startswith("data: ")]
    assert lines.pop() == "data: [DONE]"
    return [json.loads(line.removeprefix("data: ")) for line in lines]


def joined(events: list[dict[str, Any]]) -> str:
    """The text of all deltas."""
    choices = [choice for event in events for choice in event["choices"]]
    return "".join(choice["delta"].get("content") or "" for choice in choices)
