"""A PostgreSQL server of the tests' own: on a Unix socket in a temporary folder, without a disk."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING
from uuid import uuid4

from voxgate.ledger.address import Address

if TYPE_CHECKING:
    from collections.abc import Iterator

USER = "voxgate"
SETTINGS = ("fsync=off", "full_page_writes=off", "listen_addresses=", "max_connections=100")


def binaries() -> Path | None:
    """Return the folder of the newest server that is installed, or None."""
    # Debian keeps each version in a folder of its own, which is not in the PATH.
    debian = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda path: int(path.parts[-2]))
    found = shutil.which("initdb")
    folders = [*reversed(debian), *([Path(found).resolve().parent] if found else [])]
    needed = ("initdb", "pg_ctl", "createdb", "psql")
    return next((each for each in folders if all((each / name).exists() for name in needed)), None)


@dataclass(frozen=True)
class Server:
    """A running server, with a fresh database for each call of `create`."""

    programs: Path
    folder: Path

    def address(self, database: str) -> Address:
        return Address.of_server(f"postgresql://{USER}@/{database}?host={self.folder}")

    def create(self, template: str = "template1") -> Address:
        """Create a database, as a copy of another one."""
        name = f"ledger_{uuid4().hex}"
        options = ["-h", str(self.folder), "-U", USER, "--template", template]
        subprocess.run([str(self.programs / "createdb"), *options, name], check=True)
        return self.address(name)

    def execute(self, address: Address, statement: str) -> None:
        """Execute a statement as the server's owner."""
        database = address.url.database or ""
        options = ["-h", str(self.folder), "-U", USER, "-d", database, "--quiet"]
        subprocess.run(
            [str(self.programs / "psql"), *options, "-c", statement],
            check=True,
            stdout=subprocess.DEVNULL,
        )


@contextmanager
def running(folder: Path) -> Iterator[Server]:
    """Run a server from the programs in `folder`. PostgreSQL refuses to run as root."""
    user = "postgres" if os.getuid() == 0 else None
    with tempfile.TemporaryDirectory(prefix="vg", dir="/tmp") as name:  # a socket's path is short
        home = Path(name)
        if user:
            entry = pwd.getpwnam(user)
            os.chown(home, entry.pw_uid, entry.pw_gid)
        data = home / "data"
        initdb = [str(folder / "initdb"), "-D", str(data), "-U", USER, "--auth=trust", "--no-sync"]
        subprocess.run(initdb, check=True, user=user, cwd=home, stdout=subprocess.DEVNULL)
        options = " ".join(f"-c {setting}" for setting in SETTINGS)
        control = [str(folder / "pg_ctl"), "-D", str(data), "-w", "-l", str(home / "log")]
        subprocess.run(
            [*control, "-o", f"{options} -k {home}", "start"],
            check=True,
            user=user,
            cwd=home,
            stdout=subprocess.DEVNULL,
        )
        try:
            yield Server(folder, home)
        finally:
            subprocess.run(
                [*control, "-m", "immediate", "stop"],
                check=True,
                user=user,
                cwd=home,
                stdout=subprocess.DEVNULL,
            )
