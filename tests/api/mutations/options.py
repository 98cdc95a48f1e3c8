"""Mutations of a request's fields, known and unknown, with unusual values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from voxgate.api.dialects.fields import FIELDS
from voxgate.api.dialects.wire import TranscriptionRequest

if TYPE_CHECKING:
    import random

KNOWN = tuple(TranscriptionRequest.model_fields)
DOCUMENTED = tuple(field.name for field in FIELDS if "." not in field.name)
ROUTING = tuple(field.name.split(".")[1] for field in FIELDS if field.name.startswith("provider."))
FOREIGN = (*DOCUMENTED, "file", "input", "n", "xyzzy", "", "model ", "MODEL", "é", "a.b", "\0")

ODD: tuple[Any, ...] = (
    *(None, True, False, 0, -1, 1, 2, 0.5, -0.0, 1e308, -1e308, 5e-324),
    *(2**31, 2**63, -(2**64), 10**300, float("nan"), float("inf")),
    *("", " ", "auto", "null", "true", "1", "1e999", "NaN", "0x10", "\u0661", "en", "xx-YY", "\n"),
    *("\0", "\x7f", "é", "😀" * 50, "\ud800", "\udfff\ud800", "\u202e", "a" * 300, "x" * 70_000),
    *("../../etc/passwd", "%s%n", "{}", "[]", "'; DROP TABLE keys;--", "<script>", "a\r\nB: c"),
    *([], [None], [[]], [""], ["a"] * 1001, ["x" * 66_000], [1, "a", None, {}], [[["a"]]]),
    *({}, {"": None}, {"type": "json_object"}, {"type": []}, {"a": {"b": {"c": [1]}}}),
    *({"data": ""}, {"data": "AAAA"}, {"data": ["AAAA"]}, {"url": "https://e.com/a"}),
)

ODD_SCHEMAS: tuple[Any, ...] = ({}, True, 7, "{", {"$ref": "#"}, {"enum": []}, {"$ref": "x:"})

SCHEMAS: tuple[dict[str, Any], ...] = (
    {"name": "a", "schema": {"type": "object", "properties": {"a": {"type": "string"}}}},
    *({"schema": each} for each in ODD_SCHEMAS),
)

PLAIN: dict[str, tuple[Any, ...]] = {
    "language": ("en", "de", "en-US", "en_US", "EN", "eng", "English", "auto", "", None),
    "response_format": (
        *("json", "verbose_json", "text", "srt", "vtt", {"type": "text"}),
        *({"type": "json_schema", "json_schema": each} for each in SCHEMAS),
    ),
    "timestamp_granularities": (["word"], ["segment", "word"], [], "word"),
    "temperature": (0, 0.5, 2, "0.0"),
    "top_p": (0, 1, 0.3),
    "seed": (0, -7, 2**70, "12"),
    "task": ("transcribe", "translate", None),
    "beam_size": (1, 10, "5", None),
    "max_tokens": (None, 1),
    "stop": ([], None, "a", ["a"]),
    "frequency_penalty": (0, 2, -2),
    "presence_penalty": (0, 1.5),
    "structured_outputs": (False, True, *({"json": each["schema"]} for each in SCHEMAS)),
    "diarize": (False, "false", None, True),
    "stream": (False, "false", None, True),
    "prompt": ("", "Voxgate", "\n\t", "x" * 60_000),
    "keyterms": ([], ["Voxgate"], "one", ["é"] * 999),
    "keywords": ([], ["a", "b"]),
    "context_bias": (["a"], "a,b"),
    "languages": (["en"], ["en", "de"], "en,de", []),
    "hotwords": ("Voxgate", ["a", "b"]),
    "chunking_strategy": ("auto", {"type": "server_vad", "threshold": 0.5}, {"type": "x"}, 7),
    "include": ([], ["logprobs"], "logprobs"),
    "known_speaker_names": ([], ["a"]),
    "trace": ({"trace_id": "1"},),
    "provider": (
        {},
        {"zdr": True},
        {"options": {"local": {"prompt": "a", "seed": [], "x": 1}}},
        {"data_collection": "deny"},
        {"options": {"groq": {"a": 1}}},
    ),
    "session_id": ("s", "é😀", "x" * 256),
    "file_url": ("https://example.org/a.mp3", "http://[::1]/", "a.mp3", "http://a@b/", "", None),
    "user": ("u", "\0", "x" * 1000),
}

Fields = dict[str, Any]


def odd_value(chance: random.Random, fields: Fields) -> Fields:
    return {**fields, chance.choice(KNOWN): chance.choice(ODD)}


def plain_value(chance: random.Random, fields: Fields) -> Fields:
    """Set a documented value, which not every model fulfils."""
    name = chance.choice(list(PLAIN))
    return {**fields, name: chance.choice(PLAIN[name])}


def many_values(chance: random.Random, fields: Fields) -> Fields:
    return {**fields, **{name: chance.choice(PLAIN[name]) for name in chance.sample([*PLAIN], 6)}}


def foreign_field(chance: random.Random, fields: Fields) -> Fields:
    return {**fields, chance.choice(FOREIGN): chance.choice(ODD)}


def many_foreign_fields(chance: random.Random, fields: Fields) -> Fields:
    return {
        **fields,
        **{f"x{n}": chance.choice(ODD[:30]) for n in range(chance.choice((30, 2000)))},
    }


def odd_routing(chance: random.Random, fields: Fields) -> Fields:
    return {**fields, "provider": {chance.choice(ROUTING): chance.choice(ODD)}}


def odd_model(chance: random.Random, fields: Fields) -> Fields:
    near = (f"{fields.get('model')} ", "scripted/absent", "scripted/two", "/", "a/b:free", "..")
    return {**fields, "model": chance.choice((*near, chance.choice(ODD)))}


def insist(chance: random.Random, fields: Fields) -> Fields:
    return {**fields, "prompt": "Voxgate", "provider": {"require_parameters": True}}


MUTATIONS = (
    *(odd_value, odd_value, odd_value, plain_value, many_values, foreign_field),
    *(many_foreign_fields, odd_routing, odd_model, insist),
)
