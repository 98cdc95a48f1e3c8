"""What a folder must hold to be a Whisper, and what is said of one that is not."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

import pytest

from tests.failures import raises
from tests.models.store.checkpoints import write_hf
from tests.whisper.weights import copy_of, whisper_folder
from voxgate.errors import CheckpointError
from voxgate.models.catalogue import checkpoint_spec
from voxgate.models.checkpoint import open_checkpoint, shape_of
from voxgate.transcript.values import Options
from voxgate.whisper.directory import WhisperDirectory, WhisperShape
from voxgate.whisper.languages import languages_by_vocabulary

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.checkpoint import Layout


def test_the_shape_is_read_from_the_weights() -> None:
    directory = open_checkpoint(whisper_folder())
    assert isinstance(directory, WhisperDirectory)
    assert shape_of(directory) == ("whisper", 512, 6, 6, 51865)
    assert directory.config.mel_bands == 80
    assert len(directory.languages) == 99
    assert directory.multilingual


@pytest.mark.parametrize(
    "missing", ["config.json", "tokenizer.json", "vocabulary.txt", "model.bin"]
)
def test_half_a_model_is_refused(tmp_path: Path, missing: str) -> None:
    folder = copy_of(whisper_folder(), tmp_path / "half", missing)
    with pytest.raises(CheckpointError, match=missing.replace(".", r"\.")):
        open_checkpoint(folder)


@pytest.mark.parametrize("share", [0, 0.0000001, 0.01, 0.5, 0.999])
def test_weights_that_are_cut_off_are_refused(tmp_path: Path, share: float) -> None:
    whole = whisper_folder()
    folder = copy_of(whole, tmp_path / "cut", "model.bin")
    data = (whole / "model.bin").read_bytes()
    (folder / "model.bin").write_bytes(data[: int(len(data) * share)])
    with pytest.raises(CheckpointError, match="cut off"):
        open_checkpoint(folder)


def test_another_architecture_is_refused_by_its_name(tmp_path: Path) -> None:
    folder = copy_of(whisper_folder(), tmp_path / "other", "model.bin")
    kind = b"TransformerSpec\0"
    header = struct.pack("<IH", 6, len(kind)) + kind + struct.pack("<II", 3, 0)
    (folder / "model.bin").write_bytes(header)
    with pytest.raises(CheckpointError, match="'TransformerSpec', which is another kind"):
        open_checkpoint(folder)


@pytest.mark.parametrize("data", [b"PK\x03\x04" * 100, b"\xff" * 100, b"\0" * 100])
def test_bytes_of_another_kind_are_refused(tmp_path: Path, data: bytes) -> None:
    folder = copy_of(whisper_folder(), tmp_path / "bytes", "model.bin")
    (folder / "model.bin").write_bytes(data)
    with pytest.raises(CheckpointError, match="cannot be used as a Whisper model"):
        open_checkpoint(folder)


def test_languages_follow_the_vocabulary() -> None:
    assert languages_by_vocabulary(51864) == ("en",)
    assert "yue" not in languages_by_vocabulary(51865)
    assert "yue" in languages_by_vocabulary(51866)
    assert "jv" in languages_by_vocabulary(51865)


def test_a_voxtral_beside_other_files_is_a_voxtral(tmp_path: Path) -> None:
    folder = write_hf(tmp_path / "voxtral")
    (folder / "vocabulary.txt").write_text("of something else")
    (folder / "model.bin").write_bytes(b"of something else")
    assert open_checkpoint(folder).layout == "hf"


@pytest.mark.parametrize("layout", [None, "ctranslate2"])
def test_a_folder_that_is_not_there_is_refused(tmp_path: Path, layout: Layout | None) -> None:
    with pytest.raises(CheckpointError, match="not a readable folder"):
        open_checkpoint(tmp_path / "none", layout)


def test_an_english_only_model_neither_translates_nor_knows_other_languages(tmp_path: Path) -> None:
    shape = WhisperShape(384, 4, 4, vocabulary=51864, mel_bands=80)  # of tiny.en
    able = checkpoint_spec(WhisperDirectory(tmp_path, shape, ()), "openai/tiny.en").capabilities
    assert not able.detects_language
    able.check("openai/tiny.en", Options("en"))
    with raises(
        "unsupported_language", match=r"does not know the language 'German \(de\)'\. It knows: en\."
    ):
        able.check("openai/tiny.en", Options("de"))
    with raises("unsupported_option", match=r"^openai/tiny\.en cannot translate\."):
        able.check("openai/tiny.en", Options(task="translate"))
