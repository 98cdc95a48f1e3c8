"""Every real file by the command line: words where words are, else one true sentence."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

from tests.real_files import MEMORY_BYTES, real_files, words_of

if TYPE_CHECKING:
    from pathlib import Path

    from tests.cli.command import CliRunner

FOLDERS = {3: ("devices", "short"), 1: ("devices", "short", "long")}
"""By which files are taken: every third one, or all of them."""

SHORT_S = 0.7  # a lone word of less is at times too short for the model, which is said then


@pytest.mark.parametrize("every", [3, pytest.param(1, marks=pytest.mark.long)])
def test_every_file_gives_words_or_one_true_sentence(
    cli: CliRunner, tmp_path: Path, every: int
) -> None:
    """One command over many files, with the built-in model, and over all that are broken.

    That each file is decoded is in tests/audio/test_real_files.py.
    """
    files = [path for folder in FOLDERS[every] for path in real_files(folder)[::every]]
    broken, out = real_files("broken"), tmp_path / "out"
    run = cli.run(
        *("transcribe", *map(str, files), str(broken[0].parent)),
        *("-f", "verbose_json", "-o", str(out)),
        VOXGATE_DECODER_MEMORY_BYTES=str(MEMORY_BYTES),
    )
    assert "Traceback" not in run.stderr
    for path in files + broken:
        said = [line for line in run.stderr.splitlines() if str(path) in line]
        written = list(out.glob(f"{path.stem}.*"))
        if not written:
            assert len(said) == 1, said
            assert "warning" not in said[0]
            assert not words_of(path), said
            continue
        transcript = json.loads(written[0].read_text(encoding="utf-8"))
        assert transcript["text"] or said, path
        if words := words_of(path):
            assert transcript["text"] or transcript["duration"] < SHORT_S, f"{path}: {words}"
        if words_of(path) == "":
            assert not transcript["text"], path
