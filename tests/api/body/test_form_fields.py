from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.api.body.reading import thorough
from voxgate.api.body.form_fields import nest_fields
from voxgate.errors import UsageError


@pytest.mark.parametrize(
    ("pairs", "fields"),
    [
        ([], {}),
        ([("a", "1"), ("b", "")], {"a": "1", "b": ""}),
        ([("a[]", "1")], {"a": ["1"]}),
        ([("a", "1"), ("b", "x"), ("a", "2")], {"a": ["1", "2"], "b": "x"}),
        ([("a", "1"), ("a[]", "2")], {"a": ["1", "2"]}),
        ([("a[b][c]", "1"), ("a[d]", "2")], {"a": {"b": {"c": "1"}, "d": "2"}}),
        ([("a[b][]", "1"), ("a[b][]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a[b]", "1"), ("a[b]", "2")], {"a": {"b": ["1", "2"]}}),
        ([("a", [1]), ("a", [2])], {"a": [[1], [2]]}),
        ([("a", {"b": 1})], {"a": {"b": 1}}),
        ([("größe[ä ö]", "ü")], {"größe": {"ä ö": "ü"}}),
        ([("a.b", "1")], {"a.b": "1"}),
        ([("a[b][c][d][e][f][g][]", "1")], {"a": {"b": {"c": {"d": {"e": {"f": {"g": ["1"]}}}}}}}),
    ],
)  # fmt: skip
def test_nesting(pairs: list[tuple[str, Any]], fields: dict[str, Any]) -> None:
    assert nest_fields(pairs) == fields


@pytest.mark.parametrize(
    ("pairs", "why"),
    [
        ([("a[", "1")], "'a['"),
        ([("a]", "1")], "'a]'"),
        ([("[a]", "1")], "'[a]'"),
        ([("[]", "1")], "'[]'"),
        ([("", "1")], "''"),
        ([("a[b", "1")], "'a[b'"),
        ([("a[b]c", "1")], "'a[b]c'"),
        ([("a[[b]]", "1")], "'a[[b]]'"),
        ([("a[][b]", "1")], "'a[][b]'"),
        ([("a\n[", "1")], r"'a\n['"),
        ([("a[" + "b" * 500, "1")], "..."),
        ([("a[b]", "1"), ("a", "2")], "contradicts"),
        ([("a", "2"), ("a[b]", "1")], "contradicts"),
        ([("a[]", "2"), ("a[b]", "1")], "contradicts"),
        ([("a", {"b": 1}), ("a[b]", "1")], "contradicts"),
        ([("a[b][c][d][e][f][g][h][i]", "1")], "deeper than 8"),
        ([("a[b][c][d][e][f][g][h][]", "1")], "deeper than 8"),
        ([("a", "1")] * 1001, "more than 1000"),
    ],
)
def test_what_cannot_be_nested(pairs: list[tuple[str, Any]], why: str) -> None:
    with pytest.raises(UsageError) as caught:
        nest_fields(pairs)
    assert why in caught.value.sentence
    assert len(caught.value.sentence) < 250


names = st.text("ab_ é.", min_size=1, max_size=3)
objects = st.recursive(
    st.text(max_size=5) | st.lists(st.text(max_size=5), min_size=1, max_size=3),
    lambda inner: st.dictionaries(names, inner, min_size=1, max_size=3),
    max_leaves=10,
)


def flat(value: Any, name: str) -> list[tuple[str, str]]:
    """As OpenAI's client writes nested values."""
    if isinstance(value, dict):
        return [pair for key, inner in value.items() for pair in flat(inner, f"{name}[{key}]")]
    if isinstance(value, list):
        return [(f"{name}[]", item) for item in value]
    return [(name, value)]


@thorough
@given(fields=st.dictionaries(names, objects, max_size=3))
def test_what_a_client_flattened(fields: dict[str, Any]) -> None:
    pairs = [pair for key, value in fields.items() for pair in flat(value, key)]
    assert nest_fields(pairs) == fields
