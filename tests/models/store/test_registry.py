import json
import os
import shutil
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from safetensors.torch import load_file, save_file

from tests.failures import raises
from tests.hub import Hub
from tests.models.conftest import NAME
from tests.models.store.checkpoints import write_hf, write_mistral
from voxgate.errors import (
    ChangedCheckpointError,
    CheckpointError,
    RegistryError,
    UnknownModelError,
    UsageError,
)
from voxgate.models.available import AvailableModels
from voxgate.models.catalogue import find_named_model
from voxgate.models.store.pull import pull_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings

SHARD = "model-00001-of-00002.safetensors"


@pytest.fixture
def folder(checkpoint: Path, tmp_path: Path) -> Path:
    """A checkpoint that a test may change."""
    return Path(shutil.copytree(checkpoint, tmp_path / "digits"))


def everything(folder: Path) -> dict[str, tuple[bytes, int]]:
    return {p.name: (p.read_bytes(), p.stat().st_mtime_ns) for p in folder.iterdir()}


def test_a_folder_is_added_where_it_is(
    registry: Registry, settings: Settings, folder: Path
) -> None:
    before = everything(folder)
    record = registry.add(folder)
    assert (record.name, record.source, record.folder) == ("digits", "add", folder)
    assert record.family == "digits"
    assert everything(folder) == before
    assert find_named_model("digits", AvailableModels(settings)).checkpoint == folder
    assert [path.name for path in registry.paths.models.rglob("*") if path.is_file()] == [
        "digits.json"
    ]


def test_a_record_outlives_its_process(
    registry: Registry, settings: Settings, folder: Path
) -> None:
    record = registry.add(folder, "acme/digits")
    assert Registry.open(settings).list() == (record,)
    assert Registry.open(settings).find("acme/digits") == record


def test_only_the_used_layout_is_recorded(registry: Registry, both: Path) -> None:
    record = registry.add(both)
    assert record.layout == "hf"
    assert "consolidated.safetensors" not in {file.name for file in record.files}
    assert "README.md" not in {file.name for file in record.files}


def test_mistrals_layout_is_added_as_well(registry: Registry, tmp_path: Path) -> None:
    assert registry.add(write_mistral(tmp_path / "consolidated")).layout == "mistral"


def test_the_revision_of_a_folder_depends_only_on_its_content(
    registry: Registry, folder: Path, tmp_path: Path
) -> None:
    first = registry.add(folder)
    copy = Path(shutil.copytree(folder, tmp_path / "copy"))
    assert registry.add(copy).revision == first.revision
    other = write_hf(tmp_path / "other", seed=7)
    assert registry.add(other).revision != first.revision


def test_adding_a_folder_again_records_its_new_content(registry: Registry, folder: Path) -> None:
    first = registry.add(folder)
    write_hf(folder, seed=3)
    with pytest.raises(ChangedCheckpointError, match=r"voxgate models add .* --name digits"):
        registry.check_unchanged(first)
    second = registry.add(folder)
    registry.check_unchanged(second)
    assert registry.list() == (second,)


def test_a_name_is_not_taken_from_another_folder(
    registry: Registry, folder: Path, checkpoint: Path
) -> None:
    registry.add(folder)
    with pytest.raises(UsageError, match=r"'digits' is already installed, in .*--name"):
        registry.add(checkpoint, "digits")


@pytest.mark.parametrize("name", ["../digits", "a/../b", "a b", "voxtral-mini"])
def test_invalid_names_are_refused(registry: Registry, folder: Path, name: str) -> None:
    with pytest.raises(UsageError):
        registry.add(folder, name)
    assert not registry.paths.models.exists()


def cut(folder: Path) -> None:
    os.truncate(folder / SHARD, 1000)


def forget_a_shard(folder: Path) -> None:
    (folder / SHARD).unlink()


def forget_the_vocabulary(folder: Path) -> None:
    (folder / "tekken.json").unlink()


