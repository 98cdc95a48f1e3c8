"""The table of codes, against the classes and against every place that names a code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

import voxgate
from voxgate.errors import CODES, BusyError, Code, EngineError, VoxgateError, error_from_code

SENTENCES = re.compile(r"[A-Z'{].{15,}([.?:] )(\{\}|.{5,}[.?}])", re.DOTALL)
INTERNALS = re.compile(r"Traceback|[Ee]xception\b|Errno|\bself\b|__|\.py\b|sk-vg-[0-9a-zA-Z]")
SOURCES = sorted(Path(voxgate.__file__).parent.rglob("*.py"))


def classes(kind: type[VoxgateError] = VoxgateError) -> list[type[VoxgateError]]:
    below = [sub for sub in kind.__subclasses__() if sub.__module__ == "voxgate.errors"]
    return [kind, *(found for sub in below for found in classes(sub))]


def test_every_code_is_in_the_table() -> None:
    assert list(CODES) == list(get_args(Code))


@pytest.mark.parametrize("kind", classes())
def test_a_class_stands_for_its_own_code(kind: type[VoxgateError]) -> None:
    assert issubclass(kind, CODES[kind.default_code].kind)
    assert kind("A sentence.").code == kind.default_code


@pytest.mark.parametrize("code", CODES)
def test_an_error_of_another_process_comes_back(code: Code) -> None:
    error = error_from_code(code, "A sentence.")
    assert type(error) is CODES[code].kind
    assert (error.code, error.sentence) == (code, "A sentence.")
    assert (error.status, error.retryable) == (CODES[code].status, CODES[code].retryable)


NAMES = {kind.__name__: kind for kind in classes()}
NEVER_RAISED = {"abandoned", "invalid_audio"}  # nobody is left to read it; what is raised says more


class Raised(NamedTuple):
    """A place that makes an error."""

    kind: type[VoxgateError]
    explicit: bool  # the code is named there
    code: str
    sentence: str  # "" where it is made elsewhere; "{}" in the place of each value
    place: str


@cache
def raised() -> list[Raised]:
    """Every place in the sources that makes an error whose code is known from the text."""
    found = []
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            kind = NAMES.get(ast.unparse(node.func).removeprefix("errors."))
            if kind is None or not node.args:
                continue
            codes = [k.value for k in node.keywords if k.arg == "code"]
            code: object = kind.default_code
            if codes:
                code = codes[0].value if isinstance(codes[0], ast.Constant) else None
            if isinstance(code, str):
                place = f"{path}:{node.lineno}"
                found.append(Raised(kind, bool(codes), code, text_of(node.args[0]), place))
    return found


def text_of(node: ast.expr) -> str:
    if isinstance(node, ast.JoinedStr):
        return "".join(v.value if isinstance(v, ast.Constant) else "{}" for v in node.values)  # type: ignore[misc]
    return str(node.value) if isinstance(node, ast.Constant) else ""


def test_a_code_is_raised_as_the_class_in_the_table() -> None:
    kinds: dict[str, type[VoxgateError]] = {code: row.kind for code, row in CODES.items()}
    explicit = [each for each in raised() if each.explicit]
    assert len({each.code for each in explicit}) > 30
    assert [each.place for each in explicit if kinds[each.code] is not each.kind] == []


@pytest.mark.parametrize("code", [code for code in CODES if code not in NEVER_RAISED])
def test_a_code_has_a_sentence_with_its_cause_and_the_next_step(code: Code) -> None:
    """One says what happened; after its end, or a colon, comes what to do or why."""
    sentences = [each.sentence for each in raised() if each.code == code]
    made_elsewhere = "" in sentences
    assert made_elsewhere or any(map(SENTENCES.fullmatch, sentences)), sentences


def test_no_sentence_speaks_of_the_program() -> None:
    assert [each for each in raised() if INTERNALS.search(each.sentence)] == []


def test_a_code_belongs_to_one_error_alone() -> None:
    died = EngineError("It ended.", code="engine_died")
    assert (died.code, EngineError("It failed.").code) == ("engine_died", "engine_error")
    assert BusyError("Later.", 7, code="model_loading").retry_after_s == 7
