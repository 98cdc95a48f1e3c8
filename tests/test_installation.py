"""The commands that are advised, by how a copy was installed; each is typed in a folder `home`."""

from __future__ import annotations

import shlex
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from voxgate.installation import Installation

REQUIREMENTS = (
    "av<19,>=18.1",
    'faster-whisper<2,>=1.2.1; extra == "whisper"',
    "num2words>=0.5; extra == 'whisper'",
    'torch<3,>=2.13; extra == "voxtral"',
)
BY_NAME = "'faster-whisper<2,>=1.2.1' 'num2words>=0.5'"


@dataclass
class Copy:
    """An environment in a folder of the test, with pip unless it is taken away."""

    home: Path

    def __post_init__(self) -> None:
        (self.home / "env" / "bin").mkdir(parents=True)
        (self.home / "env" / "bin" / "pip").touch()

    def installed(self, origin: dict[str, Any] | None) -> Installation:
        env = self.home / "env"
        return Installation(env / "bin" / "python", env, self.home, origin, REQUIREMENTS)

    def without_pip(self) -> None:
        (self.home / "env" / "bin" / "pip").unlink()


@pytest.fixture
def copy(tmp_path: Path) -> Copy:
    return Copy(tmp_path)


def test_a_clone_is_installed_from_its_folder(copy: Copy) -> None:
    origin = {"url": copy.home.as_uri(), "dir_info": {"editable": True}}
    command = copy.installed(origin).install_extra("whisper")
    assert command == "./env/bin/pip install -e '.[whisper]'"


def test_a_clone_elsewhere_is_named_by_its_whole_path(copy: Copy, tmp_path: Path) -> None:
    folder = tmp_path.parent / f"{tmp_path.name} its clone"
    folder.mkdir()
    origin = {"url": folder.as_uri(), "dir_info": {}}
    command = copy.installed(origin).install_extra("voxtral")
    assert shlex.split(command) == ["./env/bin/pip", "install", f"{folder}[voxtral]"]


def test_a_wheel_is_installed_again_while_it_is_there(copy: Copy) -> None:
    wheel = copy.home / "voxgate-0.1.0-py3-none-any.whl"
    wheel.touch()
    here = copy.installed({"url": wheel.as_uri(), "archive_info": {}})
    again = "./env/bin/pip install './voxgate-0.1.0-py3-none-any.whl[whisper]'"
    assert here.install_extra("whisper") == again
    wheel.unlink()
    assert here.install_extra("whisper") == f"./env/bin/pip install {BY_NAME}"


def test_an_address_is_part_of_the_command(copy: Copy) -> None:
    url = "https://example.org/voxgate"
    archive = copy.installed({"url": f"{url}.whl", "archive_info": {}})
    assert archive.install_extra("whisper").endswith(f"install 'voxgate[whisper] @ {url}.whl'")
    git = copy.installed({"url": url, "vcs_info": {"vcs": "git", "commit_id": "abc"}})
    assert git.install_extra("whisper").endswith(f"install 'voxgate[whisper] @ git+{url}@abc'")


def test_a_copy_of_unknown_origin_gets_the_packages_of_the_extra(copy: Copy) -> None:
    here = copy.installed(None)
    assert here.install_extra("whisper") == f"./env/bin/pip install {BY_NAME}"
    assert here.install_extra("voxtral") == "./env/bin/pip install 'torch<3,>=2.13'"


def test_pipx_adds_to_its_environment(copy: Copy) -> None:
    (copy.home / "env" / "pipx_metadata.json").touch()
    here = copy.installed({"url": copy.home.as_uri(), "dir_info": {}})
    assert here.install_extra("whisper") == f"pipx inject env {BY_NAME}"
    assert here.install_packages("av", again=True) == "pipx inject env --force 'av<19,>=18.1'"
    assert here.removal("num2words") == "pipx uninject env num2words"


def test_uv_is_used_where_the_environment_has_no_pip(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    copy.without_pip()
    monkeypatch.setenv("PATH", str(copy.home))
    here = copy.installed({"url": copy.home.as_uri(), "dir_info": {"editable": True}})
    assert here.install_extra("whisper") == "./env/bin/python -m pip install -e '.[whisper]'"
    (copy.home / "uv").touch(0o755)
    uv = "uv pip install --python ./env/bin/python"
    assert here.install_extra("whisper") == f"{uv} -e '.[whisper]'"
    assert here.install_packages("av", again=True) == f"{uv} --reinstall 'av<19,>=18.1'"


def test_pip_has_no_path_where_it_is_the_one_on_the_path(
    copy: Copy, monkeypatch: pytest.MonkeyPatch
) -> None:
    bin_ = copy.home / "env" / "bin"
    (bin_ / "pip").chmod(0o755)
    monkeypatch.setenv("PATH", str(bin_))
    here = copy.installed(None)
    assert here.install_packages("av", "x==1", again=True) == (
        "pip install --force-reinstall 'av<19,>=18.1' x==1"
    )
    assert here.removal("a", "b") == "pip uninstall a b"


def test_the_command_for_this_copy_names_its_folder(tmp_path: Path) -> None:
    """It names this copy's own folder, from any other folder, and never an index."""
    code = "import voxgate.installation as i; print(i.Installation.find().install_extra('whisper'))"
    said = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    folder = Path(shlex.split(said.stdout)[-1].removesuffix("[whisper]"))
    assert folder.is_absolute()
    assert (folder / "pyproject.toml").exists()
