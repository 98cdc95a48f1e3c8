from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.cli.command import CliRunner, isolated_cli
from tests.ledger.conftest import address, migrated, path, server  # noqa: F401 (fixtures)


@pytest.fixture
def cli(tmp_path: Path) -> Iterator[CliRunner]:
    with isolated_cli(tmp_path) as runner:
        yield runner
