"""This machine's processor: its cores, and the types that it computes natively.

Imports no torch.
"""

from __future__ import annotations

import os
import platform
import sys
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

_AVX512 = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})
_ARM = {"aarch64", "arm64"}
REQUIRED_FLAGS = {
    "BF16": (_AVX512, frozenset({"bf16"})),
    "F16": (_AVX512 | {"avx512_fp16"}, frozenset({"fphp", "asimdhp"})),
}
"""The processor flags that oneDNN's products need, by safetensors' name of a type: x86, then ARM.

Source: oneDNN's table of data types by instruction set. PyTorch gives the same answer at run time.
"""


def usable_cores() -> int:
    """Return how many cores this process may run on."""
    return len(os.sched_getaffinity(0)) if sys.platform == "linux" else os.cpu_count() or 1


def supports_dtype(dtype: str) -> bool:
    """Return whether products of this type run at full speed. If not, they are emulated.

    `dtype` is spelled as in safetensors. float32 is always supported.
    """
    if dtype not in REQUIRED_FLAGS:
        return True
    x86, arm = REQUIRED_FLAGS[dtype]
    return (arm if platform.machine() in _ARM else x86) <= cpu_flags()


@cache
def cpu_flags() -> frozenset[str]:
    """Return the first processor's flags; an empty set where the system does not list them."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return frozenset()
    fields = (line.partition(":") for line in lines)
    values = (value for name, _, value in fields if name.strip() in {"flags", "Features"})
    return frozenset(next(values, "").split())