def take_shards_of_another(folder: Path) -> None:
    shutil.copy(folder / "model-00002-of-00002.safetensors", folder / SHARD)


def quantise(folder: Path) -> None:
    weights = load_file(folder / SHARD)
    name = next(iter(weights))
    save_file(weights | {name: weights[name].to(torch.int8)}, folder / SHARD)


def name_another_kind(folder: Path) -> None:
    text = (folder / "config.json").read_text()
    (folder / "config.json").write_text(text.replace('"voxtral"', '"whisper"'))


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (cut, "cannot be read as safetensors"),
        (forget_a_shard, f"lacks {SHARD}"),
        (forget_the_vocabulary, "no tekken.json"),
        (take_shards_of_another, r"lacks \d+ tensors of its model, the first"),
        (quantise, "as I8, and only BF16, F16, F32 are supported"),
        (name_another_kind, "its model_type is 'whisper'"),
        (shutil.rmtree, "is not a readable folder"),
    ],
)
def test_an_incomplete_checkpoint_is_not_added(
    registry: Registry, folder: Path, change: Callable[[Path], object], says: str
) -> None:
    change(folder)
    with pytest.raises(CheckpointError, match=says):
        registry.add(folder)
    assert registry.list() == ()


def edit(path: Path) -> None:
    """Change one byte, and keep the size and the second."""
    content = bytearray(path.read_bytes())
    content[-1] ^= 1
    path.write_bytes(bytes(content))


@pytest.mark.parametrize("name", [SHARD, "config.json", "tekken.json"])
@pytest.mark.parametrize("change", [edit, Path.unlink, lambda path: os.truncate(path, 10)])
def test_an_edited_checkpoint_is_refused(
    registry: Registry,
    settings: Settings,
    folder: Path,
    name: str,
    change: Callable[[Path], object],
) -> None:
    record = registry.add(folder)
    change(folder / name)
    with pytest.raises(ChangedCheckpointError, match=rf"digits cannot be used: .*{name}"):
        find_named_model("digits", AvailableModels(settings))
    with pytest.raises(ChangedCheckpointError, match=name):
        registry.verify(record)


def test_an_edit_that_hides_its_time_is_found_by_its_hash(registry: Registry, folder: Path) -> None:
    record = registry.add(folder)
    before = (folder / SHARD).stat()
    edit(folder / SHARD)
    os.utime(folder / SHARD, ns=(before.st_atime_ns, before.st_mtime_ns))
    registry.check_unchanged(record)  # what size and time cannot tell
    with pytest.raises(ChangedCheckpointError, match="Its SHA-256 is"):
        registry.verify(record)


def test_new_times_of_the_same_content_are_recorded_by_a_verification(
    registry: Registry, folder: Path
) -> None:
    record = registry.add(folder)
    os.utime(folder / SHARD)
    with pytest.raises(ChangedCheckpointError, match=r"show digits --verify"):
        registry.check_unchanged(record)
    registry.verify(record)
    registry.check_unchanged(registry.find("digits"))


def test_removing_an_added_folder_deletes_nothing_of_it(registry: Registry, folder: Path) -> None:
    before = everything(folder)
    registry.add(folder)
    assert registry.remove("digits") == 0
    assert registry.list() == ()
    assert everything(folder) == before


def test_removing_a_pulled_model_frees_what_it_took(registry: Registry, hub: Hub) -> None:
    record = pull_model(registry, NAME)
    assert registry.remove(NAME) == record.nbytes
    assert registry.list() == ()
    assert not [path for path in registry.paths.models.rglob("*") if path.is_file()]
    with pytest.raises(UnknownModelError):
        registry.remove(NAME)


def test_removing_deletes_what_an_interrupted_pull_has_left(registry: Registry, hub: Hub) -> None:
    hub.faults.statuses[SHARD] = [404]
    with pytest.raises(Exception, match="hub"):
        pull_model(registry, NAME)
    assert registry.paths.staging(NAME).exists()
    assert registry.remove(NAME) > 0
    assert not registry.paths.staging(NAME).exists()


