"""The real recordings that VOXGATE_AUDIO names: files of devices, short, long and broken ones."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

MEMORY_BYTES = 300 << 20  # a decoder that takes more is refused by the kernel: `decoder_died`
TRUE_SENTENCES = {"empty_audio", "not_audio", "no_sound_track", "truncated_audio"}
NOT_RECORDINGS = {".txt", ".keywords", ".md"}


def real_files(folder: str) -> list[Path]:
    """Return the recordings of a folder. Skip the test without one."""
    root = os.environ.get("VOXGATE_AUDIO", "")
    if not root or not Path(root, folder).is_dir():
        pytest.skip("VOXGATE_AUDIO names no folder of recordings")
    return sorted(p for p in Path(root, folder).iterdir() if p.suffix not in NOT_RECORDINGS)


def words_of(path: Path) -> str | None:
    """Return what is said in a recording: "" if nothing is, None if nobody wrote it down."""
    for beside in (path.with_suffix(".txt"), path.with_suffix(".keywords")):
        if beside.exists():
            return beside.read_text(encoding="utf-8").strip()
    return None
