from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voxgate.audio.decoder_pool import DecoderPool
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def decoders() -> AsyncIterator[DecoderPool]:
    """A decoder pool for one test: each test has its own event loop."""
    async with DecoderPool(Settings()) as decoders:
        yield decoders
