from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import Place, place


@pytest.fixture
def at(tmp_path: Path) -> Iterator[Place]:
    with place(tmp_path) as made:
        yield made
