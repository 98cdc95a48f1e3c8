"""kill -9 at any moment leaves a complete model or none, and the next attempt works."""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.hub import Hub, Repository
from tests.models.conftest import NAME
from tests.models.store.checkpoints import write_mistral
from voxgate.models.store.archive import export_model
from voxgate.models.store.pull import pull_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings

QUIET = {"HF_HUB_DISABLE_TELEMETRY": "1"}
SHM = "/dev/shm"
MOMENTS = 30  # at least: a change is no single step


@pytest.fixture
def settings() -> Iterator[Settings]:
    """A home in memory if possible, since a sweep syncs the disk a thousand times."""
    with tempfile.TemporaryDirectory(dir=SHM if os.access(SHM, os.W_OK) else None) as folder:
        (Path(folder) / "home").mkdir()
        yield Settings(home=Path(folder) / "home")


def sweep(settings: Settings, *arguments: str | Path) -> int:
    done = subprocess.run(
        [sys.executable, "-m", "tests.models.store.killed", settings.home, *arguments],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, **QUIET},
        cwd=Path(__file__).parents[3],
    )
    assert done.returncode == 0, done.stderr
    return int(done.stdout)


def test_a_pull_over_an_older_revision(
    registry: Registry, settings: Settings, hub: Hub, tmp_path: Path
) -> None:
    hub.repositories[NAME] = Repository.from_folder(write_mistral(tmp_path / "older"))
    pull_model(registry, NAME)
    hub.repositories[NAME] = Repository.from_folder(write_mistral(tmp_path / "newer", seed=2))
    assert sweep(settings, "pull", NAME) > MOMENTS


def test_an_import(registry: Registry, settings: Settings, tmp_path: Path) -> None:
    export_model(registry.add(write_mistral(tmp_path / "model"), NAME), tmp_path / "model.tar")
    registry.remove(NAME)
    assert sweep(settings, "import", tmp_path / "model.tar") > MOMENTS


@pytest.mark.usefixtures("hub")
def test_a_removal(registry: Registry, settings: Settings) -> None:
    pull_model(registry, NAME)
    assert sweep(settings, "remove", NAME) > 10
