"""The engine's messages, answers and record are those that were recorded."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.golden import engine
from tests.golden.cases import Case, load, text

if TYPE_CHECKING:
    from pytest import TempPathFactory  # noqa: PT013 (for its annotation)

RECORDED = load("engine")


@pytest.fixture(scope="module")
def found(tmp_path_factory: TempPathFactory) -> dict[str, Case]:
    return engine.collect(tmp_path_factory.mktemp("golden"))


def test_every_message_is_recorded(found: dict[str, Case]) -> None:
    assert list(found) == list(RECORDED)


@pytest.mark.parametrize("name", RECORDED)
def test_structure(found: dict[str, Case], name: str) -> None:
    assert text(found[name].structure) == text(RECORDED[name].structure)


@pytest.mark.parametrize("name", RECORDED)
def test_prose(found: dict[str, Case], name: str) -> None:
    assert text(found[name].prose) == text(RECORDED[name].prose)
