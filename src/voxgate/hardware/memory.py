"""How much memory is free: what decides whether a model fits, before any of it is read.

Of the machine, or of a card (`cuda`, `cuda:N`). Imports no torch.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.hardware import gpu

if TYPE_CHECKING:
    import torch


CGROUP = Path("/sys/fs/cgroup")  # of a container: its limit may lie below the machine's
UNLIMITED_BYTES = 2**63 - 1  # of a card of which nobody tells: its engine finds out by itself


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Bytes that a new model may take on this device without driving others out.

    Of a card PyTorch is asked where it computes on one in this process; else the driver.
    """
    if not str(device).startswith("cuda"):
        return min(_available(), _container_left())
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.mem_get_info(device)[0])
    card = gpu.gpu_at(str(device))
    return UNLIMITED_BYTES if card is None else card.free_bytes


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


def total_bytes(device: str = "cpu") -> int:
    """Bytes that a card, this machine, or this container may have, were nothing else there."""
    if not device.startswith("cuda"):
        return min(_installed(), _most_of_container() or 2**63)
    card = gpu.gpu_at(device)
    return UNLIMITED_BYTES if card is None else card.total_bytes


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


# MERGED registry.amounts
# Bytes, as people read them.


def format_bytes(nbytes: int) -> str:
    """In the unit that leaves one to four digits before the point: `9.4 GiB`, `12 B`."""
    amount, units = float(nbytes), ["B", "KiB", "MiB", "GiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{nbytes} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"
