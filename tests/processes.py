"""The kernel's view of processes: who descends from whom, and who is gone."""

from __future__ import annotations

import asyncio
import contextlib
import os
import signal
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

DEADLINE_S = 300.0
"""How long a test waits for something that takes seconds. It only has to tell slow from never: a
machine at a third of the speed, with two busy processes beside it, needs a tenth of it."""

_DEFAULT_SIGNALS = """
import os, signal, sys
for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
    signal.signal(number, signal.SIG_DFL)
os.execv(sys.argv[1], sys.argv[1:])
"""
DEFAULT_SIGNALS = (sys.executable, "-c", _DEFAULT_SIGNALS)
"""Put before a command so that it handles signals that the caller of the tests ignores."""


def children(pid: int) -> list[int]:
    """Direct children of a process, zombies included."""
    found = []
    for folder in Path("/proc").iterdir():
        if folder.name.isdigit():
            with contextlib.suppress(OSError):
                fields = (folder / "stat").read_text().rpartition(")")[2].split()
                if int(fields[1]) == pid:
                    found.append(int(folder.name))
    return sorted(found)


def descendants(pid: int) -> list[int]:
    """Everybody below a process."""
    below = children(pid)
    return below + [pid for child in below for pid in descendants(child)]


def working_decoders(server: int) -> list[int]:
    """The decoders of a fork server that have a job: each has a pipe to the caller."""
    return [pid for pid in children(server) if _has(pid, "pipe:")]


def waiting_decoders(server: int) -> list[int]:
    """The decoders of a fork server that wait for a job: each has a socket and no pipe."""
    return [pid for pid in children(server) if _has(pid, "socket:") and not _has(pid, "pipe:")]


def lasting(pid: int) -> list[int]:
    """Everybody below a process but decoders, which may wait for a further recording."""
    below = descendants(pid)
    forked = {child for each in below if _is_of_decoders(each) for child in children(each)}
    return [each for each in below if each not in forked]


def busy_decoders(pid: int) -> list[int]:
    """The decoders below a process that have a job."""
    servers = [each for each in lasting(pid) if _is_of_decoders(each)]
    return [each for server in servers for each in working_decoders(server)]


def _is_of_decoders(pid: int) -> bool:
    try:
        return b"voxgate.audio.decoder" in Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:  # it ended
        return False


def _has(pid: int, kind: str) -> bool:
    """Whether a process has a descriptor of this kind beside the standard ones."""
    try:
        others = [each for each in _descriptors(pid) if int(each.name) > 2]
        return any(str(each.readlink()).startswith(kind) for each in others)
    except OSError:  # a zombie
        return False


def _descriptors(pid: int | str) -> list[Path]:
    return list(Path(f"/proc/{pid}/fd").iterdir())


def alive(pid: int) -> bool:
    """Whether a process runs: neither gone nor a zombie."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8")
    except OSError:
        return False
    return stat.rpartition(")")[2].split()[0] != "Z"


async def until(condition: Callable[[], bool], what: str) -> None:
    """Wait for a condition, giving way to everybody else; fail when it does not come."""
    end = time.monotonic() + DEADLINE_S
    while not condition():
        assert time.monotonic() < end, f"{what} did not come within {DEADLINE_S:g} s"
        await asyncio.sleep(0.01)


def open_files(pid: int | str = "self") -> int:
    """How many descriptors a process has."""
    return len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208 (one is the own listing's)


def open_but_ledger(pid: int) -> int:
    """How many descriptors a process has beside those of the ledger, whose pool fills with use."""
    return sum("ledger.sqlite3" not in link for link in open_paths(pid))


def scratch_files(folder: Path, pid: int | str = "self") -> list[str]:
    """What a process has open of recordings and decoded sound: below a folder, or in memory."""
    return [p for p in open_paths(pid) if str(folder) in p or p.startswith("/memfd:")]


def open_paths(pid: int | str = "self") -> list[str]:
    """What the descriptors of a process stand for."""
    paths = []
    for each in _descriptors(pid):
        with contextlib.suppress(OSError):  # it was closed meanwhile, or is the listing's own
            paths.append(str(each.readlink()))
    return paths


def heed_signals() -> None:
    """In a child, before its program: what `nohup` or a shell's background job ignores is heard.

    The command leaves ignored what its caller ignores, and so may whoever runs the tests.
    """
    for number in (signal.SIGINT, signal.SIGHUP, signal.SIGTERM):
        signal.signal(number, signal.SIG_DFL)


def connections(port: int) -> int:
    """How many connections to a port of this machine its server holds open."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    rows = [line.split() for line in lines]
    listens, nobody = "0A", "0"  # a state, and the inode of what was closed
    ours = [row for row in rows if int(row[1].partition(":")[2], 16) == port]
    return sum(row[3] != listens and row[9] != nobody for row in ours)
