"""Free and total memory of the machine or of a GPU, which decide whether a model is loaded.

A device is `cpu`, `cuda` or `cuda:N`; others have the machine's memory. Imports no torch.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

import psutil

from voxgate.configuration.values import UNLIMITED_BYTES
from voxgate.hardware import gpu

if TYPE_CHECKING:
    import torch

CGROUP = Path("/sys/fs/cgroup")  # a container's limit, which may be below the machine's memory


def free_bytes(device: torch.device | str = "cpu") -> int:
    """Return the bytes that a new model may take on this device without displacing others.

    For a GPU, PyTorch is asked if it already uses CUDA in this process, else the driver.
    """
    if not str(device).startswith("cuda"):
        return min(psutil.virtual_memory().available, _container_free())
    torch = sys.modules.get("torch")
    if torch is not None and torch.cuda.is_initialized():
        return int(torch.cuda.mem_get_info(device)[0])
    found = gpu.gpu_at(str(device))
    # Of a GPU that the driver does not report, its engine finds out.
    return UNLIMITED_BYTES if found is None else found.free_bytes


def total_bytes(device: str = "cpu") -> int:
    """Return the bytes that a GPU, this machine or this container has when nothing else runs."""
    if not device.startswith("cuda"):
        return min(psutil.virtual_memory().total, _container_limit() or UNLIMITED_BYTES)
    found = gpu.gpu_at(device)
    return UNLIMITED_BYTES if found is None else found.total_bytes


def file_mapped_bytes(pid: int) -> int:
    """Return the bytes of files that a process has in memory, mapped weights among them.

    `free_bytes` counts them as free, since they can be read again. 0 where unknown. psutil's
    `shared` would include anonymous shared memory, which cannot be read again.
    """
    try:
        lines = Path(f"/proc/{pid}/status").read_text(encoding="ascii").splitlines()
    except OSError:
        return 0
    sizes = (line.split()[1] for line in lines if line.startswith("RssFile:"))
    return int(next(sizes, "0")) * 1024


def format_bytes(nbytes: int) -> str:
    """Format bytes in the unit that leaves one to four digits before the point: `9.4 GiB`."""
    amount, units = float(nbytes), ["B", "KiB", "MiB", "GiB"]
    while amount >= 1024 and len(units) > 1:
        amount /= 1024
        units.pop(0)
    return f"{nbytes} B" if units[0] == "B" else f"{amount:.1f} {units[0]}"


def _container_limit() -> int | None:
    try:
        limit = (CGROUP / "memory.max").read_text(encoding="ascii").strip()
    except OSError:
        return None
    return None if limit == "max" else int(limit)


def _container_free() -> int:
    """Return what a container's limit leaves, counting its file cache as free.

    `UNLIMITED_BYTES` where there is no limit.
    """
    limit = _container_limit()
    try:
        used = int((CGROUP / "memory.current").read_text(encoding="ascii"))
        statistics = (CGROUP / "memory.stat").read_text(encoding="ascii").splitlines()
    except OSError:
        return UNLIMITED_BYTES
    cached = next((int(line.split()[1]) for line in statistics if line.startswith("file ")), 0)
    return UNLIMITED_BYTES if limit is None else limit - used + cached
