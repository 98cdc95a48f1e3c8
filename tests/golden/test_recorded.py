"""What users, clients and other programs see is what was recorded, part by part."""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, TypeAlias

import pytest

from tests.golden.cases import Case, load, text
from tests.golden.record import PARTS, collect

if TYPE_CHECKING:
    from collections.abc import Callable

    from pytest import TempPathFactory  # noqa: PT013 (for annotations)

    Collected: TypeAlias = Callable[[str], dict[str, Case]]
    # The cases of a part by name, collected once, when a test first asks for them.

COMPARED = [part for part in PARTS if part != "weights"]
"""Weights have their own test: some of their cases depend on the processor."""


@pytest.fixture(scope="module")
def collected(tmp_path_factory: TempPathFactory) -> Collected:
    return cache(lambda part: collect(part, tmp_path_factory.mktemp("golden")))


each_case = pytest.mark.parametrize(
    ("part", "name"), [(part, name) for part in COMPARED for name in load(part)]
)


@pytest.mark.parametrize("part", COMPARED)
def test_every_case_is_recorded(collected: Collected, part: str) -> None:
    assert list(collected(part)) == list(load(part))


@each_case
def test_structure(collected: Collected, part: str, name: str) -> None:
    assert text(collected(part)[name].structure) == text(load(part)[name].structure)


@each_case
def test_prose(collected: Collected, part: str, name: str) -> None:
    assert text(collected(part)[name].prose) == text(load(part)[name].prose)
