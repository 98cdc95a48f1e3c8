"""The cache of quantised weights has the key and header that it had, and old files are mapped."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from tests.golden import weights
from tests.golden.cases import Case, load, text

if TYPE_CHECKING:
    from pytest import TempPathFactory  # noqa: PT013 (for its annotation)

RECORDED = load("weights")


@pytest.fixture(scope="module")
def found(tmp_path_factory: TempPathFactory) -> dict[str, Case]:
    return weights.collect(tmp_path_factory.mktemp("golden"))


@pytest.mark.parametrize("profile", weights.SCHEMES)
def test_an_old_file_is_mapped(found: dict[str, Case], profile: str) -> None:
    name = f"{profile} old file"
    assert text(found[name].structure) == text(RECORDED[name].structure)


def test_a_new_file_has_the_same_header(found: dict[str, Case]) -> None:
    names = [name for name in found if name in RECORDED]
    assert "balanced names" in names  # what depends on the processor may be missing
    for name in names:
        assert text(found[name].structure) == text(RECORDED[name].structure)
