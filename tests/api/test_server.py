"""The server's own process."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

from tests.api.serving import serving

if TYPE_CHECKING:
    from pathlib import Path

MODULES = 10_000  # objects, at the least, of the modules that a server loads


async def test_a_full_collection_leaves_out_what_was_loaded_at_the_start(tmp_path: Path) -> None:
    assert gc.get_freeze_count() == 0
    async with serving(tmp_path):
        assert gc.get_freeze_count() > MODULES
    assert gc.get_freeze_count() == 0
