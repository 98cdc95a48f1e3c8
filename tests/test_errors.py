"""The table of codes, against the classes and against every place that names a code."""

from __future__ import annotations

import ast
import re
from functools import cache
from pathlib import Path
from typing import NamedTuple, get_args

import pytest

import voxgate
from voxgate.errors import (
    CODES,
    PUBLIC_SENTENCES,
    BusyError,
    Code,
    EngineError,
    VoxgateError,
    error_from_code,
)

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
    values: tuple[str, ...]  # as they are written in the source
    has_public: bool  # what callers are told is given there


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
                sentence, values = text_of(node.args[0]), values_of(node.args[0])
                public = any(k.arg == "public" for k in node.keywords)
                found.append(Raised(kind, bool(codes), code, sentence, place, values, public))
    return found


def values_of(node: ast.expr) -> tuple[str, ...]:
    parts = node.values if isinstance(node, ast.JoinedStr) else [node]
    return tuple(
        ast.unparse(part.value if isinstance(part, ast.FormattedValue) else part)
        for part in parts
        if not isinstance(part, ast.Constant)
    )


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


OF_THE_MACHINE = re.compile(
    r"\b(path|folder|home|socket|directory|file|address|target|prefix|executable|Installation)\b"
    r"|\b(error|strerror)\b"
)
"""In the name of a value: a place on the machine, or what its system says of one."""

LOOKED_AT = {
    ("empty_audio", "sent.name or 'The file'"),  # as its caller calls it
    ("fetch_failed", "file.size"),  # of what was fetched
    ("invalid_bundle", "error.sentence"),  # of `voxgate models import`
    ("invalid_bundle", "error.strerror or error"),  # the same
    ("invalid_bundle", "file"),  # the same
    ("invalid_bundle", "path"),  # the same
    ("invalid_request", "key.file"),  # where a key is listed, to who manages keys
    ("invalid_request", "_lower(error)"),  # of the body that was sent
    ("invalid_request", "error"),  # of the address to listen on, at the start
    ("invalid_request", "error.strerror"),  # the same
    ("invalid_request", "dump_command(address, target)"),  # of `voxgate db backup`
    ("invalid_request", "target"),  # the same
    ("invalid_request", "known.folder"),  # of `voxgate models`
    ("invalid_request", "record.folder"),  # the same
    ("model_not_found", "target"),  # the model that an alias stands for
    ("model_not_found", "error.sentence"),  # of prices, at the start
    ("no_endpoints", "Installation.find().install_extra('voxtral')"),  # of `voxgate models`
    ("no_endpoints", "Installation.find().install_packages('huggingface_hub')"),  # the same
    ("unreadable_audio", "error"),  # of a file that has no name here
    ("fetch_failed", "_sentence(error, host, received)"),  # of the host that was named
}
"""What is of commands alone, or of what the caller sent."""

WHERE_CALLERS_ARE = ("api", "audio", "ledger", "models", "pipeline", "providers", "remote")


def test_a_sentence_for_callers_has_nothing_of_the_machine() -> None:
    """What an error says of the machine is for its operator: see `PUBLIC_SENTENCES`."""
    package = Path(voxgate.__file__).parent
    found = {
        (each.code, value)
        for each in raised()
        if each.code not in PUBLIC_SENTENCES and not each.has_public
        if Path(each.place).relative_to(package).parts[0] in WHERE_CALLERS_ARE
        for value in each.values
        if OF_THE_MACHINE.search(value)
    }
    assert found == LOOKED_AT


def test_a_code_belongs_to_one_error_alone() -> None:
    died = EngineError("It ended.", code="engine_died")
    assert (died.code, EngineError("It failed.").code) == ("engine_died", "engine_error")
    assert BusyError("Later.", 7, code="model_loading").retry_after_s == 7
