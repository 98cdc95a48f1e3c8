"""`case`: one request, valid or mutated, from a seed and a number alone."""

from __future__ import annotations

import base64
import copy
import json
import random
from dataclasses import dataclass
from typing import Any

from tests.api.mutations import base64_text, form, json_text, line, message, options, sound
from tests.api.mutations.layers import Layers
from tests.api.mutations.line import Line
from tests.api.mutations.message import Message

KINDS = {
    "json": ("sound", "base64", "options", "tree", "text", "message", "line"),
    "openai": ("sound", "options", "form", "message", "line"),
    "mistral": ("sound", "options", "form", "message", "line"),
    "urlencoded": ("options", "text", "message", "line"),
    "raw": ("sound", "options", "message", "line"),
}
"""The layers of a request that can be mutated, by the kind of its body."""

WEIGHTS = (5, 3, 2, 1, 2)
AGENTS = {
    "json": b"speakeasy-sdk/python",
    "openai": b"OpenAI/Python 2.0",
    "mistral": b"mistral-client-python/3.7.0",
    "urlencoded": b"curl/8",
    "raw": b"curl/8",
}


@dataclass(frozen=True)
class Case:
    """A request and its origin; `applied` names its mutations, none for a valid one."""

    seed: int
    number: int
    kind: str
    applied: tuple[str, ...]
    line: Line

    @property
    def is_good(self) -> bool:
        """Whether its response must be a transcript."""
        return not self.applied and self.kind != "urlencoded"

    def __str__(self) -> str:
        how = f"{self.line.ending}, {len(self.line.pieces)} pieces, {len(self.line.raw)} bytes"
        mutated = ", ".join(self.applied) or "nothing mutated"
        return f"seed {self.seed} case {self.number}: {self.kind}: {mutated} ({how})"


def case(seed: int, number: int, model: str) -> Case:
    """Return the case. Equal arguments give equal cases."""
    chance = random.Random(f"{seed}/{number}")
    (kind,) = chance.choices([*KINDS], WEIGHTS)
    layers = Layers(chance, KINDS[kind])
    name, data = chance.choice([*sound.recordings().items()])
    data = layers("sound", sound.MUTATIONS, data)
    fields = layers("options", options.MUTATIONS, {"model": model})
    content_type, body = _body(layers, kind, fields, name, data)
    query = form.urlencoded(fields) if kind == "raw" else b""
    whole = Message.of(content_type, body, AGENTS[kind], query)
    sent = layers("message", message.MUTATIONS, whole)
    travels = layers("line", line.MUTATIONS, Line((sent.raw_head() + sent.body,)))
    return Case(seed, number, kind, tuple(layers.applied), travels)


def _body(
    layers: Layers, kind: str, fields: dict[str, Any], name: str, data: bytes
) -> tuple[bytes, bytes]:
    """Content type and body."""
    if kind == "json":
        text = layers("base64", base64_text.MUTATIONS, base64.b64encode(data).decode())
        audio = {"data": text, "format": name.partition(".")[2]}
        whole = copy.deepcopy({"input_audio": audio, **fields})
        tree = layers("tree", json_text.TREE, whole)
        written = json.dumps(tree, ensure_ascii=layers.chance.random() < 0.5)
        raw = written.encode("utf-8", "surrogatepass")
        return b"application/json", layers("text", json_text.TEXT, raw)
    if kind == "raw":
        return b"application/octet-stream", data
    if kind == "urlencoded":
        raw = layers("text", form.URLENCODED, form.urlencoded(fields))
        return b"application/x-www-form-urlencoded", raw
    write = form.openai if kind == "openai" else form.mistral
    parts = layers("form", form.MUTATIONS, write(fields, name, data))
    return parts.content_type, parts.raw()
