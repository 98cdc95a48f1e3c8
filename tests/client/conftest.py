from pathlib import Path

import pytest

from voxgate.settings import Settings


@pytest.fixture(autouse=True)
def _no_proxy(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever runs the tests may have one; a test that wants one sets it."""
    for scheme in ("http", "https", "all", "no"):
        monkeypatch.delenv(f"{scheme}_proxy", raising=False)
        monkeypatch.delenv(f"{scheme}_proxy".upper(), raising=False)


@pytest.fixture
def settings(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path, spool_dir=tmp_path / "spool")


@pytest.fixture
def note(tmp_path: Path) -> Path:
    """Bytes that are nobody's recording: a client does not look at them."""
    path = tmp_path / "note.flac"
    path.write_bytes(bytes(range(256)) * 3 + b"!")
    return path
