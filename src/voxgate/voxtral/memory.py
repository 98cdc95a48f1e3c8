"""How much memory is free: what decides whether a model fits, before any of it is read."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import torch

CGROUP = Path("/sys/fs/cgroup")  # of a container: its limit may lie below the machine's


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Bytes that a new model may take on this device without driving others out.

    Imports no torch for a processor's.
    """
    if str(device).startswith("cuda"):
        import torch  # noqa: PLC0415 (whoever asks for a processor's memory need not have it)

        return int(torch.cuda.mem_get_info(device)[0])
    return min(_available(), _container_left())


def file_bytes_of(pid: int) -> int:
    """Bytes of files that a process has in memory, mapped weights among them; 0 where unknown.

    What `free_bytes` counts as free, since it could be read again.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    sizes = (line.split()[1] for line in lines if line.startswith("RssFile:"))
    return int(next(sizes, "0")) * 1024


def total_bytes() -> int:
    """Bytes that this machine has, or this container may have, were nothing else there."""
    return min(_installed(), _most_of_container() or 2**63)


def _installed() -> int:
    return os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES")


def _most_of_container() -> int | None:
    try:
        most = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if most == "max" else int(most)


def _available() -> int:
    try:
        lines = Path("/proc/meminfo").read_text(encoding="ascii").splitlines()
    except FileNotFoundError:  # not Linux: all pages there are, which is the best that is known
        return _installed()
    fields = dict(line.split(":", 1) for line in lines)
    return int(fields["MemAvailable"].split()[0]) * 1024


def _container_left() -> int:
    """What a container's limit leaves; the file cache in use counts as free. No limit: all."""
    most = _most_of_container()
    try:
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        table = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return 2**63
    cached = next((int(line.split()[1]) for line in table if line.startswith("file ")), 0)
    return 2**63 if most is None else most - used + cached
