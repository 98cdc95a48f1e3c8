"""Conversations mutated in their fields, parts, base64 and bytes: each gets 200 or 4xx.

`make fuzz` sends many more, by another seed each time. FUZZ_SEED makes the same ones again.
"""

from __future__ import annotations

import asyncio
import copy
import json
import os
import random
from collections import Counter
from typing import TYPE_CHECKING, Any

from tests.api.chat.asking import BASE64, CHAT, FORMAT, SCHEMA, hearing, question, sound, text, user
from tests.api.mutations import base64_text, json_text
from tests.api.mutations.layers import Layers
from tests.api.mutations.options import ODD
from tests.api.serving import error_of, serving
from tests.processes import scratch_files
from voxgate.api.chat.fields import CHAT_FIELDS
from voxgate.api.chat.wire import ChatPart, ChatRequest

if TYPE_CHECKING:
    from pathlib import Path

    import httpx2
    import pytest

SEED = int(os.environ.get("FUZZ_SEED") or 20_260)
CASES = int(os.environ.get("FUZZ_CASES") or 300)
AT_ONCE = 4
LAYERS = ("base64", "fields", "messages", "tree", "text")

FIELDS = (*ChatRequest.model_fields, *(each.name for each in CHAT_FIELDS if "." not in each.name))
PLAIN: tuple[dict[str, Any], ...] = (
    *({"response_format": value} for value in (FORMAT, {"type": "json_object"}, {"type": "x"})),
    *({"structured_outputs": value} for value in (True, {"json": SCHEMA}, {"json": ODD[-1]})),
    *({"stream": True}, {"stream": True, "stream_options": {"include_usage": True}}),
    *({"temperature": 1}, {"max_tokens": 1}, {"stop": "a"}, {"models": ["a/b"]}, {"n": 1}),
    *({"tools": []}, {"provider": {"require_parameters": True}}, {"modalities": ["text"]}),
)
ROLES = ("system", "developer", "user", "assistant", "tool", "function", "")
TYPES = ("text", "input_audio", "file", "image_url", "thinking", "refusal", "", "INPUT_AUDIO")


def odd_field(chance: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, chance.choice(FIELDS): chance.choice(ODD)}


def plain_field(chance: random.Random, fields: dict[str, Any]) -> dict[str, Any]:
    return {**fields, **chance.choice(PLAIN)}


def odd_part(chance: random.Random, messages: list[Any]) -> list[Any]:
    part = {
        "type": chance.choice(TYPES),
        chance.choice([*ChatPart.model_fields]): chance.choice(ODD),
    }
    content = chance.choice(([part], [text(), part], part, [part] * 9))
    return [*messages, {"role": chance.choice(ROLES), "content": content}]


def odd_message(chance: random.Random, messages: list[Any]) -> list[Any]:
    odd = chance.choice((chance.choice(ODD), {"role": chance.choice(ROLES)}, {"content": "a"}))
    return chance.choice(([*messages, odd], [odd, *messages], [odd]))


def many_messages(chance: random.Random, messages: list[Any]) -> list[Any]:
    extra = {"role": chance.choice(ROLES[:4]), "content": chance.choice(("a", None, [], [text()]))}
    return [*[extra] * chance.choice((1, 2, 1001)), *messages]


def shapes(chance: random.Random, messages: list[Any]) -> list[Any]:
    url = chance.choice(
        ("https://example.org/a.mp3", "http://[::1]/", "https://", f"data:,{BASE64}")
    )
    audio = chance.choice((url, {"url": url}, BASE64, f"data:audio/flac;base64,{BASE64}"))
    return [*messages, user({"type": "input_audio", "input_audio": audio})]


def case(number: int) -> tuple[bytes, tuple[str, ...]]:
    """The body with this number, and its mutations. Equal numbers give equal bodies."""
    chance = random.Random(f"{SEED}/{number}")
    layers = Layers(chance, LAYERS)
    data = layers("base64", base64_text.MUTATIONS, BASE64)
    said: list[Any] = [user(text(), sound(data)), {"role": "assistant", "content": "One."}]
    messages = [*said, user(text("Two?"))] if chance.random() < 0.5 else said[:1]
    messages = layers("messages", (odd_part, odd_message, many_messages, shapes), messages)
    fields = layers("fields", (odd_field, odd_field, plain_field), question())
    whole = copy.deepcopy({**fields, "messages": messages} if messages else fields)
    tree = layers("tree", json_text.TREE, whole)
    raw = json.dumps(tree, ensure_ascii=chance.random() < 0.5).encode("utf-8", "surrogatepass")
    return layers("text", json_text.TEXT, raw), tuple(layers.applied)


def check(answer: httpx2.Response) -> None:
    """Look at an answer: a completion, a stream, or an error of the caller's."""
    if answer.status_code != 200:
        assert 400 <= answer.status_code < 500
        assert error_of(answer)["code"] == answer.status_code
    elif answer.headers["content-type"] == "application/json":
        assert answer.json()["object"] == "chat.completion"
    else:
        assert answer.text.endswith("data: [DONE]\n\n")


async def test_no_body_is_too_odd(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    print(f"\nFUZZ_SEED={SEED}")
    statuses, cases = Counter[int](), iter(range(CASES))
    limits: dict[str, Any] = {"max_upload_bytes": 200_000, "max_upload_s": 30.0}
    async with serving(tmp_path, hearing(), **limits) as server:

        async def send() -> None:
            for number in cases:
                body, applied = case(number)
                answer = await server.client.post(
                    CHAT, content=body, headers={"Content-Type": "application/json"}
                )
                statuses[answer.status_code] += 1
                try:
                    check(answer)
                    assert applied or answer.status_code == 200
                except AssertionError as error:
                    error.add_note(f"case {number}: {applied}\n{body[:600]!r}\n{answer.text}")
                    raise

        await asyncio.gather(*(send() for _ in range(AT_ONCE)))
        assert not scratch_files(server.settings.spool_dir)
    print(dict(sorted(statuses.items())))
    assert not [record.getMessage() for record in caplog.records if record.exc_info]
    assert {200, 400, 413} <= statuses.keys()
