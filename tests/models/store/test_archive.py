import io
import json
import os
import tarfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from tests.failures import raises
from tests.hub import Hub
from tests.models.conftest import NAME
from voxgate.errors import (
    ChangedCheckpointError,
    CheckpointError,
    OutputError,
    UsageError,
)
from voxgate.models.store.archive import MANIFEST, export_model, import_model
from voxgate.models.store.progress import StoreProgress
from voxgate.models.store.pull import pull_model
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings
from voxgate.voxtral.checkpoint.loader import Checkpoint

Members = list[tuple[tarfile.TarInfo, bytes]]


@pytest.fixture
def bundle(registry: Registry, checkpoint: Path, tmp_path: Path) -> Path:
    """A model in a file."""
    export_model(registry.add(checkpoint, NAME), tmp_path / "tiny.tar")
    return tmp_path / "tiny.tar"


@pytest.fixture
def there(tmp_path: Path) -> Registry:
    """The registry of another machine."""
    return Registry.open(Settings(home=tmp_path / "there"))


def left(registry: Registry) -> list[Path]:
    return [path for path in registry.paths.models.rglob("*") if path.is_file()]


def test_a_model_goes_from_machine_to_machine(
    registry: Registry, there: Registry, hub: Hub, tmp_path: Path
) -> None:
    pulled = pull_model(registry, NAME)
    seen: list[tuple[str, int, int]] = []
    watch = StoreProgress(on_bytes=lambda *now: seen.append(now))
    export_model(pulled, tmp_path / "model.tar", watch)
    assert seen[-1][1:] == (pulled.nbytes, pulled.nbytes)
    seen.clear()
    record = import_model(there, tmp_path / "model.tar", watch)
    assert seen[-1][1:] == (pulled.nbytes, pulled.nbytes)
    assert (record.name, record.revision, record.source) == (NAME, pulled.revision, "import")
    assert [(f.name, f.sha256) for f in record.files] == [(f.name, f.sha256) for f in pulled.files]
    assert there.list() == (record,)
    there.check_unchanged(record)
    there.verify(record)
    Checkpoint.open(record.folder)
    assert there.remove(NAME) == record.nbytes
    assert not left(there)


def test_any_tar_can_read_it(bundle: Path, checkpoint: Path) -> None:
    with tarfile.open(bundle, "r:") as tar:
        first, *rest = tar.getmembers()
        assert first.name == MANIFEST
        assert {member.name for member in rest} == {path.name for path in checkpoint.iterdir()}
        assert all(member.isreg() for member in (first, *rest))


def test_importing_twice_changes_nothing(there: Registry, bundle: Path) -> None:
    said: list[str] = []
    first = import_model(there, bundle)
    assert import_model(there, bundle, StoreProgress(said.append)) == first
    assert "is already installed" in said[0]


def test_an_import_repairs_a_damaged_model(there: Registry, bundle: Path) -> None:
    record = import_model(there, bundle)
    (record.folder / "config.json").write_text("{}")
    there.verify(import_model(there, bundle))


def test_an_edited_model_is_not_exported(registry: Registry, hub: Hub, tmp_path: Path) -> None:
    record = pull_model(registry, NAME)
    weights = record.folder / "model-00001-of-00002.safetensors"
    content = bytearray(weights.read_bytes())
    content[-1] ^= 1
    weights.write_bytes(bytes(content))
    for _ in "edited", "cut":
        with pytest.raises(ChangedCheckpointError, match="is not the file that was installed"):
            export_model(record, tmp_path / "model.tar")
        os.truncate(weights, 100)
    assert not list(tmp_path.glob("*.tar*"))
    assert not list(tmp_path.glob(".*"))


def test_a_target_that_cannot_be_written_has_its_error(
    registry: Registry, checkpoint: Path, tmp_path: Path
) -> None:
    record = registry.add(checkpoint)
    with pytest.raises(OutputError, match="No such file or directory"):
        export_model(record, tmp_path / "nowhere" / "model.tar")
    (tmp_path / "folder").mkdir()
    with pytest.raises(OutputError, match="Is a directory"):
        export_model(record, tmp_path / "folder")


def rewritten(bundle: Path, change: Callable[[Members], Any]) -> Path:
    """The same file after its members were changed."""
    with tarfile.open(bundle, "r:") as tar:
        members = [(m, file.read() if (file := tar.extractfile(m)) else b"") for m in tar]
    change(members)
    target = bundle.with_name("changed.tar")
    with tarfile.open(target, "w:") as tar:
        for member, content in members:
            member.size = len(content) if member.isreg() else 0
            tar.addfile(member, io.BytesIO(content))
    return target


