"""What this machine's processor computes with, asked of the system. Imports no torch."""

from __future__ import annotations

import platform
from functools import cache
from pathlib import Path

CPUINFO = Path("/proc/cpuinfo")

_AVX512 = frozenset({"avx512f", "avx512bw", "avx512vl", "avx512dq"})
_ARM = {"aarch64", "arm64"}
NEEDED = {
    "BF16": (_AVX512, frozenset({"bf16"})),
    "F16": (_AVX512 | {"avx512_fp16"}, frozenset({"fphp", "asimdhp"})),
}
"""By a type's name in safetensors: the flags that oneDNN's products in it want, on x86 and on ARM.

From oneDNN's list of data types by instruction set; PyTorch gives the same answer at run time.
"""


def supports(dtype: str) -> bool:
    """Whether products of this type run at full speed, or are emulated. float32 always does."""
    if dtype not in NEEDED:
        return True
    x86, arm = NEEDED[dtype]
    return (arm if platform.machine() in _ARM else x86) <= cpu_flags()


@cache
def cpu_flags() -> frozenset[str]:
    """The first processor's flags; none where the system does not list them."""
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return frozenset()
    named = (line.partition(":") for line in lines)
    found = (value for name, _, value in named if name.strip() in {"flags", "Features"})
    return frozenset(next(found, "").split())
