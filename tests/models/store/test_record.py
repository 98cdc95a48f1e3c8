"""Records on disk: earlier versions' files are read, and what is written does not change."""

import json
from pathlib import Path
from typing import Any

import pytest

from voxgate.errors import RegistryError
from voxgate.models.store.record import FileEntry, ModelRecord

STORED = """\
{
  "version": 1,
  "name": "acme/tiny",
  "revision": "0123456789abcdef0123456789abcdef01234567",
  "source": "pull",
  "folder": "acme/tiny@0123456789ab",
  "layout": "hf",
  "family": "acme/tiny",
  "files": [
    {
      "name": "config.json",
      "nbytes": 12,
      "sha256": "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
      "mtime_ns": 1764374400000000001
    }
  ],
  "installed_at": "2025-11-29T00:00:00.000001+00:00"
}
"""
"""A record as version 0.1 wrote it."""


def write(models: Path, text: str) -> Path:
    path = models / "acme/tiny.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def test_a_stored_record_is_read_and_written_byte_for_byte(tmp_path: Path) -> None:
    record = ModelRecord.read(write(tmp_path, STORED), tmp_path)
    assert record.folder == tmp_path / "acme/tiny@0123456789ab"
    digest = "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"
    assert record.files == (FileEntry("config.json", 12, digest, 1764374400000000001),)
    assert record.to_json(tmp_path) == STORED


def test_a_folder_whose_path_is_not_utf8_is_read(tmp_path: Path) -> None:
    """`json.dumps` writes such a path with a lone surrogate."""
    facts = json.loads(STORED) | {"folder": "/models/\udcff"}
    record = ModelRecord.read(write(tmp_path, json.dumps(facts)), tmp_path)
    assert str(record.folder) == "/models/\udcff"


@pytest.mark.parametrize(
    ("change", "sentence"),
    [
        ({"version": 2, "files": 3}, "its version is 2, and only 1 is supported"),
        ({"folder": None}, r"\$\.folder"),
        ({"revision": "main"}, r"\$\.revision"),
        ({"source": "magic"}, r"\$\.source"),
        ({"layout": ["hf"]}, r"\$\.layout"),
        ({"installed_at": 1}, r"\$\.installed_at"),
        ({"files": "x"}, r"\$\.files"),
        ({"files": [{"name": "x", "nbytes": -1, "sha256": "0" * 64, "mtime_ns": 1}]}, "nbytes"),
        ({"files": [{"name": "x", "nbytes": True, "sha256": "0" * 64, "mtime_ns": 1}]}, "nbytes"),
        (
            {"files": [{"name": "x", "nbytes": 1, "sha256": "0" * 64 + "\n", "mtime_ns": 1}]},
            "sha256",
        ),
        (
            {"files": [{"name": "../x", "nbytes": 1, "sha256": "0" * 64, "mtime_ns": 1}]},
            r"'\.\./x'",
        ),
    ],
)
def test_an_error_names_the_field(tmp_path: Path, change: dict[str, Any], sentence: str) -> None:
    path = write(tmp_path, json.dumps(json.loads(STORED) | change))
    with pytest.raises(RegistryError, match=sentence):
        ModelRecord.read(path, tmp_path)