def link_to(kind: bytes, target: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[1][0].type, members[1][0].linkname = kind, target
        members[1] = members[1][0], b""

    return change


def call_it(name: str) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        members[1][0].name = name

    return change


def say_in_the_manifest(**said: object) -> Callable[[Members], None]:
    def change(members: Members) -> None:
        facts = json.loads(members[0][1])
        members[0] = members[0][0], json.dumps(facts | said).encode()

    return change


def call_it_everywhere(name: str) -> Callable[[Members], None]:
    """Both the member and the manifest name an outside path."""

    def change(members: Members) -> None:
        facts = json.loads(members[0][1])
        facts["files"][0]["name"] = members[1][0].name = name
        members[0] = members[0][0], json.dumps(facts).encode()

    return change


def flip_a_bit(members: Members) -> None:
    member, content = members[-1]
    members[-1] = member, content[:-1] + bytes([content[-1] ^ 1])


def add_one(members: Members) -> None:
    members.append((tarfile.TarInfo("more.json"), b"{}"))


def grow_the_manifest(members: Members) -> None:
    members[0] = members[0][0], members[0][1] + b" " * 2**21


@pytest.mark.parametrize(
    "change",
    [
        link_to(tarfile.SYMTYPE, "/etc/passwd"),
        link_to(tarfile.LNKTYPE, MANIFEST),
        link_to(tarfile.DIRTYPE, ""),
        link_to(tarfile.FIFOTYPE, ""),
        call_it("../../escaped"),
        call_it("/escaped"),
        call_it_everywhere("../../escaped"),
        call_it_everywhere("/escaped"),
        call_it_everywhere(".."),
        say_in_the_manifest(name="../../escaped"),
        say_in_the_manifest(name="voxtral-mini-latest"),
        say_in_the_manifest(revision="../../escaped"),
        say_in_the_manifest(layout="other"),
        say_in_the_manifest(files=[]),
        say_in_the_manifest(version=9),
        flip_a_bit,
        add_one,
        grow_the_manifest,
        Members.pop,
        lambda members: members.pop(0),
        lambda members: members.reverse(),
    ],
)
def test_a_manipulated_file_is_refused_and_leaves_nothing(
    there: Registry, bundle: Path, tmp_path: Path, change: Callable[[Members], Any]
) -> None:
    before = set(tmp_path.rglob("*"))
    changed = rewritten(bundle, change)
    with raises("invalid_bundle", match=r"changed\.tar"):
        import_model(there, changed)
    assert not left(there)
    new = set(tmp_path.rglob("*")) - before
    assert {path for path in new if not path.is_relative_to(tmp_path / "there")} == {changed}


@pytest.mark.parametrize("part", [0, 100, 600, 3000, -2000, -600])
def test_a_truncated_file_is_refused_and_leaves_nothing(
    there: Registry, bundle: Path, part: int
) -> None:
    # A tar ends with at least 1 KiB of zeros, filled up to 10 KiB: a cut there loses nothing.
    os.truncate(bundle, part if part >= 0 else last_content(bundle) + part)
    with raises("invalid_bundle", match=r"tiny\.tar is not a complete file"):
        import_model(there, bundle)
    assert not left(there)


def last_content(bundle: Path) -> int:
    with tarfile.open(bundle, "r:") as tar:
        last = tar.getmembers()[-1]
    return last.offset_data + last.size


def test_other_files_are_refused(there: Registry, tmp_path: Path) -> None:
    (tmp_path / "note.txt").write_text("words " * 1000)
    with raises("invalid_bundle", match=r"note\.txt is not a complete file"):
        import_model(there, tmp_path / "note.txt")
    with raises("invalid_bundle", match="cannot be read: No such file"):
        import_model(there, tmp_path / "nothing.tar")
    with raises("invalid_bundle", match="cannot be read: Is a directory"):
        import_model(there, tmp_path)


def test_invalid_weights_with_valid_hashes_are_refused(
    there: Registry, registry: Registry, checkpoint: Path, tmp_path: Path
) -> None:
    """The hashes come from the same source as the file, so the weights are checked as well."""
    record = registry.add(checkpoint)
    without = [file for file in record.files if file.name != "tekken.json"]
    export_model(replace(record, files=tuple(without)), tmp_path / "tiny.tar")
    with pytest.raises(CheckpointError, match=r"no tekken\.json"):
        import_model(there, tmp_path / "tiny.tar")
    assert not left(there)


def test_an_import_does_not_replace_an_added_folder(registry: Registry, bundle: Path) -> None:
    with pytest.raises(UsageError, match="is a folder that was added"):
        import_model(registry, bundle)


def test_a_full_disk_is_reported_before_anything_is_copied(there: Registry, bundle: Path) -> None:
    def claim_too_much(members: Members) -> None:
        facts = json.loads(members[0][1])
        facts["files"][0]["nbytes"] = 2**60
        members[0] = members[0][0], json.dumps(facts).encode()

    with raises("disk_full", match=r"GiB on the disk of .* are free"):
        import_model(there, rewritten(bundle, claim_too_much))
    assert not left(there)
