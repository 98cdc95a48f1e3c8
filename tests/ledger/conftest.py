from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from voxgate.ledger.ledger import LEDGER_FILE, Ledger


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Where a ledger may be; nothing is there yet, nor is its folder."""
    return tmp_path / "home" / LEDGER_FILE


@pytest.fixture
async def ledger(path: Path) -> AsyncIterator[Ledger]:
    async with await Ledger.open(path) as opened:
        yield opened
