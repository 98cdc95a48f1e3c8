"""The levels of instructions for which the native kernels are compiled, and a forced one.

`VOXGATE_KERNELS` forces a level. Then PyTorch, oneDNN, MKL and CTranslate2 use no better
instructions either, so that this machine computes as one that has no more. Imports no torch.
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from voxgate.errors import SettingsError
from voxgate.hardware.cpu import cpu_flags

if TYPE_CHECKING:
    from collections.abc import Mapping

KERNELS_VARIABLE = "VOXGATE_KERNELS"
BEST, OFF = "", "off"  # its values beside the names of levels: the best level, and no kernels

_AVX2 = frozenset({"avx2", "fma"})
_AVX512 = _AVX2 | {"avx512f", "avx512bw", "avx512vl", "avx512dq", "avx512_vnni"}


@dataclass(frozen=True, slots=True)
class Level:
    """Instructions that come together."""

    flags: frozenset[str]  # of the processors that have them
    variables: Mapping[str, str] = field(default_factory=dict)  # that hold libraries to them


def _x86_level(flags: frozenset[str], vector: str, onednn: str) -> Level:
    """Return a level with the variables of PyTorch, MKL and CTranslate2, and oneDNN's name."""
    variables = {
        "ATEN_CPU_CAPABILITY": vector.lower(),
        "MKL_ENABLE_INSTRUCTIONS": vector,
        "CT2_FORCE_CPU_ISA": vector,
        "ONEDNN_MAX_CPU_ISA": onednn,
    }
    return Level(flags, variables)


LEVELS = {
    "avx2": _x86_level(_AVX2, "AVX2", "AVX2"),
    "avxvnni": _x86_level(_AVX2 | {"avx_vnni"}, "AVX2", "AVX2_VNNI"),
    "avx512vnni": _x86_level(_AVX512, "AVX512", "AVX512_CORE_VNNI"),
    "avx512bf16": _x86_level(_AVX512 | {"avx512_bf16"}, "AVX512", "AVX512_CORE_BF16"),
    "neon": Level(frozenset({"asimd", "asimddp"})),
}
"""By name, the best of an architecture last. ARM has one, to which no library needs to be held."""


def available_levels() -> list[str]:
    """Return the names of the levels that this processor has, the best last.

    Empty where the system does not list the processor's features.
    """
    return [name for name, level in LEVELS.items() if level.flags <= cpu_flags()]


def forced_level(environ: Mapping[str, str] = os.environ) -> Level | None:
    """Return the level that the environment forces; None where it forces none."""
    return LEVELS.get(environ.get(KERNELS_VARIABLE, BEST))


def usable_flags() -> frozenset[str]:
    """Return the processor's flags, at a forced level of x86 only those that it has."""
    level = forced_level()
    return cpu_flags() & level.flags if level and level.variables else cpu_flags()


def hold_libraries() -> None:
    """Have the libraries use no better instructions than those of a forced level.

    They read it from the environment, when they first compute.
    """
    if level := forced_level():
        os.environ.update(level.variables)


def check_level(kernels: str) -> None:
    """Raise `SettingsError` for a level that this processor lacks.

    Where the system does not list its features, the kernels themselves refuse.
    """
    if kernels in {BEST, OFF} or kernels in available_levels() or not cpu_flags():
        return
    *others, last = [f"'{name}'" for name in (*available_levels(), OFF)]
    choices = f"{', '.join(others)} or {last}" if others else last
    raise SettingsError(
        f"'kernels' is '{kernels}', and this processor has no such instructions. Use {choices}, or "
        "leave it out for the best."
    )
