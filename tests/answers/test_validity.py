"""Answers from elsewhere: what a schema allows passes, and nothing else does."""

from __future__ import annotations

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from voxgate.answers.validity import valid_json

TASK = {
    "type": "object",
    "properties": {
        "task": {"type": "string"},
        "days": {"type": "integer", "minimum": 0},
        "owners": {"type": "array", "items": {"type": "string"}, "maxItems": 2},
        "kind": {"enum": ["call", "letter", None]},
    },
    "required": ["task", "days"],
    "additionalProperties": False,
}
SCHEMA = json.dumps(TASK)


TASKS = st.fixed_dictionaries(
    {"task": st.text(st.characters(codec="utf-8")), "days": st.integers(0)},
    optional={
        "owners": st.lists(st.text(st.characters(codec="utf-8")), max_size=2),
        "kind": st.sampled_from(["call", "letter", None]),
    },
)


@given(TASKS)
def test_what_the_schema_allows_passes_in_any_spelling(value: dict[str, object]) -> None:
    """With spaces and escapes or without, and in any order."""
    for text in (json.dumps(value, indent=2), json.dumps(value, ensure_ascii=False)):
        found = valid_json(f"\n{text} ", SCHEMA)
        assert found is not None
        assert json.loads(found) == value
        assert "\n" not in found


@pytest.mark.parametrize(
    "text",
    [
        "",
        "call the bank",
        '{"task": "a"}',
        '{"task": "a", "days": -1}',
        '{"task": "a", "days": "1"}',
        '{"task": "a", "days": 1, "more": 1}',
        '{"task": "a", "days": 1, "owners": ["a", "b", "c"]}',
        '{"task": "a", "days": 1, "kind": "visit"}',
        '{"task": "a", "days": 1',
        '{"task": "a", "days": 1}}',
        '```json\n{"task": "a", "days": 1}\n```',
        '{"task": "a", "days": NaN}',
        '{"task": "a", "days": 1e999}',
        '{"task": "\\ud800", "days": 1}',
        "[" * 100_000,
    ],
)
def test_anything_else_does_not(text: str) -> None:
    assert valid_json(text, SCHEMA) is None


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False, allow_infinity=False)
        | st.text(),
        lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
        max_leaves=8,
    )
)
def test_a_schema_without_limits_allows_every_value(value: object) -> None:
    found = valid_json(json.dumps(value), "{}")
    assert found is not None
    assert json.loads(found) == value
