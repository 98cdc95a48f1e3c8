"""The ready schemas are schemas, and say what an instance of theirs looks like."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from voxgate.answers.ready_schemas import READY_SCHEMAS
from voxgate.answers.schema import checked_schema

SAMPLES = Path(__file__).parents[2] / "samples" / "schemas"
PERSON = {"name": "Ada Lovelace", "company": None, "reference": "4711"}
EXAMPLES: dict[str, dict[str, Any]] = {
    "minutes": {
        "title": "The release",
        "summary": "The team looked at what is left to do.",
        "decisions": ["The release is on Monday."],
        "tasks": [
            {"task": "Write the notes.", "owner": "Ada", "due": "Friday"},
            {"task": "Tell the customers.", "owner": None, "due": None},
        ],
        "open_questions": [],
    },
    "call-notes": {
        "reason": "An order has not come.",
        "outcome": "It is sent again.",
        "resolved": True,
        "customer": PERSON,
        "next_steps": ["The shop sends it again."],
        "sentiment": "neutral",
    },
    "to-do": {
        "items": [
            {"title": "Buy milk", "due": "tomorrow", "priority": "high"},
            {"title": "Call the bank", "due": None, "priority": "normal"},
        ]
    },
}


def test_the_package_has_those_of_the_samples() -> None:
    assert set(READY_SCHEMAS) == {path.stem for path in SAMPLES.glob("*.json")} == set(EXAMPLES)
    for name, path in READY_SCHEMAS.items():
        assert path.resolve() == (SAMPLES / f"{name}.json").resolve()


@pytest.mark.parametrize("name", EXAMPLES)
def test_a_ready_schema_is_accepted_and_allows_what_it_describes(name: str) -> None:
    schema = json.loads(READY_SCHEMAS[name].read_text("utf-8"))
    jsonschema.Draft202012Validator.check_schema(schema)
    validator = jsonschema.Draft202012Validator(json.loads(checked_schema(schema, name)))
    validator.validate(EXAMPLES[name])
    assert not validator.is_valid({**EXAMPLES[name], "more": 1})
    for field in schema["required"]:
        rest = {key: value for key, value in EXAMPLES[name].items() if key != field}
        assert not validator.is_valid(rest)


@pytest.mark.parametrize("name", EXAMPLES)
def test_each_field_says_what_it_is(name: str) -> None:
    def check(schema: dict[str, Any]) -> None:
        for field in schema.get("properties", {}).values():
            assert field["description"].endswith(".")
            check(field)
            check(field.get("items", {}))
        assert set(schema.get("required", [])) == set(schema.get("properties", {}))

    check(json.loads(READY_SCHEMAS[name].read_text("utf-8")))