def test_an_alias_removes_nothing(registry: Registry, folder: Path) -> None:
    registry.add(folder)
    with pytest.raises(UnknownModelError):
        registry.remove("voxtral-mini-latest")
    with pytest.raises(UsageError):
        registry.remove("../digits")


def test_a_home_may_be_moved(registry: Registry, hub: Hub, tmp_path: Path) -> None:
    pull_model(registry, NAME)
    moved = (tmp_path / "home").rename(tmp_path / "elsewhere")
    elsewhere = Registry.open(Settings(home=moved))
    (record,) = elsewhere.list()
    assert record.folder.is_relative_to(moved)
    elsewhere.check_unchanged(record)


def spoil_json(path: Path) -> None:
    path.write_text("{")


def change_field(name: str, value: object) -> Callable[[Path], object]:
    def change(path: Path) -> None:
        facts = json.loads(path.read_text())
        path.write_text(json.dumps(facts | {name: value}))

    return change


@pytest.mark.parametrize(
    "change",
    [
        spoil_json,
        change_field("version", 2),
        change_field("name", "../digits"),
        change_field("source", "magic"),
        change_field("layout", ["hf"]),
        change_field("revision", "main"),
        change_field("folder", None),
        change_field("files", [{"name": "../x", "nbytes": 1, "sha256": "0" * 64, "mtime_ns": 1}]),
        change_field("files", [{"name": "x", "nbytes": 1, "sha256": "0", "mtime_ns": 1}]),
        change_field("files", [{"name": "x", "nbytes": -1, "sha256": "0" * 64, "mtime_ns": 1}]),
        change_field("files", "x"),
    ],
)
def test_a_broken_record_is_named_and_can_be_removed(
    registry: Registry, folder: Path, change: Callable[[Path], object]
) -> None:
    registry.add(folder)
    other = registry.add(folder, "acme/other")
    change(registry.paths.record("digits"))
    for read in (registry.find, registry.get):
        with pytest.raises(RegistryError, match="`voxgate models rm digits` removes it"):
            read("digits")
    assert registry.list() == (other,)
    assert list(registry.unreadable()) == ["digits"]
    registry.remove("digits")
    assert registry.list() == (other,)
    assert registry.unreadable() == {}


def test_a_home_that_is_a_file_has_its_error(
    registry: Registry, settings: Settings, folder: Path
) -> None:
    settings.home.write_text("a file")
    with pytest.raises(RegistryError, match="VOXGATE_HOME"):
        registry.add(folder)


def test_a_home_that_does_not_exist_has_no_models(registry: Registry, settings: Settings) -> None:
    assert registry.list() == ()
    assert not settings.home.exists()
    registry_home = settings.home
    with pytest.raises(UnknownModelError, match="No model is called 'digits'"):
        find_named_model("digits", AvailableModels(settings))
    assert not registry_home.exists()


def test_a_folder_without_a_record_is_adopted_by_the_next_pull(
    registry: Registry, hub: Hub
) -> None:
    """As after a kill between the two renames of an installation."""
    record = pull_model(registry, NAME)
    registry.paths.record(NAME).unlink()
    assert registry.list() == ()
    before = len(hub.fetched())
    again = pull_model(registry, NAME)
    assert again.folder == record.folder
    assert hub.fetched()[before:] == []
    registry.verify(again)


def test_without_safetensors_the_sentence_says_what_to_install(
    registry: Registry, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "safetensors", None)
    monkeypatch.delitem(
        sys.modules, "voxgate.voxtral.checkpoint.safetensors_file", raising=False
    )  # if it was imported
    with raises("no_endpoints", match=r"pip install -e '.*\[voxtral\]'"):
        registry.add(folder)
