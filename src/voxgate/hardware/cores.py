"""How many cores this process may use, and so how many threads compute best.

Linux says it in three places: the process's affinity, the topology of the processors, of which two
may be the hyper-threads of one core, and the quotas of the control groups around the process, which
containers have. Elsewhere psutil counts the machine's cores. Imports no torch.
"""

from __future__ import annotations

import math
import os
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from voxgate.configuration.values import MOST_THREADS

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator, Mapping

THREADS_VARIABLE = "VOXGATE_THREADS"
OPENMP_VARIABLE = "OMP_NUM_THREADS"

TOPOLOGY = "sys/devices/system/cpu/cpu{}/topology"
CGROUPS = "sys/fs/cgroup"
LONGEST_TEXT = 2**16  # characters of a file that are read
DIGITS = 19  # of the largest number of Linux


@dataclass(frozen=True, slots=True)
class Cores:
    """What this process may use of the machine's processors."""

    processors: int  # of the machine: each hyper-thread is one
    allowed: int  # of them, by the process's affinity
    cores: int  # on which the allowed ones are
    quota: float = math.inf  # processors' worth of time, by the control groups

    @property
    def threads(self) -> int:
        """How many threads can compute at once without taking time from each other."""
        return max(1, math.ceil(min(self.cores, self.quota)))


def usable_cores() -> Cores:
    """Return what this process may use now."""
    processors = os.cpu_count() or 1
    if sys.platform != "linux":
        import psutil  # noqa: PLC0415 (every command imports this module, and Linux needs none)

        return Cores(processors, processors, psutil.cpu_count(logical=False) or processors)
    return linux_cores(os.sched_getaffinity(0), processors)


def linux_cores(allowed: Collection[int], processors: int, root: Path = Path("/")) -> Cores:
    """Return what a process with this affinity may use, by the files of Linux below `root`.

    A processor that the system does not describe is a core. Files that are missing, or say anything
    but what Linux does, set no limit.
    """
    cores = {_core(root / TOPOLOGY.format(processor)) or processor for processor in allowed}
    return Cores(processors, len(allowed), len(cores), min(_quotas(root), default=math.inf))


def thread_count(environ: Mapping[str, str] = os.environ, cores: Cores | None = None) -> int:
    """Return how many threads an engine computes with in this environment.

    As many as a variable says, but at most `MOST_THREADS`; else as many as suit these cores, by
    default the usable ones.
    """
    variable = threads_variable(environ)
    return _number(variable, environ) if variable else (cores or usable_cores()).threads


def threads_variable(environ: Mapping[str, str] = os.environ) -> str | None:
    """Return the variable that says how many threads there are, Voxgate's first; else None."""
    variables = (THREADS_VARIABLE, OPENMP_VARIABLE)
    return next((each for each in variables if _number(each, environ)), None)


def _number(variable: str, environ: Mapping[str, str]) -> int:
    """Return a variable's number, at most `MOST_THREADS`; 0 where it has none.

    OpenMP takes one for each level of nested regions: the first is the outermost.
    """
    text = environ.get(variable, "").partition(",")[0].strip().lstrip("0")
    if not text.isdecimal():
        return 0
    return min(int(text), MOST_THREADS) if len(text) <= len(str(MOST_THREADS)) else MOST_THREADS


def _core(topology: Path) -> str | None:
    """Return a name of a processor's core, which its hyper-threads share; None if unknown."""
    if siblings := _text(topology / "thread_siblings_list"):
        return siblings
    package, core = _text(topology / "physical_package_id"), _text(topology / "core_id")
    return f"{package}:{core}" if package and core else None


def _quotas(root: Path) -> Iterator[float]:
    """Yield the quota of each control group that this process is in, in processors."""
    for line in (_text(root / "proc/self/cgroup") or "").splitlines():
        _, controllers, path = [*line.split(":", 2), "", ""][:3]
        if not path:  # no line of Linux
            continue
        if not controllers:  # version 2, alone or beside the hierarchies of version 1
            mounts, read = ("", "unified"), _quota_v2
        elif "cpu" in controllers.split(","):
            mounts, read = (controllers, "cpu"), _quota_v1
        else:
            continue
        for mount in mounts:
            for group in _nested(root / CGROUPS / mount, path):
                if quota := read(group):
                    yield quota


def _nested(mount: Path, path: str) -> Iterator[Path]:
    """Yield the folders of a control group and of those around it.

    A container may see its own group as the mount's root under a path of the host: then the folders
    below the root are missing, and the root has the quota.
    """
    yield mount
    for name in path.split("/"):
        if name == "..":  # a group outside of this namespace cannot be seen
            return
        if name:
            mount = mount / name
            yield mount


def _quota_v2(group: Path) -> float | None:
    limit, _, period = (_text(group / "cpu.max") or "").partition(" ")
    return _processors(limit, period or "100000")


def _quota_v1(group: Path) -> float | None:
    limit, period = _text(group / "cpu.cfs_quota_us"), _text(group / "cpu.cfs_period_us")
    return _processors(limit or "", period or "")


def _processors(limit: str, period: str) -> float | None:
    """Return a quota of two times in microseconds; None where they are no times, as "max" or -1."""
    if not (limit.isdecimal() and period.isdecimal()) or max(len(limit), len(period)) > DIGITS:
        return None
    return int(limit) / int(period) if int(limit) and int(period) else None


def _text(path: Path) -> str | None:
    """Return the text of a file of Linux, all of which are short; None where it cannot be read."""
    try:
        with path.open(encoding="utf-8", errors="surrogateescape") as file:
            return file.read(LONGEST_TEXT).strip()
    except OSError:
        return None
