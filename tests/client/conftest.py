from pathlib import Path

import pytest

from voxgate.settings import Settings


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the proxy of the environment in which the tests run."""
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, spool_dir=tmp_path / "spool")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """A file that is not a recording. The client does not check its content."""
    path = tmp_path / "note.flac"
    path.write_bytes(bytes(range(256)) * 3 + b"!")
    return path
