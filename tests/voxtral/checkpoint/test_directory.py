"""Folders that hold no checkpoint, part of one, or two: always a sentence, never half a model."""

import json
import os
import shutil
from pathlib import Path

import pytest

from voxgate.errors import CheckpointError
from voxgate.voxtral.checkpoint.directory import open_directory

INDEX = "model.safetensors.index.json"


@pytest.fixture
def shards(sharded: Path, tmp_path: Path) -> Path:
    """A copy in several files, to be spoilt."""
    return Path(shutil.copytree(sharded, tmp_path / "shards"))


def test_one_file_and_shards_are_found(hf: Path, sharded: Path, mistral: Path) -> None:
    assert [file.name for file in open_directory(hf).files] == ["model.safetensors"]
    assert len(open_directory(sharded).files) == len(list(sharded.glob("*.safetensors"))) > 2
    assert [file.name for file in open_directory(mistral).files] == ["consolidated.safetensors"]
    assert [open_directory(folder).layout for folder in (hf, sharded, mistral)] == [
        "hf",
        "hf",
        "mistral",
    ]


def test_what_is_there_says_what_would_be_a_checkpoint(tmp_path: Path) -> None:
    with pytest.raises(CheckpointError, match=r"no Voxtral checkpoint.*config\.json.*params\.json"):
        open_directory(tmp_path)


def test_a_path_that_is_no_folder_is_refused(tmp_path: Path, hf: Path) -> None:
    for path in (tmp_path / "nowhere", hf / "model.safetensors", hf / "config.json" / "x"):
        with pytest.raises(CheckpointError, match="not a readable folder"):
            open_directory(path)


def test_the_layout_that_is_asked_for_must_be_there(hf: Path, mistral: Path) -> None:
    with pytest.raises(CheckpointError, match="consolidated"):
        open_directory(hf, "mistral")
    with pytest.raises(CheckpointError, match=r"model\.safetensors"):
        open_directory(mistral, "hf")


def test_halves_of_two_layouts_are_no_checkpoint(hf: Path, mistral: Path, tmp_path: Path) -> None:
    shutil.copy(hf / "config.json", tmp_path)
    shutil.copy(mistral / "consolidated.safetensors", tmp_path)
    with pytest.raises(CheckpointError, match="no Voxtral checkpoint"):
        open_directory(tmp_path)


def test_a_pipe_is_not_waited_for(hf: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(hf, tmp_path / "piped"))
    (folder / "model.safetensors").unlink()
    os.mkfifo(folder / "model.safetensors")
    with pytest.raises(CheckpointError, match="no Voxtral checkpoint"):
        open_directory(folder)


def test_one_of_two_layouts_is_taken(hf: Path, mistral: Path, tmp_path: Path) -> None:
    both = tmp_path / "both"
    shutil.copytree(hf, both)
    shutil.copytree(mistral, both, dirs_exist_ok=True)
    assert [file.name for file in open_directory(both).files] == ["model.safetensors"]
    assert [file.name for file in open_directory(both, "hf").files] == ["model.safetensors"]
    assert [file.name for file in open_directory(both, "mistral").files] == [
        "consolidated.safetensors"
    ]


def test_a_missing_shard_is_named(shards: Path) -> None:
    missing = sorted(shards.glob("*.safetensors"))[1]
    missing.unlink()
    with pytest.raises(CheckpointError, match=f"lacks {missing.name}.*{INDEX}"):
        open_directory(shards)


def test_a_missing_vocabulary_is_named(shards: Path) -> None:
    (shards / "tekken.json").unlink()
    with pytest.raises(CheckpointError, match=r"no tekken\.json"):
        open_directory(shards)


@pytest.mark.parametrize("name", [INDEX, "config.json"])
@pytest.mark.parametrize("content", ["", "{", "[]", "5", "null", "[" * 100_000])
def test_a_broken_file_is_named(shards: Path, name: str, content: str) -> None:
    (shards / name).write_text(content, "utf-8")
    with pytest.raises(CheckpointError, match=name):
        open_directory(shards)


def test_a_file_far_too_large_for_what_it_is_is_not_read(shards: Path) -> None:
    os.truncate(shards / "config.json", 2**40)
    with pytest.raises(CheckpointError, match=r"config\.json is larger than 64 MiB"):
        open_directory(shards)


@pytest.mark.parametrize("weight_map", [None, [], {"x": 5}, {}, "model.safetensors"])
def test_an_index_without_files_is_refused(shards: Path, weight_map: object) -> None:
    (shards / INDEX).write_text(json.dumps({"weight_map": weight_map}), "utf-8")
    with pytest.raises(CheckpointError, match=INDEX):
        open_directory(shards)


@pytest.mark.parametrize("name", ["../model.safetensors", "/etc/passwd", "a/b.safetensors", ""])
def test_an_index_leads_to_no_other_folder(shards: Path, name: str) -> None:
    (shards / INDEX).write_text(json.dumps({"weight_map": {"x": name}}), "utf-8")
    with pytest.raises(CheckpointError, match=INDEX):
        open_directory(shards)


def test_a_sentence_names_the_configuration_and_what_is_wrong(shards: Path) -> None:
    config = json.loads((shards / "config.json").read_text("utf-8"))
    config["model_type"] = "voxtral_realtime"
    (shards / "config.json").write_text(json.dumps(config), "utf-8")
    with pytest.raises(
        CheckpointError, match=r"config\.json does not describe .*'voxtral_realtime'"
    ):
        open_directory(shards)
