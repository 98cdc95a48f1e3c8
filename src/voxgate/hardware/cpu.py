"""The features of this machine's processor, by the names that Linux gives them.

Imports no torch.
"""

from __future__ import annotations

import sys
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

CPUINFO = Path("/proc/cpuinfo")

APPLE_FEATURES = {
    "FEAT_DotProd": {"asimddp"},
    "FEAT_FP16": {"fphp", "asimdhp"},
    "FEAT_BF16": {"bf16"},
    "FEAT_I8MM": {"i8mm"},
}
"""The flags of ARM's features, by Apple's name of each below `hw.optional.arm`."""


@cache
def cpu_flags() -> frozenset[str]:
    """Return the first processor's flags; an empty set where the system does not list them."""
    if sys.platform == "darwin":
        return apple_flags(_apple_feature)
    try:
        lines = CPUINFO.read_text(encoding="utf-8", errors="replace").splitlines()
    except FileNotFoundError:
        return frozenset()
    fields = (line.partition(":") for line in lines)
    values = (value for name, _, value in fields if name.strip() in {"flags", "Features"})
    return frozenset(next(values, "").split())


def apple_flags(has_feature: Callable[[str], bool]) -> frozenset[str]:
    """Return the flags of a Mac's processor, which answers by Apple's names.

    Empty on a Mac without an ARM processor, for which there is no PyTorch.
    """
    if not has_feature("AdvSIMD"):
        return frozenset()
    found = [flags for name, flags in APPLE_FEATURES.items() if has_feature(name)]
    return frozenset({"asimd"}.union(*found))


def _apple_feature(name: str) -> bool:
    """Return whether macOS reports a feature of ARM. An unknown name is one that is missing."""
    import ctypes  # noqa: PLC0415 (only a Mac needs it)

    value = ctypes.c_int64(0)  # wide enough for each type that it answers with
    size = ctypes.c_size_t(ctypes.sizeof(value))
    failed = ctypes.CDLL(None).sysctlbyname(
        f"hw.optional.arm.{name}".encode(), ctypes.byref(value), ctypes.byref(size), None, 0
    )
    return not failed and bool(value.value)
