from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxgate.ledger.ledger import LEDGER_FILE, Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """The path of a ledger that does not exist yet, nor does its folder."""
    return tmp_path / "home" / LEDGER_FILE


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with await Ledger.open(path) as opened:
        yield opened
