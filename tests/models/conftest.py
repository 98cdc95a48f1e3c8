from collections.abc import Iterator
from pathlib import Path

import pytest
from huggingface_hub import close_session

from tests.hub import Hub, Repository
from tests.models.store.checkpoints import write_hf, write_mistral
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings

NAME = "acme/tiny-voxtral"


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


@pytest.fixture
def registry(settings: Settings) -> Registry:
    return Registry.open(settings)


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Hugging Face's layout, in two shards. Read-only."""
    return write_hf(tmp_path_factory.mktemp("hf") / "tiny")


@pytest.fixture(scope="session")
def both(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Both layouts side by side, as the official repositories have them. Read-only."""
    folder = write_hf(tmp_path_factory.mktemp("both") / "tiny")
    write_mistral(folder)
    (folder / "README.md").write_text("# A model\n", "utf-8")
    return folder


@pytest.fixture
def hub(both: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Hub]:
    """A hub with one repository, `NAME`, set in HF_ENDPOINT as a user sets it."""
    # An earlier import of the client in this process may have left its telemetry on.
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_DISABLE_TELEMETRY", True)
    with Hub().running() as running:
        monkeypatch.setenv("HF_ENDPOINT", running.url)
        running.repositories[NAME] = Repository.from_folder(both)
        yield running
        close_session()
