"""Processors as /proc/cpuinfo describes them: the flags that matter."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

import pytest

from voxgate.hardware import cpu

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

HASWELL = "fpu sse4_2 avx fma f16c avx2"
ALDER_LAKE = f"{HASWELL} avx_vnni"
CASCADE_LAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl avx512_vnni"
ZEN_4 = f"{CASCADE_LAKE} avx512_bf16"
SAPPHIRE_RAPIDS = f"{ZEN_4} avx_vnni avx512_fp16 amx_bf16 amx_tile amx_int8"
CORTEX_A72 = "fp asimd aes crc32"
GRAVITON_2 = "fp asimd aes atomics fphp asimdhp asimdrdm asimddp"
GRAVITON_3 = f"{GRAVITON_2} sve i8mm bf16"


@contextmanager
def processor(flags: str, folder: Path, kernels: str = "") -> Iterator[None]:
    """Have this process see a processor with these flags, and a level that is forced, if any."""
    file = folder / "cpuinfo"
    name = "Features" if "asimd" in flags else "flags\t"
    if flags:
        file.write_text(f"processor\t: 0\n{name}\t: {flags}\n")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(cpu, "CPUINFO", file)
        patch.setenv("VOXGATE_KERNELS", kernels)
        cpu.cpu_flags.cache_clear()
        try:
            yield
        finally:
            cpu.cpu_flags.cache_clear()
