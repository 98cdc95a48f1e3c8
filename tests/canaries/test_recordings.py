"""Which recordings are sent, and what makes them others."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import pytest

from tests.sounds import SAMPLE
from voxgate.canaries.recordings import digest_of, find_canaries
from voxgate.errors import UsageError
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path


def of(folder: Path | str) -> Settings:
    return replace(Settings(), canary_folder=str(folder))


def put(folder: Path, name: str, text: str | None = "some words") -> Path:
    sound = folder / name
    sound.parent.mkdir(parents=True, exist_ok=True)
    sound.write_bytes(SAMPLE.read_bytes())
    if text is not None:
        sound.with_suffix(".txt").write_text(text, "utf-8")
    return sound


def test_without_a_folder_it_is_the_known_sentence() -> None:
    (found,) = find_canaries(of("")).recordings
    assert found.path.read_bytes().startswith(b"fLaC")
    assert "train" in found.reference.text


def test_a_folder_is_searched_as_by_eval_and_what_is_left_out_is_said(tmp_path: Path) -> None:
    put(tmp_path, "b.flac")
    put(tmp_path, "deep/a.flac")
    put(tmp_path, "c.flac", None)
    (tmp_path / "d.mid").write_bytes(b"MThd")
    (tmp_path / "broken.flac").write_bytes(b"fLaC")
    (tmp_path / "broken.txt").write_bytes(b"\xff\xff")
    found = find_canaries(of(tmp_path))
    assert [each.name for each in found.recordings] == ["b.flac", "deep/a.flac"]
    problems = "\n".join(found.problems)
    for part in ("d.mid is not read", "broken.txt is not UTF-8", "c.flac has no reference"):
        assert part in problems


@pytest.mark.parametrize("name", ["absent", "note.flac", "empty"])
def test_a_folder_without_any_is_an_error_with_the_next_step(tmp_path: Path, name: str) -> None:
    put(tmp_path, "note.flac")
    (tmp_path / "empty").mkdir()
    with pytest.raises(UsageError, match=rf"'canary_folder' is .*/{name}, w.*\. (Name|Write) "):
        find_canaries(of(tmp_path / name))


def test_other_words_sounds_or_names_are_another_set(tmp_path: Path) -> None:
    sound = put(tmp_path, "a.flac")
    digests = [digest_of(find_canaries(of(tmp_path)).recordings)]
    assert digest_of(find_canaries(of(tmp_path)).recordings) == digests[0]
    put(tmp_path, "a.flac", "other words")
    digests.append(digest_of(find_canaries(of(tmp_path)).recordings))
    sound.write_bytes(SAMPLE.read_bytes() + b"\0")
    digests.append(digest_of(find_canaries(of(tmp_path)).recordings))
    put(tmp_path, "b.flac")
    digests.append(digest_of(find_canaries(of(tmp_path)).recordings))
    assert len(set(digests)) == len(digests)
