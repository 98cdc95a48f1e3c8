"""Weights that come in packages: joined once, under their hashes, or not at all."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest

from tests.failures import raises
from tests.processes import DEADLINE_S, until
from tests.whisper.weights import copy_of, whisper_folder
from voxgate.errors import ChangedCheckpointError, CheckpointError
from voxgate.models.available import AvailableModels, install_model
from voxgate.models.catalogue import BUILT_IN_MODELS, DEFAULT_MODEL
from voxgate.models.footprint import memory_by_profile
from voxgate.models.store.packaged import WHISPER_BASE, install_packaged
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings

if TYPE_CHECKING:
    from pathlib import Path

    from voxgate.models.catalogue import ModelSpec
    from voxgate.models.store.packaged import PackagedModel

NAME = WHISPER_BASE.name
ALIAS = "openai/whisper-base"


@pytest.fixture(autouse=True)
def weights() -> None:
    whisper_folder()  # skips where the packages are not installed


@pytest.fixture
def home(tmp_path: Path) -> Settings:
    return Settings(home=tmp_path / "home")


def installed(home: Settings, name: str = NAME) -> ModelSpec:
    """Return the model as an engine would have it installed."""
    return install_model(AvailableModels(home)[name], home)


def test_looking_it_up_installs_nothing(home: Settings) -> None:
    models = AvailableModels(home)
    assert NAME in list(models)
    spec = models[ALIAS]
    assert (spec.name, spec.revision) == (NAME, WHISPER_BASE.revision)
    assert ALIAS in spec.aliases
    assert not home.home.exists()


def test_installing_changes_nothing_but_the_folder(home: Settings) -> None:
    before = AvailableModels(home)[NAME]
    after = installed(home)
    assert after == replace(before, checkpoint=after.checkpoint)
    again = AvailableModels(home)[NAME]
    assert again == replace(after, aliases=again.aliases)
    assert again.identity == before.identity
    (exact,) = memory_by_profile(after).values()
    assert exact == pytest.approx(before.memory_bytes, rel=0.02)


def test_its_files_are_the_official_ones(home: Settings) -> None:
    models = AvailableModels(home)
    installed(home)
    (record,) = Registry.open(home).list()
    assert record.source == "package"
    assert {file.name: file.sha256 for file in record.files} == {
        file.name: file.sha256 for file in WHISPER_BASE.files
    }
    assert models[NAME].checkpoint == record.folder
    assert list(models).count(NAME) == 1


def test_it_comes_back_after_its_removal(home: Settings) -> None:
    spec = installed(home)
    Registry.open(home).remove(NAME)
    assert Registry.open(home).list() == ()
    assert install_model(spec, home) == spec  # as a running server has it
    assert Registry.open(home).get(NAME)


def test_it_never_counts_as_the_model_that_was_installed_last(
    home: Settings, tmp_path: Path
) -> None:
    installed(home)
    assert AvailableModels(home).default() == DEFAULT_MODEL
    Registry.open(home).add(copy_of(whisper_folder(), tmp_path / "mine"))
    installed(home)
    assert AvailableModels(home).default() == "mine"


def test_a_folder_of_the_same_model_is_found_by_the_alias(home: Settings, tmp_path: Path) -> None:
    Registry.open(home).add(copy_of(whisper_folder(), tmp_path / "mine"))
    assert AvailableModels(home)[ALIAS].name == "mine"


def test_installed_files_that_changed_are_refused(home: Settings) -> None:
    models = AvailableModels(home)
    folder = installed(home).checkpoint
    assert folder
    (folder / "config.json").write_text("{}")
    with pytest.raises(ChangedCheckpointError, match=f"`voxgate models rm {NAME}`"):
        models[NAME]
    assert NAME not in list(models)
    Registry.open(home).remove(NAME)
    assert installed(home).checkpoint


def altered(**changes: Any) -> PackagedModel:
    """Return the model with another hash for its last file, as if the package were altered."""
    *files, last = WHISPER_BASE.files
    return replace(WHISPER_BASE, files=(*files, replace(last, **changes)))


def test_a_package_with_other_content_is_refused(home: Settings) -> None:
    registry = Registry.open(home)
    with pytest.raises(CheckpointError, match="is not the official file: its SHA-256 is d01c3014"):
        install_packaged(registry, altered(sha256="0" * 64))
    assert registry.list() == ()
    assert not list(registry.paths.models.rglob("model.bin"))


def test_a_package_without_the_file_is_refused(home: Settings) -> None:
    part = WHISPER_BASE.distributions[0]
    with pytest.raises(CheckpointError, match=f"{part} has no file data/none"):
        install_packaged(Registry.open(home), altered(parts=((part, "data/none"),)))


def test_without_its_packages_it_says_where_to_get_it(home: Settings) -> None:
    absent = replace(BUILT_IN_MODELS[NAME], distributions=("no-such-package",))
    spec = AvailableModels(home, {NAME: absent})[ALIAS]
    either = rf"no-such-package.*pip install -e '.*\[whisper\]'`.*`voxgate models pull {NAME}`"
    with raises("no_endpoints", match=either):
        install_model(spec, home)


def test_the_same_model_from_the_hub_needs_no_packages(home: Settings, tmp_path: Path) -> None:
    Registry.open(home).add(copy_of(whisper_folder(), tmp_path / "base"), NAME)
    absent = replace(BUILT_IN_MODELS[NAME], distributions=("no-such-package",))
    spec = AvailableModels(home, {NAME: absent})[ALIAS]
    assert install_model(spec, home) == spec
    assert spec.checkpoint == tmp_path / "base"


def test_a_full_disk_leaves_nothing_half(home: Settings, tmp_path: Path) -> None:
    code = (
        "import resource\n"
        "resource.setrlimit(resource.RLIMIT_FSIZE, (50_000_000, 50_000_000))\n"
        "import signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN)\n" + INSTALL
    )
    failed = run(code, home)
    assert failed.returncode != 0
    assert "RegistryError" in failed.stderr  # EFBIG, as a disk would say ENOSPC
    assert Registry.open(home).list() == ()
    assert installed(home).checkpoint


INSTALL = (
    "from voxgate.models.available import install_model\n"
    "from voxgate.models.catalogue import find_model\n"
    "from voxgate.settings import Settings\n"
    f"spec = install_model(find_model({NAME!r}), Settings.read())\n"
    "print(spec.checkpoint, flush=True)\n"
)


def environment(home: Settings) -> dict[str, str]:
    return {**os.environ, "VOXGATE_HOME": str(home.home)}


def run(code: str, home: Settings) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code],
        env=environment(home),
        capture_output=True,
        text=True,
        check=False,
        timeout=DEADLINE_S,
    )


def test_two_processes_at_once_install_it_once(home: Settings) -> None:
    started = [
        subprocess.Popen(
            [sys.executable, "-c", INSTALL],
            env=environment(home),
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for _ in range(2)
    ]
    ended = [process.communicate(timeout=DEADLINE_S) for process in started]
    assert [process.returncode for process in started] == [0, 0], ended
    assert ended[0][0] == ended[1][0]
    (record,) = Registry.open(home).list()
    Registry.open(home).verify(record)


@pytest.mark.parametrize("kept", [0, 1_000_000, 100_000_000])
async def test_a_kill_in_the_middle_leaves_nothing_half(home: Settings, kept: int) -> None:
    process = subprocess.Popen([sys.executable, "-c", INSTALL], env=environment(home))
    staged = Registry.open(home).paths.staging(NAME) / "parts" / "model.bin"
    await until(
        lambda: (staged.exists() and staged.stat().st_size >= kept) or process.poll() == 0, "a copy"
    )
    process.send_signal(signal.SIGKILL)
    process.wait(DEADLINE_S)
    assert installed(home).checkpoint
    (record,) = Registry.open(home).list()
    Registry.open(home).verify(record)
    assert not Registry.open(home).paths.staging(NAME).exists()
    shutil.rmtree(home.home)
