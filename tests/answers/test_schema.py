"""Which schemas are accepted, and that what is accepted is enforced, byte by byte."""

import json
import socket
import subprocess
import sys
from functools import cache
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from llguidance import LLMatcher, LLTokenizer

from tests.failures import raises
from voxgate.answers.schema import ANY_OBJECT, checked_schema, grammar, grammar_limits
from voxgate.errors import UsageError

WHERE = "'response_format.json_schema.schema'"


@cache
def byte_tokenizer() -> LLTokenizer:
    """A vocabulary of the 256 bytes."""
    return LLTokenizer("byte")


def allows(schema: Any, answer: str) -> bool:
    """Whether the answer, written so, can be given by the schema."""
    text = checked_schema(schema, WHERE)
    matcher = LLMatcher(byte_tokenizer(), grammar(text), limits=grammar_limits())
    data = answer.encode()
    taken = matcher.try_consume_tokens(byte_tokenizer().tokenize_bytes(data))
    return taken == len(data) and matcher.is_accepting()


def refusal(schema: Any) -> str:
    with raises("unsupported_schema") as caught:
        checked_schema(schema, WHERE)
    sentence = str(caught.value)
    assert sentence.startswith(f"{WHERE} cannot be followed by answers: at ")
    assert len(sentence) < 1000
    return sentence


TREE = {
    "$ref": "#/$defs/node",
    "$defs": {
        "node": {
            "type": "object",
            "properties": {
                "name": {"type": "string"},
                "children": {"type": "array", "items": {"$ref": "#/$defs/node"}},
            },
            "required": ["name"],
            "additionalProperties": False,
        }
    },
}
ALLOWED: list[tuple[Any, list[str], list[str]]] = [
    (True, ['{"a": [1, null]}', "0", '"x"'], ["{a}", "nul"]),
    ({}, ["true", "[1,2]"], ["tru"]),
    (json.loads(ANY_OBJECT), ["{}", '{"a":{"b":[]}}'], ["[]", "1"]),
    ({"type": "integer", "minimum": 3, "maximum": 12}, ["3", "12"], ["2", "13", "3.0"]),
    ({"type": "integer", "exclusiveMinimum": 3}, ["4", "100"], ["3", "-4"]),
    ({"type": "number", "exclusiveMinimum": 0, "maximum": 0.5}, ["0.5", "0.1"], ["0", "0.0"]),
    ({"type": "number", "exclusiveMaximum": -10, "minimum": -10.5}, ["-10.5"], ["-10", "-10.0"]),
    ({"type": "number", "exclusiveMinimum": 2**52, "maximum": 2**52 + 9}, [str(2**52 + 1)], []),
    ({"type": "integer", "multipleOf": 7, "minimum": 1}, ["7", "700"], ["8", "0"]),
    ({"type": "string", "minLength": 2, "maxLength": 3}, ['"ab"', '"äöü"'], ['"a"', '"abcd"']),
    ({"type": "string", "pattern": "^[a-c]+$"}, ['"abc"'], ['"abd"', '""']),
    ({"type": "string", "pattern": "b"}, ['"abc"'], ['"ac"']),
    ({"type": "string", "format": "date"}, ['"2024-02-29"'], ['"2024-02-30"', '"today"']),
    ({"enum": ["a", 1, None, [1], {"b": 2}]}, ['"a"', "1", "null", "[1]", '{"b":2}'], ["2"]),
    ({"const": 0.1}, ["0.1"], ["0.10001"]),
    ({"type": ["string", "null"]}, ["null", '"x"'], ["1"]),
    ({"anyOf": [{"type": "null"}, {"type": "integer"}]}, ["null", "5"], ['"5"']),
    ({"oneOf": [{"type": "null"}, {"type": "integer"}]}, ["null", "5"], ['"5"']),
    ({"allOf": [{"type": "integer"}, {"minimum": 5}]}, ["5"], ["4"]),
    ({"type": "array", "minItems": 1, "maxItems": 2}, ["[1]", "[1,2]"], ["[]", "[1,2,3]"]),
    ({"type": "array", "uniqueItems": False, "maxItems": 2}, ["[1,1]"], ["[1,1,1]"]),
    ({"prefixItems": [{"const": 1}], "items": False, "type": "array"}, ["[]", "[1]"], ["[2]"]),
    ({"type": "object", "maxProperties": 1}, ["{}", '{"a":1}'], ['{"a":1,"b":2}']),
    ({"type": "object", "minProperties": 1}, ['{"a":1}'], ["{}"]),
    ({"type": "object", "additionalProperties": {"type": "null"}}, ['{"a":null}'], ['{"a":1}']),
    (TREE, ['{"name":"a"}', '{"name":"a","children":[{"name":"b"}]}'], ['{"children":[]}']),
    ({"$schema": "http://json-schema.org/draft-07/schema#", "type": "null"}, ["null"], ["1"]),
    ({"$id": "https://example.org/mine", "type": "null"}, ["null"], ["1"]),
    ({"type": "null", "nullable": True, "propertyOrdering": ["b"]}, ["null"], ["1"]),
    ({"title": "T", "description": "D", "default": {"$ref": "http://x"}}, ["1"], []),
    ({"properties": {"not": {"type": "null"}}, "required": ["not"]}, ['{"not":null}'], []),
    (
        {"properties": {"a~/b": {"type": "null"}, "c": {"$ref": "#/properties/a~0~1b"}}},
        ['{"c":null}'],
        ['{"c":1}'],
    ),
]


