from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from voxgate.audio.decode import Decoders
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


@pytest.fixture
async def decoders() -> AsyncIterator[Decoders]:
    """Decoders of one test: each has its own event loop."""
    async with Decoders(Settings()) as decoders:
        yield decoders
