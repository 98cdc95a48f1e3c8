"""Small limits, and a check that no file stays open."""

from __future__ import annotations

import gc
from typing import TYPE_CHECKING

import pytest

from tests.processes import scratch_files
from voxgate.settings import Settings

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def limits(tmp_path_factory: pytest.TempPathFactory) -> Settings:
    """Recordings of up to a megabyte; a body may stall for 50 ms."""
    return Settings(
        spool_dir=tmp_path_factory.mktemp("spool"), max_upload_bytes=10**6, body_patience_s=0.05
    )


@pytest.fixture(autouse=True)
def nothing_left_open(limits: Settings) -> Iterator[None]:
    """No test leaves a recording in memory or on disk, nor a file with a name there."""
    before = scratch_files(limits.spool_dir)
    gc.disable()  # what is merely forgotten must not be closed by chance
    try:
        yield
        assert scratch_files(limits.spool_dir) == before
    finally:
        gc.enable()
    assert list(limits.spool_dir.iterdir()) == []
