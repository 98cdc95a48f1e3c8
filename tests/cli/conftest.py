from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import CliRunner, clip, isolated_cli
from tests.sounds import Pcm


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CliRunner]:
    with isolated_cli(tmp_path) as runner:
        yield runner


@pytest.fixture
def empty_cli(tmp_path: Path) -> Iterator[CliRunner]:
    """Return a runner whose home is not there yet."""
    with isolated_cli(tmp_path, installed=False) as runner:
        yield runner


@pytest.fixture(scope="session")
def spoken() -> Pcm:
    return clip()
