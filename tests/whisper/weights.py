"""The weights of Whisper base, joined from their packages once for all tests of a process."""

from __future__ import annotations

import os
import shutil
import tempfile
from atexit import register
from functools import cache
from pathlib import Path

import pytest

from voxgate.models.catalogue import BUILT_IN_MODELS, why_not_installed
from voxgate.models.store.packaged import WHISPER_BASE, install_packaged
from voxgate.models.store.registry import Registry
from voxgate.settings import Settings


def whisper_home() -> Path:
    """Return a home in which Whisper base is installed; skips without its packages."""
    whisper_folder()
    return _joined_home()


@cache
def _joined_home() -> Path:
    home = Path(tempfile.mkdtemp(prefix="voxgate-whisper-"))
    register(shutil.rmtree, home, ignore_errors=True)
    install_packaged(Registry.open(Settings(home=home)), WHISPER_BASE)
    return home


def is_packaged() -> bool:
    """Return whether the packages of the weights, and of the engine, are installed."""
    return why_not_installed(BUILT_IN_MODELS[WHISPER_BASE.name]) is None


def whisper_folder() -> Path:
    """Return the folder of Whisper base; skips where its packages are not installed."""
    if not is_packaged():
        pytest.skip(f"{' and '.join(WHISPER_BASE.distributions)} are not installed")
    (record,) = Registry.open(Settings(home=_joined_home())).list()
    return record.folder


def install_links(home: Path) -> None:
    """Install Whisper base in a new home by hard links, so that no test joins it again."""
    if is_packaged():
        home.mkdir(mode=0o700, parents=True, exist_ok=True)
        shutil.copytree(
            _joined_home() / "models",
            home / "models",
            copy_function=os.link,
            ignore=shutil.ignore_patterns(".*"),
        )


def copy_of(folder: Path, target: Path, *without: str) -> Path:
    """Return a folder of hard links to the model's files, which may be replaced but not changed."""
    target.mkdir(parents=True)
    for file in folder.iterdir():
        if file.name not in without:
            os.link(file, target / file.name)
    return target
