"""`Installation`: how this copy of Voxgate was installed, and the commands that add to it.

No command asks a package index for the name `voxgate`: on an index, it may be somebody else's. A
command names the folder, file or address that this copy came from (PEP 610), and where none is
recorded, the packages of the extra themselves.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import sys
from dataclasses import dataclass
from importlib import metadata
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote, urlsplit

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

DISTRIBUTION = "voxgate"
SOURCE_TREE = Path(__file__).parents[2]  # of a copy that runs from its sources

_NAME = re.compile(r"[A-Za-z0-9._-]+")
_EXTRA = re.compile(r"extra\s*==\s*['\"]([^'\"]+)")


@dataclass(frozen=True, slots=True)
class Installation:
    """A copy of Voxgate in a Python environment.

    `executable` is the environment's Python, `prefix` its folder, `folder` where commands are
    typed. `origin` is what PEP 610 records, `requirements` what the package's metadata requires.
    """

    executable: Path
    prefix: Path
    folder: Path
    origin: Mapping[str, Any] | None
    requirements: tuple[str, ...]

    @classmethod
    def find(cls) -> Installation:
        """Return the copy that is running."""
        try:
            distribution = metadata.distribution(DISTRIBUTION)
        except metadata.PackageNotFoundError:
            origin, requirements = None, None
        else:
            recorded = distribution.read_text("direct_url.json")
            origin, requirements = recorded and json.loads(recorded), distribution.requires
        if not origin and (SOURCE_TREE / "pyproject.toml").exists():
            origin = {"url": SOURCE_TREE.as_uri(), "dir_info": {"editable": True}}
        return cls(
            Path(sys.executable),
            Path(sys.prefix),
            Path.cwd(),
            origin or None,
            tuple(requirements or ()),
        )

    def install_extra(self, name: str) -> str:
        """Return the command that installs an extra of this copy."""
        source = None if self._pipx else self._source(name)
        if source is None:
            return self.install_packages(*self._requirements_of(name))
        return f"{self._command('install')} {source}"

    def install_packages(self, *names: str, again: bool = False) -> str:
        """Return the command that installs other packages, in the versions that this copy needs.

        With `again` those that are installed are replaced.
        """
        option = ("--reinstall" if self._uv else "--force") if self._uv or self._pipx else None
        options = [option or "--force-reinstall"] if again else []
        return " ".join([self._command("install"), *options, *map(shlex.quote, self._pin(names))])

    def removal(self, *names: str) -> str:
        """Return the command that uninstalls packages."""
        return " ".join([self._command("uninstall"), *names])

    @property
    def _pipx(self) -> bool:
        return (self.prefix / "pipx_metadata.json").exists()

    @property
    def _uv(self) -> bool:
        """Whether the environment has no pip, and uv is here."""
        return not (self._pipx or self._pip.exists()) and shutil.which("uv") is not None

    @property
    def _pip(self) -> Path:
        return self.executable.parent / "pip"

    def _command(self, verb: str) -> str:
        """Return the installer's command for this environment."""
        if self._pipx:
            verb = {"install": "inject", "uninstall": "uninject"}[verb]
            return f"pipx {verb} {shlex.quote(self.prefix.name)}"
        if self._uv:
            return f"uv pip {verb} --python {self._shown(self.executable)}"
        if not self._pip.exists():
            return f"{self._shown(self.executable)} -m pip {verb}"
        found = shutil.which("pip")
        pip = "pip" if found and Path(found) == self._pip else self._shown(self._pip)
        return f"{pip} {verb}"

    def _source(self, extra: str) -> str | None:
        """Return the argument that names this copy's origin; None where it is not known."""
        if self.origin is None:
            return None
        url = str(self.origin["url"])
        if version_control := self.origin.get("vcs_info"):
            address = f"{version_control['vcs']}+{url}@{version_control['commit_id']}"
            return shlex.quote(f"{DISTRIBUTION}[{extra}] @ {address}")
        if urlsplit(url).scheme != "file":
            return shlex.quote(f"{DISTRIBUTION}[{extra}] @ {url}")
        path = Path(unquote(urlsplit(url).path))
        if not path.exists():  # a wheel that was deleted after the installation
            return None
        editable = "-e " if self.origin.get("dir_info", {}).get("editable") else ""
        return f"{editable}{self._shown(path, f'[{extra}]')}"

    def _shown(self, path: Path, end: str = "") -> str:
        """Return a path as it is typed in the folder: relative to it where it is inside."""
        if path == self.folder:
            return shlex.quote(f".{end}")
        if path.is_relative_to(self.folder):
            # Without './' it could be a package on the index, or a command on the PATH.
            return shlex.quote(f"./{path.relative_to(self.folder)}{end}")
        return shlex.quote(f"{path}{end}")

    def _requirements_of(self, extra: str) -> list[str]:
        return [
            requirement.partition(";")[0].strip()
            for requirement in self.requirements
            if (match := _EXTRA.search(requirement)) and match[1] == extra
        ]

    def _pin(self, names: Iterable[str]) -> list[str]:
        """Return the requirement of each name, for the version that fits."""
        known = {}
        for requirement in self.requirements:
            if name := _NAME.match(requirement):
                known[_normal(name[0])] = requirement.partition(";")[0].strip()
        return [known.get(_normal(name), name) for name in names]


def _normal(name: str) -> str:
    """Return a package's name in the one spelling that tells names apart (PEP 503)."""
    return re.sub(r"[-_.]+", "-", name).lower()
