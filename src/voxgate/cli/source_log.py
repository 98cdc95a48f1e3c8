"""`SourceLog`: which recording each transcript in an output folder was written from.

A file in the folder has a line for each transcript that was written: its path in the folder and the
SHA-256 of its recording. It is copied with the folder, which times of files do not survive, and
formats like srt have no place for it. Lines are only added, so two runs may share a folder; the
last line of a transcript counts.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

SOURCE_LOG = ".voxgate-sources.jsonl"


class SourceLog:
    """The log of one output folder. Its methods raise `OSError`."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._path = folder / SOURCE_LOG
        self._hashes = dict(map(_entry, self._lines()))

    def source_of(self, transcript: Path) -> str | None:
        """Return the SHA-256 of the transcript's recording; None for one that is not recorded."""
        return self._hashes.get(self._name(transcript))

    def add(self, transcript: Path, sha256: str) -> None:
        """Record a transcript that was just written."""
        if self.source_of(transcript) == sha256:
            return
        self._hashes[self._name(transcript)] = sha256
        with self._path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"transcript": self._name(transcript), "sha256": sha256}) + "\n")

    def _name(self, transcript: Path) -> str:
        return transcript.relative_to(self._folder).as_posix()

    def _lines(self) -> list[str]:
        if not self._path.exists():
            return []
        return self._path.read_text(encoding="utf-8").splitlines()


def _entry(line: str) -> tuple[str, str | None]:
    """Return a transcript and its hash; of no transcript for a line that a full disk cut off."""
    try:
        fields = json.loads(line)
        return fields["transcript"], fields["sha256"]
    except (ValueError, KeyError, TypeError):
        return "", None


def hash_recording(path: Path) -> str | None:
    """Return the SHA-256 of a recording; None for what is no file, such as a pipe.

    Raises `OSError`. Takes about a second per gigabyte.
    """
    if not path.is_file():
        return None
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()
