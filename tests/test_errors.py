"""The table of codes, against the classes and against every place that names a code."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import get_args

import pytest

import voxgate
from voxgate.errors import CODES, BusyError, Code, EngineError, VoxgateError, error_from_code

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


def test_a_code_is_raised_as_the_class_in_the_table() -> None:
    names = {kind.__name__: kind for kind in classes()}
    kinds: dict[object, type[VoxgateError]] = {code: row.kind for code, row in CODES.items()}
    found = set[str]()
    for path in SOURCES:
        for node in ast.walk(ast.parse(path.read_text())):
            if not isinstance(node, ast.Call):
                continue
            name = ast.unparse(node.func).removeprefix("errors.")
            codes = [k.value for k in node.keywords if k.arg == "code"]
            if name in names and codes and isinstance(codes[0], ast.Constant):
                code = codes[0].value
                found.add(str(code))
                assert kinds[code] is names[name], f"{path}:{node.lineno}"
    assert len(found) > 30


def test_a_code_belongs_to_one_error_alone() -> None:
    died = EngineError("It ended.", code="engine_died")
    assert (died.code, EngineError("It failed.").code) == ("engine_died", "engine_error")
    assert BusyError("Later.", 7, code="model_loading").retry_after_s == 7
