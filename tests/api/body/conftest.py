"""Small limits, and a check that no file stays open."""

from __future__ import annotations

import contextlib
import gc
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

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
    """No test leaves a descriptor of the spool's folder, nor a file with a name there."""
    before = _spool_files(limits)
    gc.disable()  # what is merely forgotten must not be closed by chance
    try:
        yield
        assert _spool_files(limits) == before
    finally:
        gc.enable()
    assert list(limits.spool_dir.iterdir()) == []


def _spool_files(limits: Settings) -> list[str]:
    found = []
    for descriptor in Path("/proc/self/fd").iterdir():
        with contextlib.suppress(FileNotFoundError):  # the listing's own descriptor
            found.append(str(descriptor.readlink()))
    return [target for target in found if target.startswith(str(limits.spool_dir))]