@pytest.mark.parametrize(("schema", "right", "wrong"), ALLOWED)
def test_what_is_accepted_is_enforced(schema: Any, right: list[str], wrong: list[str]) -> None:
    assert [text for text in right if not allows(schema, text)] == []
    assert [text for text in wrong if allows(schema, text)] == []


def test_the_accepted_text_keeps_the_order_and_the_descriptions() -> None:
    schema = {"type": "object", "properties": {"z": {"title": "größe"}, "a": {}}, "required": ["a"]}
    assert json.loads(checked_schema(schema, WHERE)) == schema
    assert list(json.loads(checked_schema(schema, WHERE))["properties"]) == ["z", "a"]
    assert allows(schema, '{"z":1,"a":2}')
    assert not allows(schema, '{"a":2,"z":1}')


REFUSED: list[tuple[Any, str, str]] = [
    (None, "at its root", "it is null"),
    ("{}", "at its root", "it is text"),
    ([{}], "at its root", "it is a list"),
    (7, "at its root", "it is 7"),
    (False, "at its root", "no value is allowed"),
    ({"properties": {"a": 3}}, "at '/properties/a'", "it is 3"),
    ({"properties": []}, "at '/properties'", "it is a list"),
    ({"anyOf": {}}, "at '/anyOf'", "it is an object"),
    ({"type": "array", "items": [{}]}, "at '/items'", "it is a list"),
    ({"not": {}}, "at '/not'", "Write 'anyOf'"),
    ({"if": {}, "then": {}}, "at '/if'", "Write 'anyOf'"),
    ({"type": "array", "uniqueItems": True}, "at '/uniqueItems'", "Leave it out"),
    ({"type": "array", "contains": {}}, "at '/contains'", "'items'"),
    ({"items": {"patternProperties": {}}}, "at '/items/patternProperties'", "'properties'"),
    ({"propertyNames": {}}, "at '/propertyNames'", "'properties'"),
    ({"unevaluatedProperties": False}, "at '/unevaluatedProperties'", "'properties'"),
    ({"dependentRequired": {"a": ["b"]}}, "at '/dependentRequired'", "Write 'anyOf'"),
    ({"minProperties": 2}, "at '/minProperties'", "'required'"),
    ({"x-guidance": {"lenient": True}}, "at '/x-guidance'", "Leave it out"),
    ({"x-guidance": {"whitespace_flexible": True}}, "at '/x-guidance'", "Leave it out"),
    ({"items": {"x-guidance": {}}}, "at '/items/x-guidance'", "Leave it out"),
    ({"format": "phone"}, "at '/format'", "date-time"),
    ({"format": "unknown"}, "at '/format'", "date-time"),  # llguidance's own name for any text
    ({"format": ["date"]}, "at '/format'", "date-time"),
    ({"pattern": "(?=a)b"}, "at '/pattern'", "'(?='"),
    ({"pattern": 3}, "at '/pattern'", "Give text"),
    ({"type": "string", "pattern": "(a"}, "at its root", "regex parse error"),
    ({"multipleOf": 0.1}, "at '/multipleOf'", "whole number"),
    ({"multipleOf": 0}, "at '/multipleOf'", "whole number"),
    ({"allOf": [{"multipleOf": each} for each in (997, 991)]}, "at its root", "multipleOf"),
    ({"minLength": -1}, "at '/minLength'", "whole number"),
    ({"maxLength": 10**9}, "at '/maxLength'", "whole number"),
    ({"maxItems": 10**6}, "at '/maxItems'", "whole number"),
    ({"minItems": True}, "at '/minItems'", "whole number"),
    ({"minimum": "3"}, "at '/minimum'", "Give a number"),
    ({"exclusiveMinimum": True, "minimum": 3}, "at '/exclusiveMinimum'", "Give a number"),
    ({"minimum": 1e300}, "at '/minimum'", "too large"),
    ({"maximum": float("inf")}, "at '/maximum'", "too large"),
    ({"minimum": float("nan")}, "at '/minimum'", "too large"),
    ({"const": 2**60 + 1}, "at '/const'", "too large"),
    ({"enum": [{"a": [2**60]}]}, "at '/enum'", "too large"),
    ({"const": "a\x1eb"}, "at '/const'", "U+001E"),
    ({"enum": []}, "at '/enum'", "there are 0"),
    ({"enum": "a"}, "at '/enum'", "it is text"),
    ({"enum": list(range(1001))}, "at '/enum'", "there are 1,001"),
    ({"type": "text"}, "at '/type'", "a type is unknown"),
    ({"type": []}, "at '/type'", "a type is unknown"),
    ({"type": [3]}, "at '/type'", "a type is unknown"),
    ({"required": "a"}, "at '/required'", "list of names"),
    ({"required": [3]}, "at '/required'", "list of names"),
    ({"oneOf": [{"type": "number"}, {"type": "integer"}]}, "at its root", "'oneOf' may overlap"),
    ({"type": "integer", "minimum": 3, "maximum": 2}, "at its root", "no value is allowed"),
    ({"type": "string", "minLength": 3, "maxLength": 2}, "at its root", "no value is allowed"),
    ({"allOf": [{"type": "null"}, {"type": "string"}]}, "at its root", "no value is allowed"),
    ({"type": "object", "properties": {"a": False}, "required": ["a"]}, "at its root", "no value"),
    ({"$schema": "http://json-schema.org/draft-04/schema#"}, "at '/$schema'", "Use 2020-12"),
    ({"$schema": "https://example.org/mine"}, "at '/$schema'", "Use 2020-12"),
    ({"$ref": "https://example.org/schema"}, "at '/$ref'", "is not fetched"),
    ({"$ref": "other.json#/a"}, "at '/$ref'", "is not fetched"),
    ({"$ref": "#name"}, "at '/$ref'", "is not fetched"),
    ({"$ref": 3}, "at '/$ref'", "is not fetched"),
    ({"$ref": "#/$defs/a"}, "at '/$ref'", "'#/$defs/a' is no schema"),
    ({"$ref": "#/default", "default": {"type": "null"}}, "at '/$ref'", "is no schema"),
    ({"$dynamicRef": "#a"}, "at '/$dynamicRef'", "Use '$ref'"),
    ({"items": {"$id": "https://example.org/b"}}, "at '/items/$id'", "Use '$ref'"),
    ({"$anchor": "a"}, "at '/$anchor'", "Use '$ref'"),
    ({"$ref": "#"}, "at its root", "without an end"),
    ({"properties": {"a": {"$ref": "#"}}, "type": "object", "required": ["a"]}, "root", "an end"),
    ({"type": "array", "minItems": 1, "items": {"$ref": "#"}}, "at its root", "without an end"),
    ({"anyOf": [{"$ref": "#"}, {"$ref": "#/anyOf/0"}]}, "at its root", "without an end"),
    (
        {"$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}}, "type": "null"},
        "at '/$defs/a'",
        "without an end",
    ),
    ({"title": "\ud800"}, "at its root", "not Unicode"),
    ({"default": float("nan")}, "at its root", "not finite"),
]


@pytest.mark.parametrize(("schema", "place", "reason"), REFUSED)
def test_what_cannot_be_enforced_is_refused_with_its_place(
    schema: Any, place: str, reason: str
) -> None:
    sentence = refusal(schema)
    assert place in sentence
    assert reason in sentence


@pytest.mark.parametrize(
    "schema",
    [
        {"type": "object", "properties": {"a": {"$ref": "#"}}},
        {"type": ["object", "null"], "properties": {"a": {"$ref": "#"}}, "required": ["a"]},
        {"anyOf": [{"type": "null"}, {"type": "array", "minItems": 1, "items": {"$ref": "#"}}]},
        {"type": "array", "items": {"$ref": "#"}},
    ],
)
def test_recursion_that_can_end_is_accepted(schema: Any) -> None:
    assert json.loads(checked_schema(schema, WHERE)) == schema


def nested(levels: int) -> Any:
    schema: Any = {"type": "null"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


def test_size_is_limited() -> None:
    assert checked_schema(nested(60), WHERE)
    assert "more than 64 deep" in refusal(nested(70))
    assert "more than 64 deep" in refusal(nested(100_000))
    assert checked_schema({"description": "a" * 60_000}, WHERE)
    assert "65,536" in refusal({"description": "a" * 66_000})
    assert "more than 4000 values" in refusal({"enum": [[[[]] * 50] * 100]})
    around: dict[str, Any] = {"type": "array"}
    around["items"] = around  # no JSON, and no end
    assert "more than 64 deep" in refusal(around)
    wide = {"anyOf": [{"type": "object", "properties": {f"a{i}": {}}} for i in range(30)]}
    assert "too complex" in refusal({"allOf": [wide, wide]})


def test_an_enum_may_have_as_many_values_as_are_quick() -> None:
    words = [f"word {i}" for i in range(1000)]
    assert allows({"enum": words}, '"word 999"')
    assert not allows({"enum": words}, '"word 1000"')


def test_white_space_is_one_space_at_most_and_only_behind_commas_and_colons() -> None:
    schema = {"type": "object", "properties": {"a": {"type": "array"}}}
    for right in ('{"a":[1,2]}', '{"a": [1, 2]}', '{"a":[1, 2]}'):
        assert allows(schema, right)
    for wrong in (
        '{"a":  [1]}',
        '{ "a":[1]}',
        '{"a":[1 ]}',
        '{"a":\n[1]}',
        '{"a":[1]} ',
        ' {"a":[]}',
    ):
        assert not allows(schema, wrong)


def test_a_name_cannot_be_written_in_another_way() -> None:
    """Else `a` could be there as text for who reads the answer, and be unknown to the mask."""
    schema = {"type": "object", "properties": {"a": {"type": "integer"}, "b/c": {"type": "null"}}}
    assert not allows(schema, r'{"\u0061": "text"}')
    assert not allows(schema, r'{"b\/c": "text"}')
    assert not allows({"type": "string"}, r'"\ud800"')
    assert allows(schema, r'{"d\n\"\\": "text"}')


def test_nothing_is_fetched() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.setblocking(False)
        url = f"http://127.0.0.1:{server.getsockname()[1]}/schema.json"
        for schema in (
            {"$ref": url},
            {"$ref": f"{url}#/$defs/a"},
            {"$dynamicRef": url},
            {"$schema": url},
            {"$schema": f"{url}?draft-07", "type": "null"},
            {"$id": url, "$ref": "#/$defs/a", "$defs": {"a": {"type": "null"}}},
            {"$id": url, "$ref": "other.json"},
            {"items": {"$id": url, "$ref": "#/$defs/a"}},
            {"properties": {"a": {"$schema": url, "$ref": "#/$defs/a"}}, "$defs": {"a": {}}},
            {"default": {"$ref": url}, "type": "null"},
            {"foreign": {"$ref": url}, "$ref": "#/foreign"},
        ):
            try:
                grammar(checked_schema(schema, WHERE))
            except UsageError as error:
                assert error.code == "unsupported_schema"  # noqa: PT017
        with pytest.raises(BlockingIOError):
            server.accept()


WORDS = [
    *("type", "enum", "const", "properties", "required", "additionalProperties", "items", "$ref"),
    *("prefixItems", "anyOf", "oneOf", "allOf", "pattern", "format", "minimum", "exclusiveMaximum"),
    *("minLength", "maxItems", "minProperties", "multipleOf", "$defs", "$schema", "title", "not"),
    *(
        "object",
        "array",
        "string",
        "#",
        "#/items",
        "#/$defs/a",
        "date",
        "a",
        "^a|[b",
        "\\",
        "",
        "\0",
    ),
]
ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.sampled_from(WORDS) | st.text(),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.sampled_from(WORDS), inner, max_size=4)
    ),
    max_leaves=12,
)


@settings(max_examples=300, deadline=None, print_blob=True)
@given(st.dictionaries(st.sampled_from(WORDS), ANYTHING, max_size=5))
def test_any_json_is_accepted_or_refused(schema: Any) -> None:
    try:
        text = checked_schema(schema, WHERE)
    except UsageError as error:
        assert error.code == "unsupported_schema"  # noqa: PT017
        assert len(error.sentence) < 1000  # noqa: PT017
    else:
        assert not LLMatcher(byte_tokenizer(), grammar(text), limits=grammar_limits()).is_error()


def test_the_library_is_loaded_with_the_first_schema_alone() -> None:
    code = (
        "import sys, voxgate.answers.schema as s;"
        "assert 'llguidance' not in sys.modules and 'torch' not in sys.modules;"
        "s.checked_schema({}, 'it');"
        "assert 'llguidance' in sys.modules and 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)
