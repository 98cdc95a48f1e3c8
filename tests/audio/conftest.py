"""One decoder pool for all tests of a file, which share its event loop: a pool starts a process."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import pytest_asyncio

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

FOLDER = Path(__file__).parent
ONE_LOOP = pytest.mark.asyncio(loop_scope="module")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Run the asynchronous tests of each file here in one loop."""
    for item in items:
        if FOLDER in item.path.parents and pytest_asyncio.is_async_test(item):
            item.add_marker(ONE_LOOP, append=False)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def decoders() -> AsyncIterator[DecoderPool]:
    """A decoder pool for one file."""
    async with DecoderPool(Settings()) as decoders:
        yield decoders
