"""The package voxgate-kernels: which Pythons it serves, how its functions read their arguments."""

import importlib
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import torch

from voxgate.voxtral.kernels import ops
from voxgate.voxtral.kernels.bindings import load_kernels

if not ops.is_available():
    pytest.skip(f"no native kernels: {ops.why_unavailable()}", allow_module_level=True)

X = torch.tensor([[3.0, -4.0]])
WEIGHT = torch.ones(2)
OUT = torch.empty(1, 2)
ARGUMENTS: list[Any] = [X.data_ptr(), 2, WEIGHT.data_ptr(), 0.0, OUT.data_ptr(), 1, 2, 1]
"""`rms_norm`'s: x, its stride, weight, eps, out, count, width, threads."""

HEAD = torch.arange(16.0).bfloat16()
HEAD_OUT = torch.empty_like(HEAD)
ATTENTION: list[Any] = [
    (*[HEAD.data_ptr()] * 3, HEAD_OUT.data_ptr()), (16, 16, 16), (16, 16, 16), (16, 16, 16),
    [0], [1], (1, 1, 1, 16), False, 1.0, 1,
]  # fmt: skip
"""`attend`'s: tensors, three tuples of strides, slots, lengths, shape, causal, scale, threads."""


def test_one_file_serves_every_python_from_3_11() -> None:
    path = importlib.import_module("voxgate_kernels._kernels").__file__
    assert path is not None
    assert ".abi3." in Path(path).name


def test_the_best_level_is_used_until_another_is_asked_for() -> None:
    script = "import voxgate_kernels as k; print(k.int8_operations(1) > 0, k.use('abacus'))"
    command = [sys.executable, "-c", script]
    assert subprocess.run(command, check=True, capture_output=True).stdout == b"True False\n"


def test_arguments_are_read_by_their_places() -> None:
    load_kernels().rms_norm(*ARGUMENTS)
    torch.testing.assert_close(OUT, X / 12.5**0.5)


@pytest.mark.parametrize(
    ("place", "value", "error", "words"),
    [
        (0, -1, OverflowError, "negative"),
        (0, 2**64, OverflowError, "too large"),
        (0, 1.5, TypeError, "integer"),
        (1, None, TypeError, "integer"),
        (3, "0.1", TypeError, "real number"),
        (7, 2**31, OverflowError, "2147483648 does not fit"),
        (7, -(2**31) - 1, OverflowError, "-2147483649 does not fit"),
    ],
)
def test_a_wrong_number_is_an_error_of_python(
    place: int, value: object, error: type[Exception], words: str
) -> None:
    arguments = [*ARGUMENTS]
    arguments[place] = value
    with pytest.raises(error, match=words):
        load_kernels().rms_norm(*arguments)


@pytest.mark.parametrize("count", [0, len(ARGUMENTS) - 1, len(ARGUMENTS) + 1])
def test_another_number_of_arguments_is_an_error_of_python(count: int) -> None:
    with pytest.raises(TypeError, match=f"takes 8 arguments, not {count}"):
        load_kernels().rms_norm(*[*ARGUMENTS, 1][:count])


@pytest.mark.parametrize("kind", [tuple, list])
def test_sequences_are_tuples_or_lists(kind: Callable[[Any], Any]) -> None:
    HEAD_OUT.zero_()
    attention: list[Any] = [kind(a) if isinstance(a, tuple | list) else a for a in ATTENTION]
    load_kernels().attend(*attention)
    assert torch.equal(HEAD_OUT, HEAD)  # one position has all the weight


@pytest.mark.parametrize(
    ("place", "value", "words"),
    [
        (0, (0, 0, 0), "another length than 4"),
        (1, 5, "no len"),
        (1, (0, 0, 0, 0), "another length than 3"),
        (4, [0, "1"], "integer"),
        (6, {0, 1, 2, 3}, "indexing"),
    ],
)
def test_a_wrong_sequence_is_an_error_of_python(place: int, value: object, words: str) -> None:
    arguments = [*ATTENTION]
    arguments[place] = value
    with pytest.raises(TypeError, match=words):
        load_kernels().attend(*arguments)


def test_a_sequence_that_no_memory_can_hold_is_an_error_of_python() -> None:
    arguments = [*ATTENTION]
    for arguments[4] in (range(2**62), range(2**59)):
        with pytest.raises((RuntimeError, MemoryError)):
            load_kernels().attend(*arguments)
