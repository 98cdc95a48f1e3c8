"""Messages about values: of every field of a request, and of every option of every command."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import pytest
import typer

from voxgate.api.dialects.fields import FIELDS
from voxgate.api.dialects.wire import TranscriptionRequest
from voxgate.api.dialects.wire_types import validated
from voxgate.cli import app
from voxgate.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator

STRANGE = re.compile(
    r"Value error|Input should|Assertion|pydantic|validation|unable to|valid (integer|number|string"
    r"|boolean|list|dict)|type=|fractional",
    re.IGNORECASE,
)
BAD_VALUES: list[Any] = [
    *("x", "0", "a" * 70_000, -1, 1e9, 3.5, float("nan"), True),
    *([], [1], [{}], ["a"] * 2000, {}, {"a": 1}),
]


def refusal_of(fields: dict[str, Any]) -> str:
    """Return why a request is refused; empty for one that is not."""
    try:
        validated(TranscriptionRequest, fields)
    except UsageError as error:
        return error.sentence
    return ""


@pytest.mark.parametrize("field", [field.name for field in FIELDS])
def test_no_field_of_a_request_is_refused_in_the_words_of_a_library(field: str) -> None:
    for value in BAD_VALUES:
        sentence = refusal_of({"model": "a/b", field: value})
        assert not sentence or f"'{field}" in sentence
        assert not STRANGE.search(sentence)


def commands(command: Any, path: tuple[str, ...] = ()) -> Iterator[tuple[tuple[str, ...], Any]]:
    """Every command that is no group, with the words by which it is called."""
    below = getattr(command, "commands", {})
    if not below:
        yield path, command
    for name, each in below.items():
        yield from commands(each, (*path, name))


def refused(command: Any, argument: str) -> bool:
    """Return whether a command cannot even be parsed with this option; it is not run."""
    try:
        command.make_context("voxgate", [argument])
    except typer.BadParameter as error:
        return error.param is not None and error.param.param_type_name == "option"
    return False


def test_no_option_of_a_command_is_refused_in_the_words_of_a_library() -> None:
    root = typer.main.get_command(app)
    found = 0
    for path, command in commands(root):
        for option in (each for each in command.params if each.param_type_name == "option"):
            for value in ("x", "1.5", "-1000000", "1e300", "nan"):
                argument = f"{option.opts[-1]}={value}"
                if not option.is_flag and refused(command, argument):
                    found += 1
                    with pytest.raises(typer.BadParameter) as refusal:
                        root.main([*path, argument], prog_name="voxgate", standalone_mode=False)
                    assert not STRANGE.search(refusal.value.format_message())
    assert found > 40
