"""Schemas that contain themselves: see `test_schema` for which are refused."""

from voxgate.answers.recursion import find_endless
from voxgate.answers.schema_reader import SchemaReader

LONG = 10_000


def endless(document: object) -> tuple[str, ...] | None:
    reader = SchemaReader()
    reader.read(document)
    return find_endless(reader.schemas, reader.targets)


def test_a_long_chain_is_followed_in_time_that_grows_with_its_length() -> None:
    """Else a caller stops the server with a few kilobytes; here it would be some minutes."""
    chain = {f"d{at}": {"$ref": f"#/$defs/d{at + 1}"} for at in range(LONG)}
    assert endless({"$defs": {**chain, f"d{LONG}": {"type": "null"}}}) is None
    assert endless({"$defs": {**chain, f"d{LONG}": {"$ref": "#/$defs/d0"}}}) is not None


def test_what_refers_to_a_part_of_itself_is_looked_at_again() -> None:
    """What is in a schema decides about it, wherever in it the reference is."""
    tree = {
        "$ref": "#/$defs/tree",
        "$defs": {
            "tree": {
                "type": "object",
                "required": ["left"],
                "properties": {
                    "left": {"anyOf": [{"$ref": "#/$defs/tree"}, {"$ref": "#/$defs/a"}]}
                },
            },
            "a": {"allOf": [{"$ref": "#/$defs/b"}]},
            "b": {"type": "null"},
        },
    }
    assert endless(tree) is None
    del tree["$defs"]["b"]["type"]  # type: ignore[index]
    tree["$defs"]["b"]["$ref"] = "#/$defs/tree"  # type: ignore[index]
    assert endless(tree) == ("$defs", "a")
